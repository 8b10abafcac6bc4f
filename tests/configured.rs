//! Scenario: the configurations under `examples/`, used as their READMEs say, against the real binary.
//! Guarantee: what they name exists: programs run and are billed exactly, endpoints of files take OTLP.

mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use costflame_bench::load::Body;
use costflame_examples::MockProvider;
use serde_json::{Value, json};
use support::{
    Server,
    api::{ALL_TIME, get, settled_calls, settled_summary},
};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(example(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn start(folder: &Path) -> Server {
    let addresses = support::Addresses::free();
    let flags = ["--settle-after", "100ms"];
    Server::start_with(folder, "sqlite://c.db", &addresses, &flags)
}

/// Runs a program that asks once; the call that is settled, and what its user cost.
async fn asked(mut command: Command) -> (Value, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path());
    let provider = MockProvider::start().await.expect("a free port");
    command
        .env("OTEL_SERVICE_NAME", "ask")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &server.http)
        .env("OPENAI_API_KEY", "none is needed")
        .env("OPENAI_BASE_URL", provider.url("/v1"));
    let ended = tokio::task::spawn_blocking(move || support::output(&mut command));
    let (code, told, errors) = ended.await.expect("joined");
    assert_eq!(code, Some(0), "{told}\n{errors}");
    assert!(told.contains("http://127.0.0.1:4319"), "{told}");

    let answers = provider.answers();
    assert_eq!(answers.len(), 1);
    let call = settled_calls(&server, 1).await.remove(0);
    assert_eq!(call["response_id"], json!(answers[0].id));
    assert_eq!(call["service"], "ask");
    assert_eq!(
        call["tokens"],
        json!({"input": answers[0].input, "output": answers[0].output})
    );
    let cost = answers[0].input * 150_000 + answers[0].output * 600_000;
    let cost = format!("0.{cost:012}").trim_end_matches('0').to_owned();
    assert_eq!(call["cost_usd"], cost);
    let by_user = get(&server, &format!("breakdown?by=user&{ALL_TIME}")).await;
    (call, by_user["rows"][0]["value"].clone())
}

/// The Python that `cargo xtask test` has prepared.
fn python(folder: &str) -> Command {
    let python = std::env::var("TEST_PYTHON").expect("TEST_PYTHON names a Python with tests/python/requirements.txt installed; `cargo xtask test` sets it");
    let mut command = Command::new(python);
    command.arg(example(folder).join("app.py"));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn python_with_opentelemetry() {
    let (_, user) = asked(python("python-opentelemetry")).await;
    assert_eq!(user, "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_with_openinference() {
    let (_, user) = asked(python("python-openinference")).await;
    assert_eq!(user, "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_with_openllmetry() {
    let (_, user) = asked(python("python-openllmetry")).await;
    assert_eq!(user, "ada");
}

/// `cargo xtask test` has installed its packages.
#[tokio::test(flavor = "multi_thread")]
async fn the_vercel_ai_sdk() {
    let mut node = Command::new("node");
    node.args(["--import", "./instrumentation.mjs", "app.mjs"])
        .current_dir(example("vercel-ai-sdk"));
    let (_, user) = asked(node).await;
    assert_eq!(user, "ada");
}

#[test]
fn what_the_python_examples_install_is_what_is_tested() {
    let tested = include_str!("python/requirements.txt");
    for folder in [
        "python-opentelemetry",
        "python-openinference",
        "python-openllmetry",
    ] {
        for line in read(&format!("{folder}/requirements.txt")).lines() {
            assert!(
                tested.lines().any(|known| known == line),
                "{line} of {folder}"
            );
        }
    }
}

/// An empty request of this signal is taken, as OTLP asks.
async fn takes(url: &str) {
    let empty = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/x-protobuf");
    let answer = empty.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
}

#[tokio::test]
async fn endpoints_of_the_coding_agents_are_costflames_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path());

    let claude: Value = serde_json::from_str(&read("claude-code/settings.json")).expect("JSON");
    let variable = |name: &str| {
        claude["env"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(variable("CLAUDE_CODE_ENABLE_TELEMETRY"), "1");
    assert_eq!(variable("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf");
    let base =
        variable("OTEL_EXPORTER_OTLP_ENDPOINT").replace("http://127.0.0.1:4318", &server.http);
    for signal in ["traces", "logs", "metrics"] {
        takes(&format!("{base}/v1/{signal}")).await;
    }

    let codex: toml::Value = toml::from_str(&read("codex/config.toml")).expect("TOML");
    for (exporter, signal) in [
        ("exporter", "logs"),
        ("trace_exporter", "traces"),
        ("metrics_exporter", "metrics"),
    ] {
        let endpoint = codex["otel"][exporter]["otlp-http"]["endpoint"]
            .as_str()
            .expect("a URL");
        assert!(endpoint.ends_with(signal), "{endpoint}");
        takes(&endpoint.replace("http://127.0.0.1:4318", &server.http)).await;
    }

    let gemini: Value = serde_json::from_str(&read("gemini-cli/settings.json")).expect("JSON");
    // gRPC, whose default port is the one `costflame` prints.
    assert_eq!(gemini["telemetry"]["otlpEndpoint"], "http://127.0.0.1:4317");
    assert_eq!(gemini["telemetry"]["otlpProtocol"], "grpc");
}

/// Another costflame stands for the Collector, which must be given the same calls.
#[tokio::test]
async fn what_is_received_goes_on_behind() {
    let (folder, behind) = (tempfile::tempdir(), tempfile::tempdir());
    let (folder, behind) = (folder.expect("a folder"), behind.expect("a folder"));
    let behind = start(behind.path());
    let table = read("collector-behind/costflame.toml");
    let table = table.replace("http://127.0.0.1:24317", &behind.grpc);
    assert!(table.contains(&behind.grpc), "{table}");
    std::fs::write(folder.path().join("costflame.toml"), table).expect("writable");
    let server = start(folder.path());
    let sent = reqwest::Client::new()
        .post(format!("{}/v1/traces", server.http))
        .header("content-type", "application/x-protobuf")
        .body(Body::new(7, 3, 1_795_388_725_000_000_000).stamped(1))
        .send();
    assert_eq!(sent.await.expect("an answer").status(), 200);
    let (here, there) = (
        settled_summary(&server).await,
        settled_summary(&behind).await,
    );
    for sum in ["calls", "cost_usd", "tokens"] {
        assert_eq!(there[sum], here[sum], "{sum}");
    }
}

/// Every component of a pipeline is configured, and every one that is configured is in a pipeline.
#[test]
fn pipelines_of_the_collectors_are_whole() {
    for path in [
        "collector-in-front/collector.yaml",
        "collector-behind/collector.yaml",
    ] {
        let text = read(path);
        let (components, service) = text.split_once("\nservice:\n").expect("a service");
        for section in ["receivers", "processors", "exporters", "extensions"] {
            let named: Vec<&str> = service
                .lines()
                .filter_map(|line| line.trim().strip_prefix(&format!("{section}: [")))
                .flat_map(|list| list.trim_end_matches(']').split(", "))
                .collect();
            let configured = keys_of(components, section);
            for name in &named {
                assert!(configured.contains(name), "{name} of {path}");
            }
            for name in configured {
                assert!(named.contains(&name), "{name} of {path} is not used");
            }
        }
    }
}

/// The keys one level below a section of a YAML file.
fn keys_of<'a>(text: &'a str, section: &str) -> Vec<&'a str> {
    let heading = format!("{section}:");
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(key, _)| key)
        .filter(|key| !key.starts_with('#'))
        .collect()
}
