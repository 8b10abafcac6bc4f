//! What a metric sums of a session counts only where nothing tells its calls.

use costflame_profile::{Claim, Rule, Signal, Span, SpanId, election::elect, identity::claims};

use crate::common::*;

const METRICS: &str = "com.anthropic.claude_code@2.1.197";
const SPANS: &str = "com.anthropic.claude_code.tracing@2.1.197";
const EVENTS: &str = "com.anthropic.claude_code.events@2.1.197";
const MINUTE: i64 = 60_000_000;

fn of_session(number: u64, emitter: &str, session: &str) -> Span {
    Span {
        trace_id: trace(number),
        ..call(number, tokens(100 + number, 10)).emitter(emitter)
    }
    .attributed(|attribution| attribution.session = Some(session.into()))
}

/// Usage counted in minute 10.
fn sum() -> Span {
    Span {
        signal: Signal::Metric,
        ..of_session(1, METRICS, "s")
    }
    .at(10 * MINUTE, 11 * MINUTE)
}

/// A call that ends at this time.
fn told(number: u64, end_us: i64) -> Span {
    of_session(number, SPANS, "s").at(end_us - 2_000_000, end_us)
}

fn claims_of(spans: &[Span]) -> Vec<Claim> {
    let of = |span: &Span| -> Vec<Claim> {
        let call = span.call.as_ref().expect("a call");
        let session = span.attribution.session.as_deref();
        claims(PROJECT, span, call, session, true).collect()
    };
    spans.iter().flat_map(of).collect()
}

/// What stands for each span that lost.
fn lost(spans: &[Span]) -> Vec<(SpanId, Rule, SpanId)> {
    let mut lost: Vec<_> = elect(&claims_of(spans))
        .into_iter()
        .filter_map(|verdict| {
            let (rule, _, by) = verdict.lost?;
            Some((verdict.span_id, rule, by))
        })
        .collect();
    lost.sort();
    lost.dedup();
    lost
}

#[test]
fn alone_it_counts() {
    assert_eq!(lost(&[sum()]), []);
    let other = Span {
        signal: Signal::Metric,
        ..told(2, 11 * MINUTE)
    };
    assert_eq!(lost(&[sum(), other]), [], "two sums are two");
}

#[test]
fn a_call_of_its_session_in_its_time_tells_it() {
    let call = told(2, 10 * MINUTE + 1);
    let stands = [(id(1), Rule::ToldByCalls, id(2))];
    assert_eq!(lost(&[sum(), call.clone()]), stands);
    let event = Span {
        signal: Signal::Log,
        ..call.emitter(EVENTS)
    };
    assert_eq!(lost(&[sum(), event.clone()]), stands);
    // The first of several stands for it, and k calls stay k.
    assert_eq!(lost(&[told(3, 11 * MINUTE), event, sum()]), stands);
}

#[test]
fn each_condition_is_needed() {
    let in_time = 10 * MINUTE + 1;
    let of_model = |model: &str| {
        let mut span = told(2, in_time);
        let call = span.call.as_mut().expect("a call");
        call.request_model = Some(model.into());
        span
    };
    let cases = [
        ("another session", of_session(2, SPANS, "t").at(1, in_time)),
        ("before", told(2, 9 * MINUTE)),
        ("after", told(2, 12 * MINUTE)),
        ("another model", of_model("claude-haiku-4-5")),
        ("another program", told(2, in_time).emitter("some.library")),
    ];
    for (what, call) in cases {
        assert_eq!(lost(&[sum(), call]), [], "{what}");
    }
    let dated = of_model("gpt-4o-2024-08-06");
    assert_eq!(lost(&[sum(), dated]).len(), 1, "the same model");
    let mut nameless = told(2, in_time);
    nameless.call.as_mut().expect("a call").request_model = None;
    assert_eq!(lost(&[sum(), nameless]).len(), 1, "any model");
}
