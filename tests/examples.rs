//! Scenario: each example program runs against the real binary and a provider that keeps what it has billed.
//! Guarantee: the calls in the API are those answers, to the token and the pico-dollar, and hang on the tree the program
//! made.

mod support;

use std::{path::PathBuf, process::Command, sync::LazyLock};

use costflame_examples::{Answer, MockProvider};
use serde_json::{Value, json};
use support::{
    Server,
    api::{ALL_TIME, drawn, get, settled_calls},
};

/// Where the examples were built. `cargo test --test NAME` does not build them by itself.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--examples"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.expect("cargo runs").success());
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_costflame"));
    binary.with_file_name("examples")
});

/// What came of one run.
struct Run {
    calls: Vec<Value>,
    /// One line a span, indented by its depth: service, frame label, and of calls the model and the cost.
    trees: Vec<String>,
    by_feature: Value,
    answers: Vec<Answer>,
    told: String,
}

async fn run(program: &str) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let addresses = support::Addresses::free();
    let server = Server::start_with(
        folder.path(),
        "sqlite://c.db",
        &addresses,
        &["--settle-after", "100ms"],
    );
    let provider = MockProvider::start().await.expect("a free port");
    let mut command = Command::new(PROGRAMS.join(program));
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &server.http)
        .env_remove("OTEL_SERVICE_NAME")
        .envs([provider.environment()]);
    let ended = tokio::task::spawn_blocking(move || support::output(&mut command));
    let (code, told, errors) = ended.await.expect("joined");
    assert_eq!(code, Some(0), "{told}\n{errors}");
    let answers = provider.answers();
    let calls = settled_calls(&server, answers.len()).await;
    let by_feature = get(&server, &format!("breakdown?by=feature&{ALL_TIME}")).await;
    let traces = get(&server, &format!("traces?order=asc&{ALL_TIME}")).await;
    let mut trees = Vec::new();
    for trace in traces["traces"].as_array().expect("traces") {
        let id = trace["trace_id"].as_str().expect("an id");
        trees.push(drawn(&get(&server, &format!("traces/{id}")).await));
    }
    Run {
        calls,
        trees,
        by_feature,
        answers,
        told,
    }
}

/// Pico-dollars a token: fresh input, cache reads, output.
fn rates(model: &str) -> [u64; 3] {
    match model {
        "gpt-4o-mini" => [150_000, 75_000, 600_000],
        "claude-sonnet-4-5" => [3_000_000, 300_000, 15_000_000],
        "text-embedding-3-small" => [20_000, 0, 0],
        other => panic!("no price of {other}"),
    }
}

fn cost(answer: &Answer) -> u64 {
    let [input, cache_read, output] = rates(&answer.model);
    answer.input * input + answer.cache_read * cache_read + answer.output * output
}

fn dollars(pico: u64) -> String {
    let text = format!(
        "{}.{:012}",
        pico / 1_000_000_000_000,
        pico % 1_000_000_000_000
    );
    text.trim_end_matches('0').to_owned()
}

impl Run {
    /// Every answer is a call with its id, model, tokens and cost, and there is no other.
    fn is_billed(&self) {
        let mut billed: Vec<Value> = self.answers.iter().map(expected).collect();
        let keys = ["response_id", "model", "tokens", "cost_usd"];
        let part = |call: &Value| {
            assert_eq!(call["counted"], true, "{call:#}");
            assert_eq!(call["flags"], json!([]), "{call:#}");
            keys.iter().map(|key| (*key, call[*key].clone())).collect()
        };
        let mut seen: Vec<Value> = self.calls.iter().map(part).collect();
        billed.sort_by_key(Value::to_string);
        seen.sort_by_key(Value::to_string);
        assert_eq!(seen, billed);
        assert!(self.told.contains("http://127.0.0.1:4319"), "{}", self.told);
    }

    /// What a feature cost, by the API; and by the answers, if all of them are its.
    fn feature(&self, name: &str) -> String {
        let rows = self.by_feature["rows"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["value"] == name);
        let row = row.unwrap_or_else(|| panic!("{name} in {rows:#?}"));
        row["cost_usd"].as_str().expect("a price").to_owned()
    }

    fn total(&self) -> String {
        dollars(self.answers.iter().map(cost).sum())
    }
}

fn expected(answer: &Answer) -> Value {
    let mut tokens = json!({});
    for (class, count) in [
        ("input", answer.input),
        ("cache_read", answer.cache_read),
        ("cache_write", answer.cache_write),
        ("output", answer.output),
    ] {
        if count > 0 {
            tokens[class] = count.into();
        }
    }
    json!({
        "response_id": answer.id, "model": answer.model, "tokens": tokens,
        "cost_usd": dollars(cost(answer)),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_service_streams_from_two_providers() {
    let run = run("chat_service").await;
    run.is_billed();
    insta::assert_snapshot!(run.trees.concat());
    assert_eq!(run.feature("chat"), run.total());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_and_its_tool_are_one_trace_over_two_services() {
    let run = run("agent").await;
    run.is_billed();
    assert_eq!(run.trees.len(), 1);
    insta::assert_snapshot!(run.trees.concat());
    assert_eq!(run.feature("research"), run.total());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_indexer_measures_by_hand() {
    let run = run("rag_indexer").await;
    run.is_billed();
    insta::assert_snapshot!(run.trees.concat());
    let indexed = run.answers.iter().take(3).map(cost).sum();
    assert_eq!(run.feature("indexing"), dollars(indexed));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_batch_job_keeps_parallel_paths_apart() {
    let run = run("batch_job").await;
    run.is_billed();
    assert!(run.answers.iter().all(|answer| answer.cache_read > 0));
    insta::assert_snapshot!(run.trees.concat());
    assert_eq!(run.feature("digest"), run.total());
}

/// What the documentation says to type.
#[test]
fn cargo_finds_the_examples_from_the_root() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--example"]);
    let (_, _, told) = support::output(command.current_dir(env!("CARGO_MANIFEST_DIR")));
    for name in ["agent", "batch_job", "chat_service", "rag_indexer"] {
        assert!(told.contains(name), "{name} in {told}");
    }
}
