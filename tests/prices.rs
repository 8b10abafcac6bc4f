//! Scenario: calls of a deployment that no price list knows; a user pastes the override that is suggested, fetches newer prices
//! into the database of a running server, and prices the past again.
//! Guarantee: each command does what it says, the figures follow, and what is not asked for stays.

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Server, costflame, output, wait_until};

const SETTLE: [&str; 2] = ["--settle-after", "100ms"];

fn run(folder: &Path, args: &[&str]) -> String {
    let (code, out, err) = output(costflame(folder).args(args));
    assert_eq!(code, Some(0), "{args:?}: {out}\n{err}");
    out
}

/// One call in a trace of its own.
fn span(trace: u8, model: &str, cost: Option<&str>) -> Value {
    let attribute = |key: &str, value: Value| json!({"key": key, "value": value});
    let mut attributes = vec![
        attribute("gen_ai.operation.name", json!({"stringValue": "chat"})),
        attribute(
            "gen_ai.provider.name",
            json!({"stringValue": "azure.ai.openai"}),
        ),
        attribute("gen_ai.request.model", json!({"stringValue": model})),
        attribute("gen_ai.usage.input_tokens", json!({"intValue": "1000000"})),
        attribute("gen_ai.usage.output_tokens", json!({"intValue": "1000000"})),
    ];
    if let Some(cost) = cost {
        attributes.push(attribute("gen_ai.usage.cost", json!({"stringValue": cost})));
    }
    json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "lib"}, "spans": [{
        "traceId": format!("{trace:02x}").repeat(16), "spanId": format!("{trace:02x}").repeat(8), "name": "chat", "kind": 3,
        "startTimeUnixNano": "1795388725000000000", "endTimeUnixNano": "1795388726000000000", "attributes": attributes,
    }]}]}]})
}

async fn send(server: &Server, body: &Value) {
    let client = reqwest::Client::new();
    let request = client
        .post(format!("{}/v1/traces", server.http))
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success());
}

async fn ask(server: &Server, path: &str) -> Value {
    let url = format!(
        "{}/api/v1/{path}from=2026-11-22T00:00:00Z&to=2026-11-25T00:00:00Z",
        server.api
    );
    let text = reqwest::get(url)
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    serde_json::from_str(&text).expect("JSON")
}

/// The summary once so many calls are settled.
async fn settled(server: &Server, calls: u64) -> Value {
    let ends = std::time::Instant::now() + support::PATIENCE;
    loop {
        let summary = ask(server, "summary?").await;
        if summary["calls"] == calls && summary["pending"]["traces"] == 0 {
            return summary;
        }
        assert!(std::time::Instant::now() < ends, "{summary}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_deployment_gets_its_price() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = support::Addresses::free();
    let server = Server::start_with(folder.path(), "sqlite://c.db", &at, &SETTLE);
    send(&server, &span(1, "my-prod \"4o\"", None)).await;
    send(&server, &span(2, "gpt-4o", Some("99"))).await;
    let before = settled(&server, 2).await;
    assert_eq!(
        (&before["cost_usd"], &before["unpriced"]["calls"]),
        (&json!("12.5"), &json!(1))
    );

    let db = ["--database-url", "sqlite://c.db"];
    let range = ["--from", "2026-11-22", "--to", "2026-11-25"];
    let list = |what| {
        run(
            folder.path(),
            &[&["prices", what], &db[..], &range[..]].concat(),
        )
    };
    let unpriced = list("unpriced");
    assert!(unpriced.contains("unknown_model"), "{unpriced}");
    let differences = list("differences");
    assert!(
        differences.contains("12.5") && differences.contains("99"),
        "{differences}"
    );
    let listed = ask(&server, "models?").await;
    assert_eq!(listed["unpriced"][0]["reason"], "unknown_model");
    assert_eq!(listed["differences"][0]["reported_usd"], "99");

    // What the list suggests is pasted as it is.
    let at_entry = unpriced.find("[[override]]").expect("a suggestion");
    assert_eq!(
        listed["unpriced"][0]["override"].as_str(),
        Some(&unpriced[at_entry..])
    );
    std::fs::write(folder.path().join("own.toml"), &unpriced[at_entry..]).expect("writable");
    let own = ["--price-overrides", "own.toml"];
    let dry = run(
        folder.path(),
        &[&["reprice", "--dry-run"], &db[..], &range[..], &own[..]].concat(),
    );
    assert!(
        dry.contains("1 unpriced before, 0 after") && dry.contains("nothing is changed"),
        "{dry}"
    );
    assert_eq!(settled(&server, 2).await, before);
    let done = run(
        folder.path(),
        &[&["reprice"], &db[..], &range[..], &own[..]].concat(),
    );
    assert!(
        done.contains("1 of 2 calls have another receipt now"),
        "{done}"
    );
    let after = settled(&server, 2).await;
    assert_eq!(
        (&after["cost_usd"], &after["unpriced"]["calls"]),
        (&json!("14.5"), &json!(0))
    );

    // Reported costs count when told so, and no more when told otherwise.
    let reported = ["--cost-source", "reported"];
    run(
        folder.path(),
        &[&["reprice"], &db[..], &range[..], &own[..], &reported[..]].concat(),
    );
    assert_eq!(settled(&server, 2).await["cost_usd"], "101");
    assert!(
        list("differences").contains("12.5"),
        "the computed cost is still known"
    );
    run(
        folder.path(),
        &[&["reprice"], &db[..], &range[..], &own[..]].concat(),
    );
    assert_eq!(settled(&server, 2).await["cost_usd"], "14.5");
    assert!(
        run(
            folder.path(),
            &["db", "verify", "--database-url", "sqlite://c.db"]
        )
        .contains("no difference")
    );
    assert_eq!(server.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_takes_fetched_prices_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = support::Addresses::free();
    std::fs::write(
        folder.path().join("costflame.toml"),
        "database_url = \"sqlite://c.db\"\nsettle_after = \"100ms\"\n",
    )
    .expect("writable");
    let server = Server::start_with(folder.path(), "sqlite://c.db", &at, &SETTLE);
    send(&server, &span(1, "acme-large", None)).await;
    assert_eq!(settled(&server, 1).await["cost_usd"], "0");

    let map = r#"{"azure/acme-large": {"litellm_provider": "azure", "input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06}}"#;
    std::fs::write(folder.path().join("map.json"), map).expect("writable");
    // The configuration file names the database for every command.
    let update = ["prices", "update", "--litellm", "--from", "map.json"];
    let said = run(folder.path(), &update);
    assert!(said.contains("+ azure azure/acme-large: input 3"), "{said}");
    let shown = run(
        folder.path(),
        &["prices", "show", "acme-large", "--provider", "azure"],
    );
    assert!(shown.contains("input              3\n"), "{shown}");

    let hangup = std::process::Command::new("kill")
        .args(["-HUP", &server.id().to_string()])
        .status();
    assert!(hangup.expect("kill runs").success());
    let log = folder.path().join("log");
    wait_until("the server has other prices", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains("new calls are priced").then_some(())
    });
    send(&server, &span(2, "acme-large", None)).await;
    let after = settled(&server, 2).await;
    assert_eq!(
        (&after["cost_usd"], &after["unpriced"]["calls"]),
        (&json!("7"), &json!(1))
    );

    let (code, _, said) =
        output(costflame(folder.path()).args(["prices", "update", "--from", "map.json"]));
    assert!(
        code == Some(1) && said.contains("map.json is refused"),
        "{said}"
    );
    assert_eq!(server.terminate().code(), Some(0));
}
