//! A log record joins the span of its call; alone it is a call of its own.

use costflame_pricing::{
    TokenClass::{CacheRead, CacheWrite1h, Input, Output, Reasoning},
    Usd,
};
use costflame_profile::{Rule, Signal, Span, elect, identity::claims};

use crate::common::*;

const REQUEST: &str = "req_011CQ9xZp6bXk4eA8s2f";

fn log(number: u64, span: Span) -> Span {
    Span {
        span_id: id(number),
        signal: Signal::Log,
        ..span
    }
}

/// Whose usage counts, by call in the order of their spans.
fn sources(rows: Vec<Span>) -> Vec<(u64, u64)> {
    let settled = settled(rows);
    let number = |row: usize| u64::from_be_bytes(settled.rows[row].span_id.0);
    settled
        .calls
        .iter()
        .filter(|call| call.counted())
        .map(|call| (number(call.span), number(call.source)))
        .collect()
}

#[test]
fn a_record_written_in_a_call_is_that_call() {
    let full = classes(&[(Input, 60), (CacheRead, 40), (Output, 10)]);
    let seen = call(2, tokens(100, 10)).under(1);
    let rows = vec![span(1), seen, log(100, call(2, full).under(2))];
    assert_eq!(sources(rows), [(2, 100)]);
    let without = call(2, tokens(0, 0)).under(1);
    let rows = vec![span(1), without, log(100, call(2, full).under(2))];
    assert_eq!(sources(rows), [(2, 100)], "the span has no usage");
    let other = vec![
        span(1),
        call(2, tokens(100, 10)).under(1),
        log(100, call(2, tokens(7, 7)).under(2)),
    ];
    assert_eq!(sources(other), [(2, 2), (100, 100)], "another call within");
}

#[test]
fn a_record_beside_a_call_joins_it_by_its_id() {
    let told = |span: Span| span.response(REQUEST);
    let rows = vec![
        span(1),
        told(call(2, tokens(100, 10)).under(1)),
        call(3, tokens(100, 10)).under(1),
        log(100, told(call(2, tokens(100, 10)).under(1))),
    ];
    assert_eq!(sources(rows), [(2, 2), (3, 3)]);
}

#[test]
fn a_record_without_an_id_joins_the_like_one_to_one() {
    let thoughts = classes(&[(Input, 100), (Output, 10), (Reasoning, 5)]);
    let seen = |number| call(number, tokens(100, 10)).under(1);
    let rows = vec![
        span(1),
        seen(2),
        seen(3),
        log(100, call(2, thoughts).under(1)),
        log(101, call(3, thoughts).under(1)),
        log(102, call(4, thoughts).under(1)),
    ];
    assert_eq!(sources(rows), [(2, 100), (3, 101), (102, 102)]);
    let late = log(100, call(2, thoughts).under(1)).at(60_000_000, 60_000_000);
    assert_eq!(
        sources(vec![span(1), seen(2), late]),
        [(2, 2), (100, 100)],
        "a minute later"
    );
    let mut other = log(100, call(2, thoughts).under(1));
    other.call.as_mut().expect("a call").request_model = Some("o3".into());
    assert_eq!(sources(vec![span(1), seen(2), other]).len(), 2);
}

#[test]
fn a_call_takes_from_its_wrapper_what_it_does_not_know() {
    let split = classes(&[(Input, 90), (CacheWrite1h, 10), (Output, 10)]);
    let rows = || vec![call(1, split), call(2, tokens(100, 10)).under(1)];
    assert_eq!(sources(rows()), [(2, 1)]);
    let settled = settled(rows());
    assert_eq!(excluded(&settled), [(1, Rule::Wrapper, 2)]);

    let mut dear = rows();
    dear[0].call.as_mut().expect("a call").provider = Some("aws".into());
    assert_eq!(sources(dear), [(2, 2)], "at another provider's prices");

    let mut unpriced = vec![call(1, tokens(100, 10)), call(2, tokens(100, 10)).under(1)];
    unpriced[1].call.as_mut().expect("a call").cost = None;
    assert_eq!(sources(unpriced), [(2, 1)], "the only one with a price");
}

/// A call of one session in a trace of its own.
fn lone(number: u64, emitter: &str, usage: costflame_pricing::Usage) -> Span {
    let lone = call(number, usage)
        .emitter(emitter)
        .attributed(|own| own.session = Some("s".into()));
    Span {
        trace_id: trace(number),
        ..lone
    }
}

fn left(spans: &[Span]) -> Vec<u64> {
    let claims: Vec<_> = spans
        .iter()
        .flat_map(|span| {
            let session = span.attribution.session.as_deref();
            claims(
                PROJECT,
                span,
                span.call.as_ref().expect("a call"),
                session,
                true,
            )
        })
        .collect();
    let lost: Vec<_> = elect(&claims)
        .into_iter()
        .filter(|verdict| verdict.lost.is_some() || verdict.possible_duplicate)
        .map(|verdict| verdict.span_id)
        .collect();
    let number = |span: &Span| u64::from_be_bytes(span.span_id.0);
    let left = spans.iter().filter(|span| !lost.contains(&span.span_id));
    let mut left: Vec<u64> = left.map(number).collect();
    left.sort_unstable();
    left
}

#[test]
fn a_record_in_no_trace_stands_for_the_span_of_its_session() {
    let full = classes(&[(Input, 60), (CacheRead, 40), (Output, 10), (Reasoning, 5)]);
    let seen = lone(1, "gemini-cli@v1", tokens(100, 10));
    let logged = Span {
        signal: Signal::Log,
        ..lone(2, "gemini-cli@", full)
    };
    assert_eq!(left(&[seen.clone(), logged.clone()]), [2]);
    let again = lone(3, "gemini-cli@v1", tokens(100, 10));
    assert_eq!(left(&[seen.clone(), again, logged.clone()]), [2, 3]);
    let elsewhere = logged.attributed(|own| own.session = Some("t".into()));
    assert_eq!(left(&[seen, elsewhere]), [1, 2]);
}

#[test]
fn a_span_that_does_not_name_its_model_yields_to_the_record_that_does() {
    let usage = classes(&[(Input, 60), (CacheRead, 40), (Output, 10)]);
    let mut seen = lone(1, "codex_exec@", usage);
    let known = seen.call.as_mut().expect("a call");
    (known.request_model, known.cost) = (None, None::<Usd>);
    let logged = Span {
        signal: Signal::Log,
        ..lone(2, "codex_otel.log_only@", usage)
    };
    assert_eq!(left(&[seen, logged]), [2]);
}
