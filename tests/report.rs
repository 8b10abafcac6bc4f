//! Scenario: what was spent grows from one week to the next; an engineer looks in a terminal, CI looks by exit code.
//! Guarantee: report and diff show the API's figures, `--fail-above` exits with 2 exactly when the cost grew by more.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Addresses, Server, costflame, output, wait_until};

const WEEK: [&str; 4] = [
    "--from",
    "2026-11-15T00:00:00Z",
    "--to",
    "2026-11-22T00:00:00Z",
];

/// A line of the Collector's JSON format: one call of gpt-4o on a day of November 2026.
fn line(number: u8, seconds: u64, model: &str) -> String {
    let (trace_id, span_id) = (
        format!("{number:02x}").repeat(16),
        format!("{number:02x}").repeat(8),
    );
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{value}}}"#);
    let attributes = [
        attribute("gen_ai.operation.name", r#"{"stringValue":"chat"}"#),
        attribute("gen_ai.provider.name", r#"{"stringValue":"openai"}"#),
        attribute(
            "gen_ai.request.model",
            &format!(r#"{{"stringValue":"{model}"}}"#),
        ),
        attribute("gen_ai.usage.input_tokens", r#"{"intValue":"1000"}"#),
        attribute("gen_ai.usage.output_tokens", r#"{"intValue":"100"}"#),
    ];
    let span = format!(
        r#"{{"traceId":"{trace_id}","spanId":"{span_id}","name":"chat","kind":3,"startTimeUnixNano":"{seconds}000000000","endTimeUnixNano":"{seconds}500000000","attributes":[{}]}}"#,
        attributes.join(",")
    );
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#)
}

fn run(folder: &Path, server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    output(
        costflame(folder)
            .args(arguments)
            .args(["--url", &server.api])
            .args(WEEK),
    )
}

fn json(folder: &Path, server: &Server, command: &str) -> Value {
    let (code, said, error) = run(folder, server, &[command, "--json"]);
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&said).expect("JSON")
}

#[test]
fn a_week_is_reported_and_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("c.db").display());
    let server = Server::start_with(
        folder.path(),
        &url,
        &Addresses::free(),
        &["--settle-after", "0s"],
    );
    // 2026-11-10 once, 2026-11-16 twice: $0.0035 each.
    let lines = [
        line(1, 1_794_268_800, "gpt-4o"),
        line(2, 1_794_787_200, "gpt-4o"),
        line(3, 1_794_787_201, "gpt-4o"),
    ];
    std::fs::write(folder.path().join("calls.json"), lines.join("\n")).expect("writable");
    let (code, _, said) =
        output(costflame(folder.path()).args(["import", "--endpoint", &server.http, "calls.json"]));
    assert_eq!(code, Some(0), "{said}");
    let report = wait_until("both calls are settled", || {
        let report = json(folder.path(), &server, "report");
        (report["summary"]["calls"] == 2).then_some(report)
    });
    assert_eq!(report["summary"]["cost_usd"], "0.007");
    assert_eq!(report["breakdowns"][0]["rows"][0]["value"], "gpt-4o");
    let total = wait_until("the week before is settled", || {
        let total = json(folder.path(), &server, "diff")["total"].clone();
        (total["base_calls"] == 1).then_some(total)
    });
    assert_eq!(
        (&total["base_cost_usd"], &total["change_usd"]),
        (&"0.0035".into(), &"0.0035".into())
    );

    let (_, shown, _) = run(folder.path(), &server, &["report", "--by", "model"]);
    assert!(
        shown.contains("$0.0070") && shown.contains("gpt-4o"),
        "{shown}"
    );
    let (code, shown, _) = run(
        folder.path(),
        &server,
        &["diff", "--by", "model", "--fail-above", "99%"],
    );
    assert!(code == Some(2) && shown.contains("+100.0 %"), "{shown}");
    let (code, ..) = run(folder.path(), &server, &["diff", "--fail-above", "100%"]);
    assert_eq!(code, Some(0));
    let (code, ..) = run(
        folder.path(),
        &server,
        &["diff", "--filter", "model=none", "--fail-above", "0"],
    );
    assert_eq!(code, Some(0), "nothing has not grown");

    let (code, _, error) = run(
        folder.path(),
        &server,
        &["report", "--filter", "modle=gpt-4o"],
    );
    assert!(code == Some(1) && error.contains("modle"), "{error}");
    let (code, _, error) = run(folder.path(), &server, &["report", "--by", "moon"]);
    assert!(
        code == Some(1) && error.contains("by: It must be one of"),
        "{error}"
    );
    let api = server.api.clone();
    assert!(server.terminate().success());
    let (code, _, error) = output(costflame(folder.path()).args(["report", "--url", &api]));
    assert!(
        code == Some(1) && error.contains("is it running?"),
        "{error}"
    );
}
