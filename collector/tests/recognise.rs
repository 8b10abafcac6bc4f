//! Every recorded scenario through decode, recognise and price, held against what the providers billed.
//!
//! The snapshot has one line per scenario and one per call that is not as true as its telemetry allows, with the reason.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use costflame_collector::{decode, dialect::Lander};
use costflame_pricing::{Catalog, Counter, Normal, PriceRequest, Receipt, TokenClass, Usage, Usd};
use costflame_profile::{Role, Signal, Span};
use serde::Deserialize;

#[derive(Deserialize)]
struct Truth {
    calls: Vec<TrueCall>,
}

#[derive(Deserialize)]
struct TrueCall {
    provider: String,
    request_model: Option<String>,
    response_model: Option<String>,
    response_id: Option<String>,
    tokens: Option<BTreeMap<String, u64>>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    cost: Option<String>,
    cost_wire: Option<String>,
}

struct Landed {
    span: Span,
    receipt: Receipt,
    /// Every number written anywhere in the span's attributes.
    numbers: BTreeSet<u64>,
}

impl TrueCall {
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for (name, count) in self.tokens.iter().flatten() {
            let class = TokenClass::ALL
                .into_iter()
                .find(|class| class.name() == name);
            let counter = Counter::ALL
                .into_iter()
                .find(|counter| counter.name() == name);
            match (class, counter) {
                (Some(class), _) => usage.set(class, *count),
                (None, Some(counter)) => usage.counters[counter as usize] = *count,
                (None, None) => panic!("unknown class {name} in truth.json"),
            }
        }
        usage
    }
}

/// Lifetimes of cache writes and fees are not told apart: few conventions can.
fn comparable(usage: &Usage) -> [u64; TokenClass::ALL.len()] {
    let mut tokens = usage.tokens;
    tokens[TokenClass::CacheWrite as usize] += tokens[TokenClass::CacheWrite1h as usize];
    tokens[TokenClass::CacheWrite1h as usize] = 0;
    tokens
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")
}

fn scenarios() -> Vec<PathBuf> {
    let list = |folder: &Path| {
        let mut paths: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    };
    let libraries = list(&corpus()).into_iter().filter(|path| path.is_dir());
    libraries
        .flat_map(|library| list(&library))
        .filter(|path| path.join("truth.json").exists())
        .collect()
}

/// The recorded body of a request as protobuf.
fn body(path: &Path, limits: &decode::Limits) -> Vec<u8> {
    let body = fs::read(path).unwrap();
    let is_gzip = body.starts_with(&[0x1f, 0x8b]);
    let encoding = if is_gzip {
        decode::Encoding::Gzip
    } else {
        decode::Encoding::Identity
    };
    let plain = decode::inflate(encoding, &body, limits.max_request_bytes).unwrap();
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return decode::json_to_protobuf(Signal::Span, &plain, limits).unwrap();
    }
    plain.into_owned()
}

/// The calls and aggregates of a scenario, and the number of its spans.
fn land(scenario: &Path, catalog: &Catalog) -> (Vec<Landed>, usize) {
    let mut landed = Vec::new();
    let mut spans = 0;
    let mut bodies: Vec<_> = fs::read_dir(scenario)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    bodies.sort();
    for path in bodies {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(".traces.") {
            continue;
        }
        let limits = decode::Limits::default();
        let body = body(&path, &limits);
        let mut lander = Lander::new(catalog);
        decode::walk_traces(&body, &limits, |resource, scope, span| {
            spans += 1;
            let numbers = numbers(span.attributes);
            let (span, receipt) = lander.read(resource, scope, span);
            assert_eq!(receipt.is_some(), span.role != Role::Plain);
            landed.extend(receipt.map(|receipt| Landed {
                span,
                receipt,
                numbers: numbers.clone(),
            }));
        })
        .unwrap();
    }
    (landed, spans)
}

fn numbers(attributes: decode::Attributes<'_>) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for (_, value) in attributes.0 {
        match value {
            decode::Value::Str(text) => {
                numbers.extend(
                    text.split(|c: char| !c.is_ascii_digit())
                        .filter_map(|digits| digits.parse::<u64>().ok()),
                );
            }
            value => numbers.extend(value.as_u64_count().number()),
        }
    }
    numbers
}

fn is_match(truth: &TrueCall, call: &Landed, how: usize) -> bool {
    let (said, billed) = (&call.receipt.usage, truth.usage());
    match how {
        0 => {
            truth.response_id.is_some()
                && call.span.call.as_ref().unwrap().response_id.as_deref()
                    == truth.response_id.as_deref()
        }
        1 => {
            said.total_input() == billed.total_input()
                && said.total_output() == billed.total_output()
        }
        2 => said.total_input() == billed.total_input(),
        _ => said.total_output() == billed.total_output() && billed.total_output() > 0,
    }
}

/// The true call that a landed one is, by response id, else by its numbers.
fn true_call<'t>(truth: &'t [TrueCall], call: &Landed) -> Option<&'t TrueCall> {
    (0..4).find_map(|how| {
        truth
            .iter()
            .find(|truth| truth.tokens.is_some() && is_match(truth, call, how))
    })
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Wrong,
    Unpriced,
    Right,
}

fn pico(text: &Option<String>) -> Option<Usd> {
    text.as_deref()
        .map(|text| Usd::parse_decimal(text).unwrap())
}

/// The cost is what was billed, or what was billed but for the fees and lifetimes the span does not carry.
fn cost_verdict(truth: &TrueCall, call: &Landed, catalog: &Catalog) -> Verdict {
    let Some(cost) = call.receipt.cost else {
        return if truth.expected.cost.is_none() {
            Verdict::Right
        } else {
            Verdict::Unpriced
        };
    };
    let without_fees = Normal {
        usage: Usage {
            tokens: truth.usage().tokens,
            ..Usage::default()
        },
        ..Normal::default()
    };
    let request = PriceRequest {
        provider: Some(&truth.provider),
        response_model: truth.response_model.as_deref(),
        request_model: truth.request_model.as_deref(),
        at_us: call.span.start_us,
        ..PriceRequest::default()
    };
    let accepted = [
        pico(&truth.expected.cost_wire),
        pico(&truth.expected.cost),
        catalog.price(&request, Some(&without_fees)).cost,
    ];
    if accepted.contains(&Some(cost)) {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

fn classes_verdict(truth: &TrueCall, call: &Landed) -> Verdict {
    if comparable(&truth.usage()) == comparable(&call.receipt.usage) {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

fn classes(usage: &Usage) -> String {
    let used = TokenClass::ALL
        .into_iter()
        .filter(|class| usage.get(*class) > 0);
    used.map(|class| format!("{} {}", class.name(), usage.get(class)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn report(scenario: &Path, catalog: &Catalog) -> String {
    let truth: Truth =
        serde_json::from_str(&fs::read_to_string(scenario.join("truth.json")).unwrap()).unwrap();
    let (landed, spans) = land(scenario, catalog);
    let count = |role| {
        landed
            .iter()
            .filter(|landed| landed.span.role == role)
            .count()
    };
    let with_usage: Vec<_> = landed
        .iter()
        .filter(|call| call.span.role == Role::Call && !call.receipt.usage.is_zero())
        .collect();
    let billed: Vec<_> = truth
        .calls
        .iter()
        .filter(|call| call.tokens.is_some())
        .collect();
    let mut seen = 0;
    let (mut classes_right, mut cost_right) = (0, 0);
    for truth_call in &billed {
        let twins: Vec<_> = with_usage
            .iter()
            .filter(|call| {
                true_call(&truth.calls, call).is_some_and(|found| std::ptr::eq(found, *truth_call))
            })
            .collect();
        seen += usize::from(!twins.is_empty());
        classes_right += usize::from(
            twins
                .iter()
                .any(|call| classes_verdict(truth_call, call) == Verdict::Right),
        );
        cost_right += usize::from(
            twins
                .iter()
                .any(|call| cost_verdict(truth_call, call, catalog) == Verdict::Right),
        );
    }
    let folder = scenario.parent().unwrap();
    let name = format!(
        "{}/{}",
        folder.file_name().unwrap().to_string_lossy(),
        scenario.file_name().unwrap().to_string_lossy()
    );
    let mut out = format!(
        "{name}: spans {spans}, calls true {}, seen {seen}, classes right {classes_right}, cost right {cost_right}; landed {} with usage, {} without, {} aggregates\n",
        billed.len(),
        with_usage.len(),
        count(Role::Call) - with_usage.len(),
        count(Role::Aggregate),
    );
    let mut reasons = BTreeMap::<String, usize>::new();
    for call in with_usage {
        for reason in differences(&truth.calls, call, catalog) {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    for (reason, calls) in reasons {
        writeln!(out, "    {calls} x {reason}").unwrap();
    }
    out
}

/// What is not right about a call, and why.
fn differences(truth: &[TrueCall], landed: &Landed, catalog: &Catalog) -> Vec<String> {
    let call = landed.span.call.as_ref().unwrap();
    let model = call.model().map_or("no model", |model| &**model);
    let who = format!("{} {model}", landed.span.emitter);
    let Some(truth) = true_call(truth, landed) else {
        return vec![format!(
            "{who}: matches no true call: {}",
            classes(&landed.receipt.usage)
        )];
    };
    let (said, billed) = (
        comparable(&landed.receipt.usage),
        comparable(&truth.usage()),
    );
    let differing: Vec<_> = TokenClass::ALL
        .into_iter()
        .filter(|class| said[*class as usize] != billed[*class as usize])
        .collect();
    let is_lost = |class: &TokenClass| {
        said[*class as usize] == 0 && !landed.numbers.contains(&billed[*class as usize])
    };
    // Input and output are what remains when their parts are taken off.
    let remains = |class: &TokenClass| matches!(class, TokenClass::Input | TokenClass::Output);
    let is_missing = |class: &TokenClass| {
        let missing = billed[*class as usize].checked_sub(said[*class as usize]);
        missing.is_some_and(|missing| !landed.numbers.contains(&missing))
    };
    let lost: Vec<_> = differing
        .iter()
        .filter(|class| is_lost(class))
        .map(|class| class.name())
        .collect();
    let mut reasons = Vec::new();
    if !lost.is_empty()
        && differing
            .iter()
            .all(|class| is_lost(class) || remains(class))
    {
        reasons.push(format!(
            "{}: not on the span: {}",
            landed.span.emitter,
            lost.join(", ")
        ));
    } else if !differing.is_empty() && differing.iter().all(is_missing) {
        let names: Vec<_> = differing.iter().map(|class| class.name()).collect();
        reasons.push(format!(
            "{}: not on the span: a part of {}",
            landed.span.emitter,
            names.join(", ")
        ));
    } else if !differing.is_empty() {
        reasons.push(format!(
            "{who}: {} instead of {}",
            classes(&landed.receipt.usage),
            classes(&truth.usage())
        ));
    }
    match cost_verdict(truth, landed, catalog) {
        Verdict::Wrong if differing.is_empty() => {
            let cost = landed
                .receipt
                .cost
                .map_or_else(String::new, |cost| cost.to_string());
            let wire = truth.expected.cost_wire.as_deref().unwrap_or("unknown");
            let row = landed
                .receipt
                .price
                .as_ref()
                .map(|row| format!("{}/{} {}", row.provider, row.model, row.condition));
            let flags: Vec<_> = landed
                .receipt
                .flags
                .iter()
                .map(|flag| flag.name())
                .collect();
            reasons.push(format!(
                "{who}: cost {cost} instead of {wire}, {} {flags:?}",
                row.unwrap_or_default().trim_end()
            ));
        }
        Verdict::Unpriced => {
            let why = landed.receipt.unpriced.map_or("?", |why| why.name());
            reasons.push(format!(
                "{who}: unpriced, {why} (provider {:?})",
                call.provider
            ));
        }
        _ => {}
    }
    reasons
}

#[test]
fn calls_of_the_corpus_are_as_true_as_their_telemetry_allows() {
    let catalog = Catalog::embedded();
    let reports: String = scenarios()
        .iter()
        .map(|scenario| report(scenario, &catalog))
        .collect();
    insta::assert_snapshot!(reports);
}
