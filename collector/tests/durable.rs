//! In front of a real database: what is acknowledged can be read by another process.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::{fs, path::Path, sync::Arc};

use common::{Rig, attribute, body, request, span, start_before, text};
use costflame_collector::ReceiverConfig;
use costflame_pricing::Usd;
use costflame_profile::{Role, TraceId};
use costflame_store::{LandingRow, Options, Store, TraceKey};
use opentelemetry_proto::tonic::{
    collector::trace::v1::trace_service_client::TraceServiceClient, common::v1::any_value::Value,
};
use prost::Message as _;
use reqwest::Client;
use tempfile::TempDir;

struct Sqlite {
    _folder: TempDir,
    url: String,
    rig: Rig<Store>,
}

async fn open(url: &str) -> Store {
    Store::connect(url, &Options::default()).await.unwrap()
}

async fn sqlite() -> Sqlite {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let rig = start_before(Arc::new(open(&url).await), ReceiverConfig::default()).await;
    Sqlite {
        _folder: folder,
        url,
        rig,
    }
}

impl Sqlite {
    /// What another process reads.
    async fn landed(&self, trace_id: [u8; 16]) -> Vec<LandingRow> {
        let trace = TraceKey {
            project: 1,
            trace_id: TraceId(trace_id),
        };
        open(&self.url).await.landed(trace).await.unwrap()
    }

    async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> u16 {
        let request = Client::new()
            .post(self.rig.url(path))
            .header("content-type", content_type);
        request.body(body).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn an_acknowledged_call_is_durable_with_its_receipt() {
    let sqlite = sqlite().await;
    let mut call = span(0, "chat gpt-4o");
    call.attributes = vec![
        attribute("gen_ai.operation.name", text("chat")),
        attribute("gen_ai.provider.name", text("openai")),
        attribute("gen_ai.response.model", text("gpt-4o-2024-08-06")),
        attribute("gen_ai.usage.input_tokens", Value::IntValue(7205)),
        attribute("gen_ai.usage.output_tokens", Value::IntValue(1099)),
    ];
    let endpoint = format!("http://{}", sqlite.rig.grpc);
    let mut client = TraceServiceClient::connect(endpoint).await.unwrap();
    client
        .export(request(vec![call, span(1, "step")]))
        .await
        .unwrap();

    let mut rows = sqlite.landed([7; 16]).await;
    rows.sort_by_key(|row| row.span.span_id);
    let [call, step] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!((call.span.role, step.span.role), (Role::Call, Role::Plain));
    assert_eq!(
        call.receipt.as_ref().unwrap().cost,
        Some(Usd(29_002_500_000))
    );
    assert_eq!(step.receipt, None);
}

#[tokio::test]
async fn concurrent_requests_are_all_durable() {
    let sqlite = sqlite().await;
    let requests = (0..32_u8).map(|index| {
        let mut one = span(0, "step");
        one.trace_id = vec![index + 1; 16];
        sqlite.post(
            "/v1/traces",
            "application/x-protobuf",
            request(vec![one]).encode_to_vec(),
        )
    });
    assert_eq!(futures::future::join_all(requests).await, [200; 32]);
    for index in 0..32 {
        assert_eq!(sqlite.landed([index + 1; 16]).await.len(), 1);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_leaves_nothing() {
    let sqlite = sqlite().await;
    let mut cut = body(&["a", "b", "c"]);
    cut.truncate(cut.len() - 1);
    assert_eq!(
        sqlite
            .post("/v1/traces", "application/x-protobuf", cut)
            .await,
        400
    );
    assert_eq!(sqlite.landed([7; 16]).await, []);
}

/// A request as an instrumented program sent it.
struct Recorded {
    path: String,
    content_type: &'static str,
    encoding: String,
    body: Vec<u8>,
}

fn recorded(folder: &Path, found: &mut Vec<Recorded>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            recorded(&path, found);
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let [number, signal, kind] = name.split('.').collect::<Vec<_>>()[..] else {
            continue;
        };
        let content_type = match kind {
            "pb" => "application/x-protobuf",
            "json" if signal != "headers" => "application/json",
            _ => continue,
        };
        let headers = fs::read(path.with_file_name(format!("{number}.headers.json"))).unwrap();
        let headers: serde_json::Value = serde_json::from_slice(&headers).unwrap();
        let encoding = headers["content-encoding"]
            .as_str()
            .unwrap_or("identity")
            .to_owned();
        let body = fs::read(&path).unwrap();
        found.push(Recorded {
            path: format!("/v1/{signal}"),
            content_type,
            encoding,
            body,
        });
    }
}

#[tokio::test]
async fn every_recorded_request_is_accepted_and_every_span_is_durable() {
    let sqlite = sqlite().await;
    let mut requests = Vec::new();
    recorded(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus"),
        &mut requests,
    );
    assert!(requests.len() > 400);
    let (traces, others): (Vec<_>, Vec<_>) = requests
        .into_iter()
        .partition(|request| request.path == "/v1/traces");
    sqlite.send(traces).await;
    let received = sqlite.rig.metric("costflame_spans_received_total");
    assert!(received > 1000);
    let committed = || sqlite.rig.metric("costflame_spans_committed_total");
    assert_eq!(committed(), received);
    sqlite.send(others).await;
    assert!(committed() > received, "calls of log records");
}

impl Sqlite {
    async fn send(&self, requests: Vec<Recorded>) {
        let client = Client::new();
        for request in requests {
            let Recorded {
                path,
                content_type,
                encoding,
                body,
            } = request;
            let request = client
                .post(self.rig.url(&path))
                .header("content-type", content_type)
                .header("content-encoding", encoding);
            let response = request.body(body).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path} {content_type}");
        }
    }
}
