//! OTLP over gRPC, with the client that OpenTelemetry generates.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::time::Duration;

use common::{Mode, Rig, body, request, span, start};
use costflame_collector::ReceiverConfig;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
    trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
};
use reqwest::Client;
use tonic::{Code, codec::CompressionEncoding, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

async fn rig() -> Rig {
    start(ReceiverConfig::default()).await
}

async fn channel(rig: &Rig) -> Channel {
    Channel::from_shared(format!("http://{}", rig.grpc))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

async fn client(rig: &Rig) -> TraceServiceClient<Channel> {
    TraceServiceClient::new(channel(rig).await)
}

/// Sends bytes as they are; the status is in the headers (refused) or in the trailers (200, no header).
async fn raw(rig: &Rig, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> reqwest::Response {
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let mut request = client.post(format!("http://{}{path}", rig.grpc)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag][..], &length, message].concat()
}

fn grpc_status(response: &reqwest::Response) -> Option<&str> {
    response
        .headers()
        .get("grpc-status")
        .map(|value| value.to_str().unwrap())
}

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[tokio::test]
async fn spans_are_accepted_without_partial_success() {
    let rig = rig().await;
    let answer = client(&rig)
        .await
        .export(request(vec![span(0, "a")]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.partial_success, None);
    assert_eq!(rig.ledger.names(), ["a"]);
}

#[tokio::test]
async fn gzip_and_zstd_messages_are_accepted() {
    let rig = rig().await;
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = client(&rig)
            .await
            .send_compressed(encoding)
            .accept_compressed(encoding);
        let name = format!("{encoding:?}");
        client.export(request(vec![span(0, &name)])).await.unwrap();
    }
    assert_eq!(rig.ledger.names(), ["Gzip", "Zstd"]);
}

#[tokio::test]
async fn an_empty_request_succeeds() {
    let rig = rig().await;
    let empty = ExportTraceServiceRequest::default();
    assert_eq!(
        client(&rig)
            .await
            .export(empty)
            .await
            .unwrap()
            .into_inner()
            .partial_success,
        None
    );
    let logs = ExportLogsServiceRequest::default();
    LogsServiceClient::new(channel(&rig).await)
        .export(logs)
        .await
        .unwrap();
    let metrics = ExportMetricsServiceRequest::default();
    MetricsServiceClient::new(channel(&rig).await)
        .export(metrics)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_bad_span_is_rejected_by_partial_success_and_the_rest_is_kept() {
    let rig = rig().await;
    let mut bad = span(0, "bad");
    bad.span_id.clear();
    let answer = client(&rig)
        .await
        .export(request(vec![bad, span(1, "good")]))
        .await
        .unwrap();
    let partial = answer.into_inner().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("span id"),
        "{}",
        partial.error_message
    );
    assert_eq!(rig.ledger.names(), ["good"]);
}

#[tokio::test]
async fn an_undecodable_message_is_invalid_argument() {
    let rig = rig().await;
    let bodies = [
        framed(0, &[0x0a, 5, 1]),
        framed(1, b"no gzip"),
        framed(0, b"")[..3].to_vec(),
        vec![],
    ];
    for body in bodies {
        let response = raw(
            &rig,
            EXPORT,
            &[GRPC, ("grpc-encoding", "gzip")],
            body.clone(),
        )
        .await;
        assert_eq!(grpc_status(&response), Some("3"), "{body:?}");
    }
    assert_eq!(rig.ledger.rows(), []);
}

#[tokio::test]
async fn a_message_over_the_limit_is_resource_exhausted_without_retry() {
    let config = ReceiverConfig {
        max_request_bytes: 4096,
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    let large = request((0..200).map(|index| span(index, "step")).collect());
    let plain = client(&rig).await;
    for mut client in [
        plain.clone(),
        plain.clone().send_compressed(CompressionEncoding::Gzip),
    ] {
        let status = client.export(large.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_details_retry_info().is_none());
        assert!(status.message().contains("4096"), "{}", status.message());
    }
    plain
        .clone()
        .export(request(vec![span(0, "a")]))
        .await
        .unwrap();
    assert_eq!(rig.ledger.names(), ["a"]);
}

#[tokio::test]
async fn a_message_larger_than_the_default_of_tonic_is_accepted() {
    let rig = rig().await;
    let name = "x".repeat(1000);
    let spans: Vec<_> = (0..6000).map(|index| span(index, &name)).collect();
    client(&rig).await.export(request(spans)).await.unwrap();
    assert_eq!(rig.ledger.rows().len(), 6000);
}

#[tokio::test]
async fn a_database_outage_is_unavailable_with_a_delay_and_ends_by_itself() {
    let rig = rig().await;
    rig.ledger.set(Mode::Down);
    let mut client = client(&rig).await;
    for _ in 0..2 {
        let status = client
            .export(request(vec![span(0, "a")]))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let delay = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(delay, Some(Duration::from_secs(1)));
    }
    rig.ledger.set(Mode::Works);
    while client.export(request(vec![span(0, "a")])).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.ledger.names(), ["a"]);
}

#[tokio::test]
async fn an_unknown_compression_is_unimplemented_and_names_the_known_ones() {
    let rig = rig().await;
    let response = raw(
        &rig,
        EXPORT,
        &[GRPC, ("grpc-encoding", "snappy")],
        framed(1, &body(&["a"])),
    )
    .await;
    assert_eq!(grpc_status(&response), Some("12"));
    assert_eq!(
        response.headers()["grpc-accept-encoding"],
        "identity,gzip,zstd"
    );
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let rig = rig().await;
    let response = raw(&rig, "/some.Service/Method", &[GRPC], framed(0, b"")).await;
    assert_eq!(
        (response.status().as_u16(), grpc_status(&response)),
        (200, Some("12"))
    );
}

#[tokio::test]
async fn a_call_without_the_content_type_of_grpc_is_415() {
    let rig = rig().await;
    let response = raw(
        &rig,
        EXPORT,
        &[("content-type", "application/json")],
        framed(0, b""),
    )
    .await;
    assert_eq!(response.status(), 415);
}

#[tokio::test]
async fn health_follows_the_life_of_the_receiver() {
    let rig = rig().await;
    let mut health = HealthClient::new(channel(&rig).await);
    let mut watch = health
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    rig.shutdown.cancel();
    let last = watch.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap(), None);
    rig.serving.await.unwrap();
}

#[tokio::test]
async fn requests_are_counted_by_code() {
    let rig = rig().await;
    client(&rig)
        .await
        .export(request(vec![span(0, "a")]))
        .await
        .unwrap();
    raw(&rig, EXPORT, &[GRPC], framed(0, &[0x0a, 5, 1])).await;
    for code in ["Ok", "InvalidArgument"] {
        let line = format!(
            "costflame_requests_total{{transport=\"grpc\",signal=\"traces\",code=\"{code}\"}}"
        );
        assert_eq!(rig.metric(&line), 1, "{code}");
    }
}
