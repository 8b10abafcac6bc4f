//! Every recorded scenario from its bytes to the calls that count, held against what the providers billed.
//!
//! What falls short is listed in `tests/corpus/shortfalls.txt`, scenario by scenario with the reason, and summed up by
//! library in `docs/compatibility.md`. Better or worse, both change only by `BLESS=1 cargo test -p costflame-collector
//! --test corpus`.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod judge;
mod page;
mod replay;
mod truth;

use std::{fs, path::Path};

use costflame_pricing::{Flag, Usage};
use costflame_profile::Rule;
use judge::{Judged, comparable};
use replay::{Order, Replayed};
use truth::Scenario;

const SHORTFALLS: &str = "../tests/corpus/shortfalls.txt";
const PAGE: &str = "../docs/compatibility.md";

#[tokio::test]
async fn every_true_call_counts_once_at_its_price() {
    let scenarios = Scenario::all();
    assert!(scenarios.len() > 150, "the corpus is there");
    let replayed = replay::all(&scenarios, Order::AsRecorded).await;
    let judged: Vec<Judged> = scenarios
        .iter()
        .zip(&replayed)
        .map(|(scenario, replayed)| judge::judge(scenario, replayed))
        .collect();
    let twice = judged.iter().map(|judged| judged.twice).sum::<usize>();
    assert_eq!(twice, 0, "calls counted twice");
    let shortfalls = page::shortfalls(&judged);
    let page = page::compatibility(&scenarios, &judged);
    compare(SHORTFALLS, &shortfalls);
    compare(PAGE, &page);
}

#[tokio::test]
async fn the_order_of_arrival_changes_nothing() {
    let scenarios = Scenario::all();
    let (forth, back) = tokio::join!(
        replay::all(&scenarios, Order::AsRecorded),
        replay::all(&scenarios, Order::Backwards)
    );
    for (scenario, (forth, back)) in scenarios.iter().zip(forth.iter().zip(&back)) {
        let calls = |replayed: &Replayed| -> Vec<_> {
            let facts = replayed.calls.iter().map(|call| {
                let key = (call.key.trace.trace_id, call.key.span_id);
                (key, call.why(), call.call.cost, call.path)
            });
            facts.collect()
        };
        assert_eq!(calls(forth), calls(back), "{}", scenario.name);
    }
}

#[tokio::test]
async fn coding_agents_are_read_from_their_logs_alone() {
    let mut agents = Scenario::all();
    agents.retain(|scenario| {
        ["claude-code", "codex", "gemini-cli"].contains(&scenario.library.as_str())
    });
    let replayed = replay::all(&agents, Order::LogsAlone).await;
    for (scenario, replayed) in agents.iter().zip(&replayed) {
        let judged = judge::judge(scenario, replayed);
        assert!(
            judged.is_perfect() && judged.found == judged.calls,
            "{}: {:?}",
            judged.name,
            judged.reasons
        );
        let sessions = replayed
            .calls
            .iter()
            .all(|call| call.attribution.session.is_some());
        assert!(sessions, "{}: every call has its session", scenario.name);
    }
}

#[tokio::test]
async fn coding_agents_are_read_from_their_metrics_alone() {
    let mut agents = Scenario::all();
    agents.retain(|scenario| ["claude-code", "gemini-cli"].contains(&scenario.library.as_str()));
    agents.retain(|scenario| !scenario.bodies("metrics").is_empty());
    assert!(agents.len() > 5, "the corpus is there");
    let replayed = replay::all(&agents, Order::MetricsAlone).await;
    for (scenario, replayed) in agents.iter().zip(&replayed) {
        let name = &scenario.name;
        let counted = || replayed.calls.iter().filter(|call| call.why().is_none());
        let said = counted().map(|call| call.call.usage);
        let billed = scenario.billed().into_iter().map(|call| call.usage());
        let sum = |usages: Vec<Usage>| usages.iter().fold(Usage::default(), |a, b| a.plus(b));
        assert_eq!(
            comparable(&sum(said.collect())),
            comparable(&sum(billed.collect())),
            "{name}"
        );
        for call in &replayed.calls {
            assert!(call.flags.contains(Flag::FromMetrics), "{name}");
            assert!(call.attribution.session.is_some(), "{name}");
        }
    }
}

#[tokio::test]
async fn what_metrics_sum_never_counts_beside_its_calls() {
    let mut agents = Scenario::all();
    agents.retain(|scenario| ["claude-code", "gemini-cli"].contains(&scenario.library.as_str()));
    for order in [Order::AsRecorded, Order::Backwards] {
        let replayed = replay::all(&agents, order).await;
        let sums = || {
            let calls = replayed.iter().flat_map(|replayed| &replayed.calls);
            calls.filter(|call| call.flags.contains(Flag::FromMetrics))
        };
        assert!(sums().count() > 5, "there are sums");
        for sum in sums() {
            let why = sum.why().map(|(rule, _)| rule);
            assert_eq!(why, Some(Rule::ToldByCalls), "{:?}", sum.key);
        }
    }
}

/// Fails unless a file says what is true now, or writes it.
fn compare(file: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let is_in = |line: &&str, text: &str| text.lines().any(|other| other == *line);
    let gone = known.lines().filter(|line| !is_in(line, now));
    let new = now.lines().filter(|line| !is_in(line, &known));
    let changes: Vec<String> = gone
        .map(|line| format!("- {line}"))
        .chain(new.map(|line| format!("+ {line}")))
        .collect();
    assert!(
        known == now,
        "{file} is old, BLESS=1 writes it:\n{}",
        changes.join("\n")
    );
}
