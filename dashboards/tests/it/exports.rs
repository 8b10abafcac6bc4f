//! Exports hold what the API answers, in formats that their readers accept.

use std::process::Command;

use serde_json::Value;

use super::{
    golden,
    laws::usd,
    support::{Api, both},
    traffic::{land_and_settle, traffic},
};

const DAY: &str = "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z";
const ALL: &str = "from=2026-11-01T00:00:00Z&to=2026-12-30T00:00:00Z";

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    let line = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(line).collect()
}

#[tokio::test]
async fn files_stay_as_they_are() {
    let [sqlite, postgres] = both().await;
    for api in [&sqlite, &postgres] {
        land_and_settle(&api.store, &golden::rows()).await;
    }
    for (name, path) in [
        ("calls.csv", "/calls/export?format=csv"),
        ("calls.jsonl", "/calls/export?format=jsonl"),
        ("traces.csv", "/traces/export?format=csv"),
        ("breakdown.csv", "/breakdown/export?by=model&format=csv"),
        ("focus.csv", "/focus?format=csv"),
        ("folded", "/flamegraph/export?format=folded"),
        (
            "speedscope",
            "/flamegraph/export?format=speedscope&metric=tokens",
        ),
    ] {
        let path = format!("{path}&{DAY}");
        let body = sqlite.file(&path).await;
        assert_eq!(body, postgres.file(&path).await, "{name}");
        let text = String::from_utf8(body).unwrap();
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(format!("export_{name}"), text);
    }
    let picture = sqlite
        .file(&format!("/flamegraph/export?format=svg&{DAY}"))
        .await;
    let picture = String::from_utf8(picture).unwrap();
    assert!(picture.starts_with("<?xml") && picture.contains("shop: POST /chat"));
}

#[tokio::test]
async fn bad_requests_say_what_is_missing() {
    let [sqlite, _] = both().await;
    for (path, field) in [
        ("/calls/export", "format"),
        ("/calls/export?format=xml", "format"),
        ("/flamegraph/export?format=pdf", "format"),
        ("/breakdown/export?format=csv", "by"),
        ("/focus?format=csv&limit=1", "limit"),
    ] {
        let (status, body) = sqlite.ask(path).await;
        assert_eq!(
            (status.as_u16(), &body["error"]["field"]),
            (400, &Value::from(field)),
            "{path}"
        );
    }
    let (status, _) = sqlite.ask("/flamegraph/export?format=svg").await;
    assert_eq!(status.as_u16(), 404);
}

#[tokio::test]
async fn every_export_adds_up_to_the_summary() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(7, 400)).await;
        let summary = api.get(&format!("/summary?{ALL}")).await;
        let cost = usd(&summary["cost_usd"]);

        let calls = lines(&api.file(&format!("/calls/export?format=jsonl&{ALL}")).await);
        assert!(calls.len() > 1_000, "more than a page");
        let counted = calls.iter().filter(|call| call["counted"] == true);
        let priced = counted.clone().filter(|call| !call["cost_usd"].is_null());
        assert_eq!(
            priced.map(|call| usd(&call["cost_usd"])).sum::<i128>(),
            cost
        );
        assert_eq!(counted.count() as u64, summary["calls"]);

        let charges = lines(&api.file(&format!("/focus?format=jsonl&{ALL}")).await);
        let billed = charges.iter().map(|charge| usd(&charge["BilledCost"]));
        assert_eq!(billed.sum::<i128>(), cost);

        let rows = lines(
            &api.file(&format!("/breakdown/export?by=user&format=jsonl&{ALL}"))
                .await,
        );
        assert_eq!(
            rows.iter().map(|row| usd(&row["cost_usd"])).sum::<i128>(),
            cost
        );

        let traces = lines(
            &api.file(&format!("/traces/export?format=jsonl&{ALL}"))
                .await,
        );
        let with_calls = traces.iter().filter(|trace| trace["calls"] != 0);
        assert_eq!(with_calls.count() as u64, summary["traces"]);

        let folded = api
            .file(&format!("/flamegraph/export?format=folded&{ALL}"))
            .await;
        let folded = String::from_utf8(folded).unwrap();
        let own = folded
            .lines()
            .map(|line| line.rsplit(' ').next().unwrap().parse::<i128>().unwrap());
        assert_eq!(own.sum::<i128>(), cost);
    }
}

/// `pprof -top -unit=… -sample_index=cost` of an export.
fn pprof(file: &std::path::Path, arguments: &[&str]) -> String {
    let go = std::env::var_os("TEST_GO").unwrap_or_else(|| "go".into());
    let output = Command::new(&go)
        .args([
            "tool",
            "pprof",
            "-nodecount=100000",
            "-nodefraction=0",
            "-edgefraction=0",
        ])
        .args(arguments)
        .arg(file)
        .output()
        .expect("Go is installed and on the PATH, or TEST_GO names it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

async fn opened_by_pprof(api: &Api, metric: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("costflame.pb.gz");
    let path = format!("/flamegraph/export?format=pprof&metric={metric}&{ALL}");
    std::fs::write(&file, api.file(&path).await).unwrap();
    let graph = api
        .get(&format!(
            "/flamegraph?max_nodes=50000&metric={metric}&{ALL}"
        ))
        .await;
    let frames = graph["frames"].as_array().unwrap();
    let total: i128 = graph["total"].as_str().unwrap().parse().unwrap();

    let raw = pprof(&file, &["-raw"]);
    assert!(raw.contains(&format!("{metric}/")), "{raw}");
    let unit = format!("-unit={}", raw_unit(&raw, metric));
    let top = pprof(&file, &["-top", &unit]);
    assert!(
        top.contains(&format!("of {total}")),
        "{metric} {total}: {top}"
    );
    // Frames of one name are one line of pprof; those that occur once must have the API's self and total.
    let mut checked = 0;
    for frame in frames {
        let name = name_of(frame);
        let alone = frames.iter().filter(|other| name_of(other) == name).count() == 1;
        let plain = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " :/-_.{}".contains(c));
        if !alone || !plain {
            continue;
        }
        let line = top
            .lines()
            .find(|line| line.ends_with(&format!("  {name}")));
        let line = line.unwrap_or_else(|| panic!("no line of {name}: {top}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            (digits(words[0]), digits(words[3])),
            (
                frame["self"].as_str().unwrap(),
                frame["total"].as_str().unwrap()
            ),
            "{line}"
        );
        checked += 1;
    }
    assert!(checked > 3, "{checked} frames compared: {top}");
    let tree = pprof(&file, &["-tree", &unit]);
    assert!(tree.contains(&format!("of {total}")), "{tree}");
}

/// The unit that a metric's values have in the file.
fn raw_unit<'a>(raw: &'a str, metric: &str) -> &'a str {
    let types = raw.lines().find(|line| line.contains("cost/")).unwrap();
    let found = types
        .split_whitespace()
        .find_map(|word| word.strip_prefix(&format!("{metric}/")));
    found.unwrap().trim_end_matches("[dflt]")
}

/// A figure of pprof without its unit.
fn digits(word: &str) -> &str {
    word.trim_end_matches(|c: char| c.is_ascii_alphabetic())
}

fn name_of(frame: &Value) -> String {
    let (service, label) = (
        frame["service"].as_str().unwrap(),
        frame["label"].as_str().unwrap(),
    );
    if service.is_empty() {
        return label.to_owned();
    }
    format!("{service}: {label}")
}

#[tokio::test]
async fn pprof_reads_the_same_figures() {
    let [sqlite, _] = both().await;
    land_and_settle(&sqlite.store, &traffic(7, 90)).await;
    for metric in ["cost", "tokens", "calls", "duration"] {
        opened_by_pprof(&sqlite, metric).await;
    }
}
