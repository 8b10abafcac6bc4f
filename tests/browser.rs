//! Scenario: a month of traffic and recorded telemetry, and somebody opens the pages in Chromium; two collectors share one
//! Postgres, and a page moves from one to the other.
//! Guarantee: what the pages show is what the API says; hostile names, a lost database and 20,000 frames do no harm; the
//! feed of what settles has no gap.

mod support;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use costflame_store::testing::Postgres;
use support::{Addresses, Server, costflame, provider::Provider};

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

/// A trace of which a sampler kept one of four.
fn sampled() -> serde_json::Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let end = now.expect("after 1970").as_nanos();
    let text =
        |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
    let count =
        |key: &str, value: u32| serde_json::json!({"key": key, "value": {"intValue": value}});
    serde_json::json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "sampled-shop")]},
        "scopeSpans": [{"scope": {"name": "app"}, "spans": [{
            "traceId": "5a3e1ed0000000000000000000000001", "spanId": "5a3e1ed000000001", "traceState": "ot=th:c",
            "name": "chat gpt-4o", "kind": 3,
            "startTimeUnixNano": (end - 1_000_000_000).to_string(), "endTimeUnixNano": end.to_string(),
            "attributes": [
                text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-4o"), count("gen_ai.usage.input_tokens", 100_000),
                count("gen_ai.usage.output_tokens", 1_000),
            ],
        }]}],
    }]})
}

async fn pending(server: &Server) -> u64 {
    let answer = reqwest::get(format!("{}/api/v1/summary", server.api))
        .await
        .expect("it answers");
    let summary: serde_json::Value =
        serde_json::from_slice(&answer.bytes().await.expect("whole")).expect("JSON");
    summary["pending"]["traces"].as_u64().expect("a number")
}

/// A server that asks who it is, with an admin and a viewer, and a provider of more people on another site.
fn asking(folder: &Path) -> (Server, Provider) {
    let database = "sqlite://login.db";
    for (name, role, place) in [
        ("root", "admin", "--all-projects"),
        ("viewer", "viewer", "--project=default"),
    ] {
        let mut child = costflame(folder)
            .args(["user", "create", name, "--role", role, place])
            .args(["--database-url", database])
            .stdin(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = child.stdin.take().expect("piped");
        writeln!(stdin, "{name}'s password").expect("it reads");
        drop(stdin);
        assert!(child.wait().expect("ends").success());
    }
    let at = Addresses::free();
    let public = format!("http://{}", at.api);
    let provider = Provider::start("localhost", &public);
    let flags = [
        "--auth-required",
        // The specs log in more often than people do.
        "--login-limit=1000",
        "--public-url",
        &public,
        "--oidc-issuer",
        &provider.issuer,
        "--oidc-name=the House",
        "--oidc-client-id=costflame",
        "--oidc-client-secret=the client secret",
        "--oidc-scopes=profile groups",
        "--oidc-roles=search-team=viewer@default",
    ];
    let server = Server::start_with(folder, database, &at, &flags);
    (server, provider)
}

/// `BROWSER_SPECS=login` tries only the specs with such names.
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
    let request = client.post(format!("{}/v1/traces", server.http));
    let request = request.header("content-type", "application/json");
    let answer = request.body(sampled().to_string()).send();
    let answer = answer.await.expect("it answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    let demo = costflame(folder.path())
        .args(["demo", "--traces-per-day", "60", "--endpoint", &server.grpc])
        .status()
        .expect("starts");
    assert!(demo.success());
    while pending(&server).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (asking, _provider) = asking(folder.path());
    let specs = std::env::var("BROWSER_SPECS").unwrap_or_default();
    let postgres = Postgres::start();
    let shared = postgres.database().await;
    let one_of_two = || Server::start_with(folder.path(), &shared, &Addresses::free(), &flags);
    let [one, two] = [one_of_two(), one_of_two()];
    let pair = [&one.api, &one.http, &two.api, &two.http].map(String::as_str);
    let browsed = Command::new("npx")
        .args(["playwright", "test"])
        .args(specs.split_whitespace())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/web"))
        .env("COSTFLAME_URL", &server.api)
        .env("COSTFLAME_LOGIN_URL", &asking.api)
        .env("COSTFLAME_PAIR", pair.join(" "))
        .status()
        .expect("npx comes with Node");
    assert!(browsed.success(), "the browser tests failed");
}
