//! What arrives is what was sent, whatever the transport.

use std::{fs, path::Path};

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message as _;

use crate::{
    backend::Backend,
    common::{body, zstd},
    pipeline::{Pipeline, to},
};

/// Recorded requests in protobuf: signal and body.
fn recorded() -> Vec<(String, Vec<u8>)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let mut found = Vec::new();
    for scenario in ["claude-code/plain", "codex/tools", "strands/agent"] {
        let mut files: Vec<_> = fs::read_dir(corpus.join(scenario))
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pb"))
            .collect();
        files.sort();
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let signal = name.split('.').nth(1).unwrap().to_owned();
            found.push((signal, fs::read(file).unwrap()));
        }
    }
    assert!(found.len() > 10, "the recordings are there");
    found
}

/// A request with a field that nobody knows in front, behind and inside.
fn with_unknown_fields() -> Vec<u8> {
    let unknown = [0xa0, 0x06, 0x96, 0x01];
    [&unknown[..], &body(&["a", "b"]), &unknown].concat()
}

#[tokio::test]
async fn every_signal_arrives_byte_for_byte_over_both_transports() {
    let (http, grpc, packed) = (
        Backend::start().await,
        Backend::start().await,
        Backend::start().await,
    );
    let pipeline = Pipeline::start(
        &[
            to(
                "http",
                &http.url(),
                "enrich = \"off\"\ncompression = \"none\"",
            ),
            to("grpc", &grpc.url(), "enrich = \"off\"\nprotocol = \"grpc\""),
            to(
                "zstd",
                &packed.url(),
                "enrich = \"off\"\ncompression = \"zstd\"\nheaders = { x-key = \"k\" }",
            ),
        ]
        .concat(),
    )
    .await;
    let mut sent = recorded();
    sent.push(("traces".to_owned(), with_unknown_fields()));
    for (signal, body) in &sent {
        assert_eq!(pipeline.post(signal, body.clone()).await, 200);
    }
    let mut expected: Vec<_> = sent.iter().map(|(_, body)| body.clone()).collect();
    expected.sort();
    for backend in [&http, &grpc, &packed] {
        backend.has(sent.len()).await;
        let mut bodies = backend.bodies();
        bodies.sort();
        assert!(bodies == expected, "the bytes are the same");
    }
    for taken in packed.taken() {
        assert_eq!(taken.headers["x-key"], "k");
        assert_eq!(taken.headers["content-encoding"], "zstd");
        assert!(
            taken.headers["user-agent"]
                .to_str()
                .unwrap()
                .contains("costflame")
        );
        let signal = taken.path.strip_prefix("/v1/").unwrap();
        assert!(sent.contains(&(signal.to_owned(), taken.body)));
    }
    assert!(
        grpc.taken()
            .iter()
            .all(|taken| taken.headers["grpc-encoding"] == "gzip")
    );
    pipeline.until_left((0, 0)).await;
    let delivered = |name: &str| {
        let labels = format!("destination=\"{name}\",result=\"delivered\"");
        pipeline
            .rig
            .metric(&format!("costflame_forward_requests_total{{{labels}}}"))
    };
    assert_eq!(
        [delivered("http"), delivered("grpc")],
        [sent.len() as u64; 2]
    );
}

#[tokio::test]
async fn json_says_the_same() {
    let backend = Backend::start().await;
    let more = "enrich = \"off\"\nprotocol = \"http/json\"";
    let pipeline = Pipeline::start(&to("json", &backend.url(), more)).await;
    let limits = costflame_collector::decode::Limits::default();
    for (number, (signal, body)) in recorded().into_iter().enumerate() {
        assert_eq!(pipeline.post(&signal, body.clone()).await, 200);
        let taken = backend.has(number + 1).await.pop().unwrap();
        assert_eq!(taken.headers["content-type"], "application/json");
        let kind = match &*signal {
            "traces" => costflame_profile::Signal::Span,
            "logs" => costflame_profile::Signal::Log,
            _ => costflame_profile::Signal::Metric,
        };
        let back =
            costflame_collector::decode::json_to_protobuf(kind, &taken.body, &limits).unwrap();
        match kind {
            costflame_profile::Signal::Span => assert_eq!(
                ExportTraceServiceRequest::decode(&*back).unwrap(),
                ExportTraceServiceRequest::decode(&*body).unwrap()
            ),
            costflame_profile::Signal::Log => assert_eq!(
                ExportLogsServiceRequest::decode(&*back).unwrap(),
                ExportLogsServiceRequest::decode(&*body).unwrap()
            ),
            costflame_profile::Signal::Metric => assert_eq!(
                ExportMetricsServiceRequest::decode(&*back).unwrap(),
                ExportMetricsServiceRequest::decode(&*body).unwrap()
            ),
        }
    }
}

#[tokio::test]
async fn what_came_as_json_or_compressed_is_the_same_request() {
    let backend = Backend::start().await;
    let pipeline = Pipeline::start(&to("a", &backend.url(), "enrich = \"off\"")).await;
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10",
        "spanId":"0102030405060708","name":"step","startTimeUnixNano":"1700000000000000000"}]}]}]}"#;
    assert_eq!(
        pipeline
            .post_as("traces", "application/json", json.to_vec())
            .await,
        200
    );
    let taken = backend.has(1).await.remove(0);
    assert_eq!(taken.headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(&*taken.body).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((&*span.name, span.span_id.len()), ("step", 8));

    let packed = reqwest::Client::new()
        .post(pipeline.rig.url("/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "zstd")
        .body(zstd(&body(&["c"])));
    assert_eq!(packed.send().await.unwrap().status(), 200);
    assert_eq!(backend.has(2).await.pop().unwrap().body, body(&["c"]));
}

#[tokio::test]
async fn only_the_wanted_signals_go_where_they_should() {
    let (traces, rest) = (Backend::start().await, Backend::start().await);
    let text = [
        to(
            "traces",
            &traces.url(),
            "enrich = \"off\"\nsignals = [\"traces\"]",
        ),
        to(
            "rest",
            &rest.url(),
            &format!(
                "signals = [\"logs\", \"metrics\"]\nmetrics_endpoint = \"{}/own/path\"",
                rest.url()
            ),
        ),
    ];
    let pipeline = Pipeline::start(&text.concat()).await;
    let recorded = recorded();
    for (signal, body) in &recorded {
        assert_eq!(pipeline.post(signal, body.clone()).await, 200);
    }
    let count = |name: &str| recorded.iter().filter(|(signal, _)| signal == name).count();
    traces.has(count("traces")).await;
    rest.has(count("logs") + count("metrics")).await;
    pipeline.until_left((0, 0)).await;
    assert!(
        traces
            .taken()
            .iter()
            .all(|taken| taken.path == "/v1/traces")
    );
    let own = rest
        .taken()
        .iter()
        .filter(|taken| taken.path == "/own/path")
        .count();
    assert_eq!(own, count("metrics"));
}

#[tokio::test]
async fn an_empty_or_refused_request_is_not_forwarded() {
    let backend = Backend::start().await;
    let pipeline = Pipeline::start(&to("a", &backend.url(), "enrich = \"off\"")).await;
    assert_eq!(pipeline.post("traces", Vec::new()).await, 200);
    assert_eq!(pipeline.post("traces", vec![0x0a, 0x05, 0x01]).await, 400);
    assert_eq!(pipeline.left().await, (0, 0));
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    backend.has(1).await;
    assert_eq!(backend.bodies(), [body(&["a"])]);
}
