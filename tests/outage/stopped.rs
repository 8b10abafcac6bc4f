//! The database stops, or the server is told to.

use std::time::Duration;

use costflame_bench::load::{Body, SPANS_PER_TRACE};
use costflame_profile::TraceId;
use costflame_store::{Options, Store, TraceKey, testing::Postgres};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use prost::Message;
use tonic_types::StatusExt;

use crate::{
    readiness,
    support::{Server, wait_until},
};

const TRACES: u64 = 10;
/// Requests that are sent again when the database is back.
const AFTERWARDS: std::ops::Range<u64> = 2..30;

struct Client {
    http: reqwest::Client,
    url: String,
    body: Body,
}

impl Client {
    fn new(server: &Server) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        Self {
            http,
            url: server.http.clone(),
            body: Body::new(3, TRACES, 1_795_388_725_000_000_000),
        }
    }

    async fn send(&self, round: u64) -> reqwest::Response {
        let url = format!("{}/v1/traces", self.url);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-protobuf");
        request
            .body(self.body.stamped(round))
            .send()
            .await
            .expect("the server answers")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_database_is_retried_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    let server = Server::start(folder.path(), &postgres.url());
    let client = Client::new(&server);
    assert_eq!(client.send(1).await.status(), 200);
    assert_eq!(readiness(&server).await.0, 200);

    postgres.stop();
    let answer = client.send(2).await;
    assert_eq!(answer.status(), 503);
    let delay = answer
        .headers()
        .get("retry-after")
        .expect("a delay")
        .to_str()
        .expect("ASCII")
        .parse::<u64>();
    assert!(delay.expect("seconds") >= 1);
    let mut grpc = TraceServiceClient::connect(server.grpc.clone())
        .await
        .expect("still listening");
    let request = ExportTraceServiceRequest::decode(client.body.stamped(3)).expect("valid");
    let refused = grpc
        .export(request)
        .await
        .expect_err("nothing can be committed");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    assert!(
        refused
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some())
    );
    assert_eq!(readiness(&server).await.0, 503);

    let before = server.resident_bytes();
    for round in 100..400 {
        assert_eq!(client.send(round).await.status(), 503);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(
        grown < 32 << 20,
        "300 refused requests must not pile up: {grown} bytes more"
    );

    postgres.start_again();
    for round in AFTERWARDS {
        wait_for_success(&client, round).await;
    }
    assert_eq!(readiness(&server).await.0, 200);
    assert_eq!(server.terminate().code(), Some(0));
    let store = Store::connect(&postgres.url(), &Options::default())
        .await
        .expect("the database opens");
    for round in std::iter::once(1).chain(AFTERWARDS) {
        for trace_id in client.body.trace_ids(round) {
            let rows = store
                .landed(TraceKey {
                    project: 1,
                    trace_id: TraceId(trace_id),
                })
                .await
                .expect("readable");
            assert_eq!(rows.len(), SPANS_PER_TRACE, "request {round}");
        }
    }
}

async fn wait_for_success(client: &Client, round: u64) {
    for _ in 0..600 {
        let status = client.send(round).await.status().as_u16();
        match status {
            200 => return,
            503 => tokio::time::sleep(Duration::from_millis(50)).await,
            other => panic!("a retrying client would drop the data: {other}"),
        }
    }
    panic!("request {round} never arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_answers_what_was_received_and_ends_with_zero() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let server = Server::start(folder.path(), &url);
    let client = std::sync::Arc::new(Client::new(&server));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let client = std::sync::Arc::clone(&client);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for round in (sender * 1_000).. {
                    let request = client.http.post(format!("{}/v1/traces", client.url));
                    let request = request.header("content-type", "application/x-protobuf");
                    match request.body(client.body.stamped(round)).send().await {
                        Ok(answer) if answer.status() == 200 => acknowledged.push(round),
                        _ => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    let database = folder.path().join("c.db");
    wait_until("something is written", || {
        database.metadata().ok().filter(|file| file.len() > 0)
    });
    server.send_term();
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.extend(sender.await.expect("no panic"));
    }
    assert_eq!(server.wait().code(), Some(0));
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("the database opens");
    for round in acknowledged {
        for trace_id in client.body.trace_ids(round) {
            let rows = store
                .landed(TraceKey {
                    project: 1,
                    trace_id: TraceId(trace_id),
                })
                .await
                .expect("readable");
            assert_eq!(
                rows.len(),
                SPANS_PER_TRACE,
                "request {round} was acknowledged"
            );
        }
    }
}
