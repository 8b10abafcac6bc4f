//! Scenario: a Python program with the real OpenTelemetry SDK, exporter and OpenAI instrumentation.
//! Guarantee: its spans land, over gRPC and over HTTP, compressed, with exactly the tokens that were billed.

mod support;

use std::{path::Path, process::Command};

use costflame_pricing::TokenClass;
use costflame_profile::{Role, TraceId};
use costflame_store::{Options, Store, TraceKey};
use support::{Server, output};

/// The Python that `cargo xtask test` has prepared.
fn python() -> String {
    std::env::var("TEST_PYTHON").expect("TEST_PYTHON names a Python with tests/python/requirements.txt installed; `cargo xtask test` sets it")
}

fn trace_id(hex: &str) -> TraceId {
    let byte = |place: usize| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).expect("hex");
    TraceId(std::array::from_fn(byte))
}

async fn lands(protocol: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let server = Server::start(folder.path(), &url);
    let endpoint = if protocol == "grpc" {
        &server.grpc
    } else {
        &server.http
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/agent.py");
    let (code, out, err) = output(
        Command::new(python())
            .arg(script)
            .arg(protocol)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    );
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert_eq!(server.terminate().code(), Some(0));

    let sent: serde_json::Value =
        serde_json::from_str(out.lines().last().expect("one line")).expect("JSON");
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("the database opens");
    let rows = store
        .landed(TraceKey {
            project: 1,
            trace_id: trace_id(sent["trace_id"].as_str().expect("text")),
        })
        .await
        .expect("readable");
    let services: std::collections::BTreeSet<_> = rows
        .iter()
        .map(|row| row.span.service.to_string())
        .collect();
    assert_eq!(services.into_iter().collect::<Vec<_>>(), ["agent", "front"]);
    let mut landed: Vec<_> = rows
        .iter()
        .filter(|row| row.span.role == Role::Call)
        .map(|row| {
            let call = row.span.call.as_ref().expect("a call");
            let receipt = row.receipt.as_ref().expect("a receipt");
            let tokens = (
                receipt.usage.get(TokenClass::Input),
                receipt.usage.get(TokenClass::Output),
            );
            (
                call.response_id.as_deref().expect("an id").to_owned(),
                tokens,
                receipt.cost,
            )
        })
        .collect();
    landed.sort();
    assert_eq!(
        landed.len(),
        sent["calls"].as_array().expect("a list").len()
    );
    let mut billed = sent["calls"].as_array().expect("a list").clone();
    billed.sort_by_key(|call| call["response_id"].as_str().map(str::to_owned));
    for (call, (response_id, (input, output), cost)) in billed.iter().zip(landed) {
        assert_eq!(call["response_id"], response_id.as_str());
        assert_eq!(
            (call["input"].as_u64(), call["output"].as_u64()),
            (Some(input), Some(output))
        );
        // gpt-4o-2024-08-06: 2.50 and 10 dollars per million, in pico-dollars per token.
        let expected = i64::try_from(input * 2_500_000 + output * 10_000_000).expect("small");
        assert_eq!(cost.expect("priced").0, expected);
    }
}

#[tokio::test]
async fn over_grpc_compressed() {
    lands("grpc").await;
}

#[tokio::test]
async fn over_http_compressed() {
    lands("http/protobuf").await;
}
