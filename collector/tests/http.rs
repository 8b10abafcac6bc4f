//! OTLP over HTTP: one test per line of the receiver's contract.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use common::{Mode, Rig, attribute, body, gzip, request, span, start, text, zstd};
use costflame_collector::ReceiverConfig;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    trace::v1::ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use reqwest::{Client, Response};
use serde_json::{Value, json};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

async fn rig() -> Rig {
    start(ReceiverConfig::default()).await
}

async fn post(
    rig: &Rig,
    path: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> Response {
    let request = Client::new()
        .post(rig.url(path))
        .header("content-type", content_type);
    request.body(body).send().await.unwrap()
}

async fn post_packed(rig: &Rig, encoding: &str, body: Vec<u8>) -> Response {
    let request = Client::new()
        .post(rig.url("/v1/traces"))
        .header("content-type", PROTOBUF);
    request
        .header("content-encoding", encoding)
        .body(body)
        .send()
        .await
        .unwrap()
}

fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

async fn protobuf_status(response: Response) -> tonic_types::Status {
    assert_eq!(header(&response, "content-type"), PROTOBUF);
    tonic_types::Status::decode(response.bytes().await.unwrap()).unwrap()
}

async fn json(response: Response) -> Value {
    assert_eq!(header(&response, "content-type"), JSON);
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn partial_success(response: Response) -> (i64, String) {
    assert_eq!(response.status(), 200);
    let decoded = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    let partial = decoded.partial_success.expect("something was rejected");
    (partial.rejected_spans, partial.error_message)
}

fn json_request(name: &str) -> String {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"spans": [{
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "name": name,
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
        }]}],
    }]})
    .to_string()
}

#[tokio::test]
async fn protobuf_is_accepted_and_answered_in_protobuf_without_partial_success() {
    let rig = rig().await;
    let response = post(&rig, "/v1/traces", PROTOBUF, body(&["a", "b"])).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), PROTOBUF);
    let answer = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success, None);
    assert_eq!(rig.ledger.names(), ["a", "b"]);
}

#[tokio::test]
async fn json_is_accepted_and_answered_in_json() {
    let rig = rig().await;
    let response = post(
        &rig,
        "/v1/traces",
        "application/json; charset=utf-8",
        json_request("a"),
    )
    .await;
    assert_eq!(response.status(), 200);
    assert_eq!(json(response).await, json!({}));
    let rows = rig.ledger.rows();
    assert_eq!(
        rows[0].span.trace_id.to_string(),
        "5b8efff798038103d269b633813fc60c"
    );
    assert_eq!(rows[0].span.span_id.to_string(), "eee19b7ec3c1b174");
    assert_eq!(&*rows[0].span.service, "shop");
}

#[tokio::test]
async fn gzip_and_zstd_bodies_are_accepted() {
    let rig = rig().await;
    assert_eq!(
        post_packed(&rig, "gzip", gzip(&body(&["a"])))
            .await
            .status(),
        200
    );
    assert_eq!(
        post_packed(&rig, "zstd", zstd(&body(&["b"])))
            .await
            .status(),
        200
    );
    assert_eq!(
        post_packed(&rig, "identity", body(&["c"])).await.status(),
        200
    );
    assert_eq!(rig.ledger.names(), ["a", "b", "c"]);
}

#[tokio::test]
async fn http2_is_accepted_by_prior_knowledge() {
    let rig = rig().await;
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let request = client
        .post(rig.url("/v1/traces"))
        .header("content-type", PROTOBUF);
    let response = request.body(body(&["a"])).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, reqwest::Version::HTTP_2)
    );
    assert_eq!(rig.ledger.names(), ["a"]);
}

#[tokio::test]
async fn the_answer_is_compressed_when_the_client_accepts_it() {
    let rig = rig().await;
    let mut bad = span(0, "bad");
    bad.trace_id = vec![0; 16];
    let request = Client::new()
        .post(rig.url("/v1/traces"))
        .header("content-type", PROTOBUF)
        .header("accept-encoding", "gzip");
    let response = request
        .body(request_body(vec![bad, span(1, "good")]))
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-encoding"), "gzip");
    let packed = response.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed), &mut unpacked).unwrap();
    let answer = ExportTraceServiceResponse::decode(&*unpacked).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 1);
}

fn request_body(spans: Vec<opentelemetry_proto::tonic::trace::v1::Span>) -> Vec<u8> {
    request(spans).encode_to_vec()
}

#[tokio::test]
async fn an_empty_request_succeeds() {
    let rig = rig().await;
    for (content_type, body) in [
        (PROTOBUF, ""),
        (JSON, "{}"),
        (JSON, r#"{"resourceSpans":[]}"#),
        (JSON, ""),
    ] {
        for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
            let response = post(&rig, path, content_type, body).await;
            assert_eq!(response.status(), 200, "{path} {content_type} {body:?}");
        }
    }
    assert_eq!(rig.ledger.rows(), []);
}

#[tokio::test]
async fn a_bad_span_is_rejected_by_partial_success_and_the_rest_is_kept() {
    let rig = rig().await;
    let mut no_trace = span(0, "no trace");
    no_trace.trace_id = vec![];
    let mut zero_span = span(1, "zero span");
    zero_span.span_id = vec![0; 8];
    let mut short_parent = span(2, "short parent");
    short_parent.parent_span_id = vec![1; 4];
    let spans = vec![
        no_trace,
        span(3, "good"),
        zero_span,
        short_parent,
        span(4, "also good"),
    ];
    let (rejected, message) =
        partial_success(post(&rig, "/v1/traces", PROTOBUF, request_body(spans)).await).await;
    assert_eq!(rejected, 3);
    assert!(message.contains("trace id"), "{message}");
    assert_eq!(rig.ledger.names(), ["good", "also good"]);
}

#[tokio::test]
async fn json_counts_rejected_spans_as_text() {
    let rig = rig().await;
    let bad = json_request("a").replace("eee19b7ec3c1b174", "0000000000000000");
    let answer = json(post(&rig, "/v1/traces", JSON, bad).await).await;
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1");
    assert!(
        answer["partialSuccess"]["errorMessage"]
            .as_str()
            .unwrap()
            .contains("span id")
    );
}

#[tokio::test]
async fn an_undecodable_body_is_400_with_a_status_that_says_where() {
    let rig = rig().await;
    let response = post(&rig, "/v1/traces", PROTOBUF, vec![0x0a, 0x05, 0x01]).await;
    assert_eq!(response.status(), 400);
    let status = protobuf_status(response).await;
    assert_eq!(status.code, tonic::Code::InvalidArgument as i32);
    assert_eq!(
        status.details[0].type_url,
        "type.googleapis.com/google.rpc.BadRequest"
    );

    let response = post(&rig, "/v1/traces", JSON, "{\"resourceSpans\": 7").await;
    assert_eq!(response.status(), 400);
    let status = json(response).await;
    assert_eq!(status["code"], 3);
    assert_eq!(
        status["details"][0]["@type"],
        "type.googleapis.com/google.rpc.BadRequest"
    );
    assert_eq!(rig.ledger.rows(), []);
}

#[tokio::test]
async fn a_broken_compression_is_400() {
    let rig = rig().await;
    let mut cut = gzip(&body(&["a"]));
    cut.truncate(cut.len() / 2);
    for (encoding, bytes) in [
        ("gzip", cut),
        ("gzip", body(&["a"])),
        ("zstd", b"nonsense".to_vec()),
    ] {
        let response = post_packed(&rig, encoding, bytes).await;
        assert_eq!(response.status(), 400, "{encoding}");
        protobuf_status(response).await;
    }
}

#[tokio::test]
async fn an_unknown_content_type_is_415() {
    let rig = rig().await;
    let response = post(&rig, "/v1/traces", "text/plain", "hello").await;
    assert_eq!(response.status(), 415);
    assert_eq!(json(response).await["code"], 3);
}

#[tokio::test]
async fn an_unknown_compression_is_415_and_names_the_known_ones() {
    let rig = rig().await;
    let response = post_packed(&rig, "br", body(&["a"])).await;
    assert_eq!(response.status(), 415);
    assert_eq!(header(&response, "accept-encoding"), "gzip, zstd");
    protobuf_status(response).await;
}

#[tokio::test]
async fn another_method_is_405_and_names_post() {
    let rig = rig().await;
    for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
        let response = Client::new().get(rig.url(path)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), header(&response, "allow")),
            (405, "POST".into())
        );
        json(response).await;
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_with_a_status() {
    let rig = rig().await;
    for path in ["/", "/v1/trace", "/v1development/profiles"] {
        let response = post(&rig, path, PROTOBUF, body(&["a"])).await;
        assert_eq!(response.status(), 404, "{path}");
        assert!(
            protobuf_status(response)
                .await
                .message
                .contains("/v1/traces")
        );
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_before_and_after_decompression() {
    let config = ReceiverConfig {
        max_request_bytes: 4096,
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    let large = request_body((0..200).map(|index| span(index, "step")).collect());
    assert!(large.len() > 4096 && gzip(&large).len() < 4096);
    for response in [
        post(&rig, "/v1/traces", PROTOBUF, large.clone()).await,
        post_packed(&rig, "gzip", gzip(&large)).await,
        post_packed(&rig, "zstd", zstd(&large)).await,
    ] {
        assert_eq!(response.status(), 413);
        assert_eq!(header(&response, "retry-after"), "");
        let status = protobuf_status(response).await;
        assert_eq!(status.code, tonic::Code::ResourceExhausted as i32);
        assert!(status.message.contains("4096"), "{}", status.message);
    }
    assert_eq!(
        post(&rig, "/v1/traces", PROTOBUF, body(&["a"]))
            .await
            .status(),
        200
    );
    assert_eq!(rig.ledger.names(), ["a"]);
}

#[tokio::test]
async fn a_database_outage_is_503_with_retry_after_and_ends_by_itself() {
    let rig = rig().await;
    rig.ledger.set(Mode::Down);
    for content_type in [PROTOBUF, JSON] {
        let response = match content_type {
            PROTOBUF => post(&rig, "/v1/traces", PROTOBUF, body(&["a"])).await,
            _ => post(&rig, "/v1/traces", JSON, json_request("a")).await,
        };
        assert_eq!(response.status(), 503);
        assert_eq!(header(&response, "retry-after"), "1");
        assert_eq!(header(&response, "content-type"), content_type);
    }
    // The second request did not even reach the database.
    assert_eq!(
        rig.ledger
            .attempts
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    assert_eq!(rig.metric("costflame_database_up"), 0);
    rig.ledger.set(Mode::Works);
    while post(&rig, "/v1/traces", PROTOBUF, body(&["a"]))
        .await
        .status()
        != 200
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.ledger.names(), ["a"]);
}

#[tokio::test]
async fn a_log_record_of_a_model_call_is_committed_before_the_answer() {
    let rig = rig().await;
    let attributes = vec![
        attribute("event.name", text("claude_code.api_request")),
        attribute("model", text("claude-sonnet-4-5")),
        attribute("input_tokens", Any::IntValue(10)),
        attribute("output_tokens", Any::IntValue(2)),
    ];
    let record = LogRecord {
        attributes,
        ..LogRecord::default()
    };
    let logs = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![record.clone(), record, LogRecord::default()],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    let response = post(&rig, "/v1/logs", PROTOBUF, logs.encode_to_vec()).await;
    assert_eq!(response.status(), 200);
    let rows = rig.ledger.rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0].span.span_id, rows[1].span.span_id,
        "the same record twice"
    );
    let unused = "costflame_records_unused_total{signal=\"logs\"}";
    assert_eq!(rig.metric(unused), 1);
    rig.ledger.set(Mode::Down);
    let response = post(&rig, "/v1/logs", PROTOBUF, logs.encode_to_vec()).await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn logs_and_metrics_get_their_own_answer_and_are_counted_as_unused() {
    let rig = rig().await;
    let record = LogRecord::default();
    let scope_logs = vec![ScopeLogs {
        log_records: vec![record; 3],
        ..Default::default()
    }];
    let logs = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..Default::default()
        }],
    };
    let response = post(&rig, "/v1/logs", PROTOBUF, logs.encode_to_vec()).await;
    assert_eq!(response.status(), 200);
    let answer = ExportLogsServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success, None);
    assert_eq!(
        rig.metric("costflame_records_unused_total{signal=\"logs\"}"),
        3
    );

    let metrics = ExportMetricsServiceRequest::default().encode_to_vec();
    let response = post(&rig, "/v1/metrics", PROTOBUF, metrics).await;
    assert_eq!(response.status(), 200);
    let answer = ExportMetricsServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success, None);

    assert_eq!(
        post(&rig, "/v1/logs", PROTOBUF, vec![0x0a, 0x05, 0x01])
            .await
            .status(),
        400
    );
    assert_eq!(post(&rig, "/v1/metrics", JSON, "[").await.status(), 400);
}

#[tokio::test]
async fn repeated_requests_are_accepted_again() {
    let rig = rig().await;
    for _ in 0..2 {
        assert_eq!(
            post(&rig, "/v1/traces", PROTOBUF, body(&["a"]))
                .await
                .status(),
            200
        );
    }
    let rows = rig.ledger.rows();
    assert_eq!(rows[0].span, rows[1].span);
}

#[tokio::test]
async fn many_requests_on_one_connection_are_all_answered() {
    let rig = rig().await;
    let client = Client::new();
    for round in 0..20 {
        let (content_type, expected) = if round % 3 == 0 {
            ("text/plain", 415)
        } else {
            (PROTOBUF, 200)
        };
        let request = client
            .post(rig.url("/v1/traces"))
            .header("content-type", content_type);
        assert_eq!(
            request.body(body(&["a"])).send().await.unwrap().status(),
            expected
        );
    }
}

#[tokio::test]
async fn both_ports_speak_both_transports() {
    let rig = rig().await;
    let request = Client::new().post(format!("http://{}/v1/traces", rig.grpc));
    let response = request
        .header("content-type", PROTOBUF)
        .body(body(&["a"]))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let rig = rig().await;
    let bytes = body(&["a", "b"]);
    post(&rig, "/v1/traces", PROTOBUF, bytes.clone()).await;
    post(&rig, "/v1/traces", "text/plain", "x").await;
    let requests = |code| {
        rig.metric(&format!(
            "costflame_requests_total{{transport=\"http\",signal=\"traces\",code=\"{code}\"}}"
        ))
    };
    assert_eq!((requests("200"), requests("415")), (1, 1));
    assert_eq!(
        rig.metric("costflame_requests_refused_total{reason=\"content_type\"}"),
        1
    );
    assert_eq!(
        rig.metric("costflame_request_body_bytes_total{transport=\"http\"}"),
        bytes.len() as u64
    );
    assert_eq!(rig.metric("costflame_spans_received_total"), 2);
    assert_eq!(rig.metric("costflame_spans_committed_total"), 2);
    assert_eq!(rig.metric("costflame_commit_duration_seconds_count"), 1);
    assert_eq!(rig.metric("costflame_inflight_bytes"), 0);
    assert_eq!(rig.metric("costflame_queue_bytes"), 0);
    assert_eq!(rig.metric("costflame_database_up"), 1);
}
