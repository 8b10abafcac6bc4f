//! Scenario: a month of traffic and recorded telemetry, and somebody opens the pages in Chromium.
//! Guarantee: what the pages show is what the API says; hostile names, a lost database and 20,000 frames do no harm.

mod support;

use std::{path::Path, process::Command};

use support::{Addresses, Server, costflame};

const RECORDED: [&str; 4] = [
    "otel-genai-two-services",
    "openinference-two-services",
    "traceloop-sdk",
    "pydantic-ai",
];

/// Every recorded trace body of some libraries, as it was sent.
fn recorded() -> Vec<std::path::PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let folders = RECORDED
        .iter()
        .flat_map(|library| corpus.join(library).read_dir().expect("recorded"));
    let files = folders.flat_map(|folder| {
        folder
            .expect("readable")
            .path()
            .read_dir()
            .expect("recorded")
    });
    let mut bodies: Vec<_> = files
        .map(|file| file.expect("readable").path())
        .filter(|path| path.to_string_lossy().ends_with(".traces.pb"))
        .collect();
    bodies.sort();
    bodies
}

async fn pending(server: &Server) -> u64 {
    let answer = reqwest::get(format!("{}/api/v1/summary", server.api))
        .await
        .expect("it answers");
    let summary: serde_json::Value =
        serde_json::from_slice(&answer.bytes().await.expect("whole")).expect("JSON");
    summary["pending"]["traces"].as_u64().expect("a number")
}

#[tokio::test]
async fn the_pages_show_what_the_api_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags = ["--settle-after", "200ms"];
    let server = Server::start_with(folder.path(), "sqlite://c.db", &Addresses::free(), &flags);
    let client = reqwest::Client::new();
    for body in recorded() {
        let request = client.post(format!("{}/v1/traces", server.http));
        let request = request.header("content-type", "application/x-protobuf");
        let answer = request
            .body(std::fs::read(body).expect("readable"))
            .send()
            .await
            .expect("it answers");
        assert!(answer.status().is_success(), "{}", answer.status());
    }
    let demo = costflame(folder.path())
        .args(["demo", "--traces-per-day", "60", "--endpoint", &server.grpc])
        .status()
        .expect("starts");
    assert!(demo.success());
    while pending(&server).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let browsed = Command::new("npx")
        .args(["playwright", "test"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/web"))
        .env("COSTFLAME_URL", &server.api)
        .status()
        .expect("npx comes with Node");
    assert!(browsed.success(), "the browser tests failed");
}
