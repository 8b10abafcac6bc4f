//! A trace that cannot be settled, since one of its rows is damaged.

use costflame_bench::load::Body;
use costflame_store::{Options, Store};
use sqlx::{Connection, SqliteConnection};

use crate::support::{Addresses, PATIENCE, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_cannot_be_settled_keeps_no_other_waiting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let at = Addresses::free();
    let start = |settle_after: &str| {
        Server::start_with(folder.path(), &url, &at, &["--settle-after", settle_after])
    };
    let server = start("1h");
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/traces", server.http))
        .header("content-type", "application/x-protobuf")
        .body(Body::new(4, 10, 1_795_388_725_000_000_000).stamped(1))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(server.terminate().code(), Some(0));
    let mut connection = SqliteConnection::connect(&url).await.expect("a file");
    let damage = "UPDATE landing SET call = x'ff' WHERE rowid = \
                  (SELECT min(rowid) FROM landing WHERE call IS NOT NULL)";
    let damaged = sqlx::raw_sql(damage).execute(&mut connection).await;
    assert_eq!(damaged.expect("a row").rows_affected(), 1);

    let server = start("100ms");
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("the database opens");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let status = store.status().await.expect("a status");
        let metrics = reqwest::get(format!("{}/metrics", server.api)).await;
        let metrics = metrics.expect("an answer").text().await.expect("a text");
        let failed = metrics.contains("\ncostflame_traces_failed_total 1\n");
        if failed && status.pending_traces == 1 {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{status:?}\n{metrics}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(server.terminate().code(), Some(0));
}
