//! Shutting down: accepted requests are committed and answered, new connections are not taken.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{body, request, span, start, until};
use costflame_access::Gate;
use costflame_collector::{ReceiverConfig, health, listen::ListenConfig};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use reqwest::Client;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

#[tokio::test]
async fn requests_in_progress_are_committed_and_answered() {
    let rig = start(ReceiverConfig::default()).await;
    let turns = rig.ledger.turns.acquire_many(64).await.unwrap();
    let over_http = tokio::spawn({
        let request = Client::new().post(rig.url("/v1/traces"));
        let request = request
            .header("content-type", "application/x-protobuf")
            .body(body(&["http"]));
        async move { request.send().await.unwrap().status() }
    });
    until(|| rig.ledger.attempts.load(Ordering::Relaxed) == 1).await;
    let mut client = TraceServiceClient::connect(format!("http://{}", rig.grpc))
        .await
        .unwrap();
    let over_grpc =
        tokio::spawn(async move { client.export(request(vec![span(0, "grpc")])).await });
    until(|| rig.metric("costflame_queue_bytes") > 2000).await;

    rig.shutdown.cancel();
    for address in [rig.http, rig.grpc] {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    assert!(!rig.serving.is_finished());
    drop(turns);
    assert_eq!(over_http.await.unwrap(), 200);
    over_grpc.await.unwrap().unwrap();
    rig.serving.await.unwrap();
    assert_eq!(rig.ledger.names(), ["http", "grpc"]);
}

#[tokio::test]
async fn a_sender_that_never_finishes_does_not_hold_up_the_end() {
    let listen = ListenConfig {
        drain_timeout: Duration::from_millis(50),
        ..ListenConfig::default()
    };
    let config = ReceiverConfig {
        listen,
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    let mut stuck = TcpStream::connect(rig.http).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 100\r\n\r\nabc";
    stuck.write_all(head.as_bytes()).await.unwrap();
    until(|| rig.metric("costflame_inflight_bytes") > 0).await;
    rig.shutdown.cancel();
    rig.serving.await.unwrap();
}

#[tokio::test]
async fn probes_tell_alive_ready_and_draining() {
    let rig = start(ReceiverConfig::default()).await;
    let health = health::Health {
        gate: Gate::open(),
        store: rig.ledger.clone(),
        commits: rig.commits.clone(),
        draining: rig.shutdown.clone(),
        registry: rig.registry.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, health::router(health)).await });
    let get = async |path: &str| {
        let response = reqwest::get(format!("http://{address}{path}"))
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await.0, 200);
    assert_eq!(get("/readyz").await.0, 200);
    let (status, text) = get("/metrics").await;
    assert!(
        status == 200
            && text.contains("costflame_commit_duration_seconds")
            && text.ends_with("# EOF\n"),
        "{text}"
    );

    rig.ledger.set(common::Mode::Down);
    let (status, why) = get("/readyz").await;
    assert!(status == 503 && why.contains("connection refused"), "{why}");
    rig.ledger.set(common::Mode::Full);
    assert_eq!(get("/readyz").await.0, 200, "nobody has tried to commit");
    let body = common::body(&["step"]);
    let sent = reqwest::Client::new().post(rig.url("/v1/traces"));
    let sent = sent.header("content-type", "application/x-protobuf");
    let refused = sent.body(body).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    let (status, why) = get("/readyz").await;
    assert!(status == 503 && why.contains("disk"), "{why}");
    rig.ledger.set(common::Mode::Works);
    rig.shutdown.cancel();
    let (status, why) = get("/readyz").await;
    assert!(status == 503 && why.contains("shutting down"), "{why}");
    assert_eq!(get("/healthz").await.0, 200);
}
