//! Scenario: two collectors share one Postgres; one of them is killed with SIGKILL while spans keep coming.
//! Guarantee: the other takes over its lanes, settles what the dead one had received, and every call counts once.

mod support;

use std::{sync::Arc, time::Instant};

use costflame_bench::load::Body;
use costflame_store::{Options, Status, Store, testing::Postgres};
use support::{Addresses, PATIENCE, Server};

const TRACES: u64 = 40;

async fn send(to: &Server, body: &Body, round: u64) {
    let response = reqwest::Client::new()
        .post(format!("{}/v1/traces", to.http))
        .header("content-type", "application/x-protobuf")
        .body(body.stamped(round))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
}

async fn wait_for(store: &Store, what: &str, is_so: impl Fn(&Status) -> bool) {
    let start = Instant::now();
    loop {
        let status = store.status().await.expect("a status");
        if is_so(&status) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {status:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_collector_takes_over_from_a_dead_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Arc::new(Postgres::start());
    let url = server.database().await;
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("a database");
    let flags = ["--settle-after", "100ms"];
    let start = || Server::start_with(folder.path(), &url, &Addresses::free(), &flags);
    let (doomed, heir) = (start(), start());
    wait_for(&store, "both have lanes", |status| {
        status.owners.len() == 2 && status.owners.iter().all(|(_, lanes)| *lanes == 32)
    })
    .await;

    let body = Body::new(7, TRACES, 1_795_388_725_000_000_000);
    for round in 1..=5 {
        send(&doomed, &body, round).await;
        send(&heir, &body, 100 + round).await;
    }
    doomed.kill();
    for round in 6..=10 {
        send(&heir, &body, 100 + round).await;
    }
    wait_for(&store, "one has all lanes", |status| {
        matches!(&status.owners[..], [(_, 64)])
    })
    .await;
    wait_for(&store, "everything is settled and folded", |status| {
        status.pending_traces == 0 && status.unfolded == 0
    })
    .await;

    let verified = store.verify().await.expect("a check");
    assert_eq!(verified.differences, []);

    assert_eq!(verified.traces, 15 * TRACES);
    assert!(heir.terminate().success());
}
