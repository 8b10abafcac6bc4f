//! Every error: its status, its code, the field at fault, and nothing of the database.

use costflame_store::testing::Postgres;
use sqlx::Connection;

use super::{
    support::{Api, both},
    traffic::{land_and_settle, traffic},
};

#[tokio::test]
async fn bad_requests_name_the_field() {
    for api in both().await {
        for (path, field) in [
            ("/summary?modell=a", "modell"),
            ("/summary?from=x", "from"),
            ("/summary?limit=1", "limit"),
            ("/breakdown", "by"),
            ("/breakdown?by=status", "by"),
            ("/breakdown?by=model&limit=0", "limit"),
            ("/breakdown?by=model&limit=1001", "limit"),
            ("/timeseries?interval=minute", "interval"),
            (
                "/timeseries?from=0&to=9999999999999&interval=hour",
                "interval",
            ),
            ("/timeseries?limit=101", "limit"),
            ("/timeseries?tz=Nowhere", "tz"),
            ("/flamegraph?metric=joules", "metric"),
            ("/flamegraph?max_nodes=50001", "max_nodes"),
            ("/flamegraph?base_from=0", "base_to"),
            ("/flamegraph?base.limit=0", "base.limit"),
            ("/traces?sort=name", "sort"),
            ("/traces?order=up", "order"),
            ("/traces?limit=501", "limit"),
            ("/traces/xyz", "trace_id"),
            ("/traces/11111111111111111111111111111111?x=1", "x"),
            ("/calls?limit=1001", "limit"),
            ("/calls?cursor=1", "cursor"),
            ("/calls/11111111111111111111111111111111/1", "span_id"),
            ("/calls/1/1111111111111111", "trace_id"),
            ("/values", "key"),
            ("/values?key=counted", "key"),
            ("/values?key=model&limit=201", "limit"),
            ("/tags?model=a", "model"),
            ("/health?x=1", "x"),
        ] {
            let (status, body) = api.ask(path).await;
            let error = &body["error"];
            assert_eq!(
                (status.as_u16(), &error["code"]),
                (400, &"bad_request".into()),
                "{path}"
            );
            assert_eq!(error["field"], field, "{path}");
        }
        let (status, body) = api
            .ask(&format!("/summary?{}", "model=a&".repeat(300)))
            .await;
        assert_eq!(
            (status.as_u16(), &body["error"]["field"]),
            (400, &serde_json::Value::Null)
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    for api in both().await {
        for path in [
            "/nothing",
            "/",
            "/traces/11111111111111111111111111111111",
            "/calls/11111111111111111111111111111111/1111111111111111",
        ] {
            let (status, body) = api.ask(path).await;
            assert_eq!(
                (status.as_u16(), &body["error"]["code"]),
                (404, &"not_found".into()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn without_the_database_clients_are_told_to_come_back() {
    let server = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
    let api = Api::open(&server.database().await, None).await;
    land_and_settle(&api.store, &traffic(1, 2)).await;
    assert_eq!(api.get("/health").await["status"], "ok");
    server.stop();
    for path in [
        "/summary",
        "/calls",
        "/traces",
        "/flamegraph",
        "/breakdown?by=user",
        "/values?key=user",
    ] {
        let (status, body) = api.ask(path).await;
        assert_eq!(
            (status.as_u16(), &body["error"]["code"]),
            (503, &"unavailable".into()),
            "{path} {body}"
        );
        assert!(!body.to_string().contains("127.0.0.1"), "{body}");
    }
    let health = api.get("/health").await;
    assert_eq!(
        (&health["status"], &health["database"]["reachable"]),
        (&"down".into(), &false.into())
    );
    server.start_again();
    assert_eq!(api.get("/health").await["status"], "ok");
}

#[tokio::test]
async fn a_damaged_database_is_an_internal_error() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let api = Api::open(&url, Some(folder)).await;
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("DROP TABLE calls")
        .execute(&mut connection)
        .await
        .unwrap();
    let (status, body) = api.ask("/calls").await;
    assert_eq!(
        (status.as_u16(), &body["error"]["code"]),
        (500, &"internal".into())
    );
    assert!(
        !body["error"]["message"].as_str().unwrap().contains("calls"),
        "{body}"
    );
}
