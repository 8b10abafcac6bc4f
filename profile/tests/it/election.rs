//! One call in several traces counts once; k calls stay k.

use costflame_pricing::{TokenClass::*, Usage};
use costflame_profile::{
    Claim, Rule, Span,
    election::{REACH_US, Verdict, elect},
    identity::claims,
    pairs::PAIRS,
};
use proptest::prelude::*;

use crate::common::*;

const OI_LANGCHAIN: &str = "openinference.instrumentation.langchain@0.1.80";
const OI_OPENAI: &str = "openinference.instrumentation.openai@0.1.66";
const OI_ANTHROPIC: &str = "openinference.instrumentation.anthropic@3.1.0";
const LOGFIRE: &str = "logfire.anthropic@5.2.0";
const SDK: &str = "com.anthropic.sdk.python@2.12.0";

/// A call alone in trace `number`, with the process it ran in.
fn lone(number: u64, emitter: &str, usage: Usage) -> Span {
    Span {
        trace_id: trace(number),
        instance: Some("proc-1".into()),
        ..call(number, usage).emitter(emitter)
    }
    .at(
        1_000_000 * number as i64,
        1_000_000 * number as i64 + 500_000,
    )
}

fn claims_of(spans: &[Span]) -> Vec<Claim> {
    let of = |span: &Span| {
        claims(
            PROJECT,
            span,
            span.call.as_ref().expect("a call"),
            span.attribution.session.as_deref(),
            true,
        )
        .collect::<Vec<_>>()
    };
    spans.iter().flat_map(of).collect()
}

/// Trace numbers of the calls left, and of those flagged.
fn outcome(spans: &[Span]) -> (Vec<u64>, Vec<u64>) {
    let verdicts = elect(&claims_of(spans));
    let any = |span: &Span, is: &dyn Fn(&Verdict) -> bool| {
        verdicts.iter().any(|verdict| {
            verdict.trace_id == span.trace_id && verdict.span_id == span.span_id && is(verdict)
        })
    };
    let number = |span: &&Span| u64::from_be_bytes(span.span_id.0);
    let left = spans
        .iter()
        .filter(|span| !any(span, &|verdict| verdict.lost.is_some()))
        .map(|span| number(&span));
    let flagged = spans
        .iter()
        .filter(|span| any(span, &|verdict| verdict.possible_duplicate))
        .map(|span| number(&span));
    (left.collect(), flagged.collect())
}

fn left(spans: &[Span]) -> Vec<u64> {
    let (left, flagged) = outcome(spans);
    assert!(flagged.is_empty(), "{flagged:?}");
    left
}

// Rule e.

#[test]
fn one_response_id_in_two_traces_is_one_call() {
    let id = "msg_0160b394813194f903ec2d85";
    let wide = classes(&[(Input, 50), (CacheRead, 50), (Output, 10)]);
    assert_eq!(
        left(&[
            lone(1, "a", tokens(100, 10)).response(id),
            lone(2, "b", wide).response(id)
        ]),
        [2],
        "most classes"
    );
    assert_eq!(
        left(&[
            lone(1, "a", wide).response(id),
            lone(2, "b", wide).response(id).client()
        ]),
        [2],
        "CLIENT"
    );
    assert_eq!(
        left(&[
            lone(2, "a", wide).response(id),
            lone(1, "b", wide).response(id)
        ]),
        [1],
        "smallest id"
    );
    let verdicts = elect(&claims_of(&[
        lone(1, "a", wide).response(id),
        lone(2, "b", wide).response(id),
    ]));
    assert_eq!(
        verdicts[1].lost,
        Some((
            Rule::SameResponseElsewhere,
            trace(1),
            costflame_profile::SpanId(1u64.to_be_bytes())
        ))
    );
}

#[test]
fn response_ids_of_other_projects_are_other_calls() {
    let span = lone(1, "a", tokens(1, 1)).response("msg_0160b394813194f903ec2d85");
    let of = |project| {
        claims(
            project,
            &span,
            span.call.as_ref().expect("a call"),
            None,
            true,
        )
        .next()
        .expect("a claim")
        .identity
    };
    assert_ne!(of(1), of(2));
}

#[test]
fn short_response_ids_claim_nothing() {
    let local = |number| lone(number, "a", tokens(100, 10)).response("chatcmpl-731");
    assert_eq!(left(&[local(1), local(2)]), [1, 2]);
    assert!(claims_of(&[local(1)]).is_empty());
}

#[test]
fn a_call_that_does_not_count_in_its_trace_claims_nothing() {
    let id = "msg_0160b394813194f903ec2d85";
    let settled = settled(vec![
        call(1, tokens(100, 10)).response(id).emitter(OI_LANGCHAIN),
        call(2, tokens(100, 10)).response(id).under(1).emitter(SDK),
    ]);
    let claims: Vec<usize> = settled.calls.iter().map(|call| call.claims.len()).collect();
    assert_eq!(
        claims,
        [0, 2],
        "the outer span is none that another emitter repeats"
    );
}

// Rule f.

#[test]
fn langchain_and_openai_of_openinference_detach() {
    let outer = lone(1, OI_LANGCHAIN, tokens(100, 10));
    let inner = lone(2, OI_OPENAI, tokens(100, 10)).at(1_100_000, 1_400_000);
    assert_eq!(left(&[outer, inner]), [2]);
}

#[test]
fn a_stream_of_openinference_is_joined_to_the_sdk_span() {
    let outer = classes(&[
        (Input, 5952),
        (CacheRead, 2560),
        (CacheWrite, 2371),
        (Output, 1379),
    ]);
    let inner = classes(&[
        (Input, 5952),
        (CacheRead, 2560),
        (CacheWrite, 1528),
        (CacheWrite1h, 843),
        (Output, 1379),
    ]);
    let spans = [
        lone(1, OI_ANTHROPIC, outer),
        lone(2, SDK, inner)
            .at(1_000_400, 1_499_000)
            .response("msg_01e3191e271b86226d3cd632")
            .client(),
    ];
    assert_eq!(left(&spans), [2]);
}

#[test]
fn a_streaming_span_of_logfire_begins_after_the_sdk_span_has_ended() {
    let spans = [
        lone(1, SDK, tokens(7979, 433))
            .at(500, 110_400)
            .response("msg_018c593034ea93371672a8c3"),
        lone(2, LOGFIRE, tokens(7979, 433)).at(520_900, 520_900),
    ];
    assert_eq!(left(&spans), [1]);
    let late = spans[1].clone().at(20_000_000, 20_000_000);
    assert_eq!(
        left(&[spans[0].clone(), late]),
        [1, 2],
        "but not long after"
    );
}

#[test]
fn each_condition_is_needed() {
    let outer = lone(1, OI_LANGCHAIN, tokens(100, 10));
    let inner = lone(2, OI_OPENAI, tokens(100, 10)).at(1_100_000, 1_400_000);
    let both = |outer: &Span, inner: Span| left(&[outer.clone(), inner]);
    assert_eq!(both(&outer, inner.clone()), [2]);
    assert_eq!(
        both(
            &outer,
            inner
                .clone()
                .emitter("openinference.instrumentation.groq@1")
        ),
        [1, 2],
        "a listed pair"
    );
    assert_eq!(
        both(
            &outer,
            lone(2, OI_OPENAI, tokens(101, 10)).at(1_100_000, 1_400_000)
        ),
        [1, 2],
        "equal usage"
    );
    assert_eq!(
        both(&outer, inner.clone().at(9_000_000, 9_100_000)),
        [1, 2],
        "times"
    );
    assert_eq!(
        both(
            &outer,
            Span {
                instance: Some("proc-2".into()),
                ..inner.clone()
            }
        ),
        [1, 2],
        "the process"
    );
    let mut other = inner.clone();
    other.call.as_mut().expect("a call").request_model = Some("gpt-4o-mini".into());
    assert_eq!(both(&outer, other), [1, 2], "the model");
    let mut other = inner.clone();
    other.call.as_mut().expect("a call").operation = Some("embeddings".into());
    assert_eq!(both(&outer, other), [1, 2], "the operation");
    let named = |span: &Span, id: &str| span.clone().response(id);
    let ids = [
        "chatcmpl-5e76bdc5ee5dd2d151a4",
        "chatcmpl-a50185594d4b5d2a677b",
    ];
    assert_eq!(
        both(&named(&outer, ids[0]), named(&inner, ids[1])),
        [1, 2],
        "no two response ids"
    );
    let nothing = |span: &Span| Span {
        call: call(1, Usage::default()).call,
        ..span.clone()
    };
    assert!(
        claims_of(&[nothing(&outer), nothing(&inner)]).is_empty(),
        "usage"
    );
}

#[test]
fn equal_totals_of_unequal_classes_are_two_calls() {
    let cached = |read| classes(&[(Input, 100 - read), (CacheRead, read), (Output, 10)]);
    let pair = |read| {
        let inner = lone(2, OI_OPENAI, cached(read)).at(1_100_000, 1_400_000);
        left(&[lone(1, OI_LANGCHAIN, cached(50)), inner])
    };
    assert_eq!(pair(50), [2]);
    assert_eq!(pair(40), [1, 2]);
    assert_eq!(pair(0), [2], "unless one of them lost the class");
}

#[test]
fn the_dated_name_of_a_model_is_the_same_model() {
    let outer = lone(1, OI_LANGCHAIN, tokens(100, 10));
    let mut inner = lone(2, OI_OPENAI, tokens(100, 10)).at(1_100_000, 1_400_000);
    let call = inner.call.as_mut().expect("a call");
    (call.request_model, call.response_model) = (None, Some("gpt-4o-2024-08-06".into()));
    assert_eq!(left(&[outer, inner]), [2]);
}

#[test]
fn k_identical_calls_seen_by_two_emitters_stay_k() {
    for k in 1..=6 {
        let calls = |emitter: &str, first: u64, shift: i64| -> Vec<Span> {
            let at = |n: u64| 1_000_000 + 10 * n as i64 + shift;
            (0..k)
                .map(|n| lone(first + n, emitter, tokens(8, 1)).at(at(n), at(n) + 300_000))
                .collect()
        };
        let spans = [calls(OI_LANGCHAIN, 100, 0), calls(OI_OPENAI, 200, 5)].concat();
        assert_eq!(left(&spans), (200..200 + k).collect::<Vec<_>>());
    }
}

#[test]
fn an_outer_span_too_many_still_counts() {
    // One of three calls was made by a client that is not instrumented.
    let outer = (1..=3).map(|n| lone(n, OI_LANGCHAIN, tokens(8, 1)).at(1_000_000, 1_300_000));
    let inner = (4..=5).map(|n| lone(n, OI_OPENAI, tokens(8, 1)).at(1_000_100, 1_200_000));
    assert_eq!(left(&outer.chain(inner).collect::<Vec<_>>()).len(), 3);
}

#[test]
fn identical_calls_of_one_emitter_are_never_twins() {
    for emitter in [OI_LANGCHAIN, OI_OPENAI, SDK] {
        let spans: Vec<Span> = (1..=4)
            .map(|n| lone(n, emitter, tokens(8, 1)).at(1_000_000, 1_300_000))
            .collect();
        assert_eq!(left(&spans).len(), 4);
    }
}

#[test]
fn without_a_known_process_both_count_and_are_flagged() {
    // Replicas of one service without an instance id.
    let nowhere = |span: Span| Span {
        instance: None,
        ..span
    };
    let outer = nowhere(lone(1, OI_LANGCHAIN, tokens(100, 10)));
    let inner = nowhere(lone(2, OI_OPENAI, tokens(100, 10)).at(1_100_000, 1_400_000));
    assert_eq!(
        outcome(&[outer.clone(), inner.clone()]),
        (vec![1, 2], vec![1, 2])
    );
    let linked = Span {
        links: vec![outer.trace_id],
        ..inner.clone()
    };
    assert_eq!(
        outcome(&[outer.clone(), linked]),
        (vec![2], vec![]),
        "a link says it is the same process"
    );
    let sibling = Span {
        trace_id: outer.trace_id,
        ..inner.clone()
    };
    assert_eq!(
        outcome(&[outer.clone(), sibling]),
        (vec![2], vec![]),
        "so does the same trace"
    );
    let elsewhere = Span {
        service: "other".into(),
        ..inner
    };
    assert_eq!(outcome(&[outer, elsewhere]), (vec![1, 2], vec![]));
}

#[test]
fn a_model_that_is_not_named_is_a_doubt() {
    let outer = lone(1, OI_LANGCHAIN, tokens(100, 10));
    let mut inner = lone(2, OI_OPENAI, tokens(100, 10)).at(1_100_000, 1_400_000);
    inner.call.as_mut().expect("a call").request_model = None;
    assert_eq!(outcome(&[outer, inner]), (vec![1, 2], vec![1, 2]));
}

#[test]
fn one_response_stands_for_one_outer_span_only() {
    // The inner call was seen by two clients; a second outer call had no instrumented client.
    let id = "msg_018c593034ea93371672a8c3";
    let spans = [
        lone(1, LOGFIRE, tokens(8, 1)).at(1_000_000, 1_000_000),
        lone(2, LOGFIRE, tokens(8, 1)).at(1_000_010, 1_000_010),
        lone(3, SDK, tokens(8, 1)).at(900_000, 990_000).response(id),
        lone(4, "com.anthropic.sdk.python.bedrock@2.12.0", tokens(8, 1))
            .at(900_001, 990_000)
            .response(id),
    ];
    assert_eq!(left(&spans), [2, 3]);
}

#[test]
fn an_outer_span_joined_by_its_response_id_uses_up_the_inner_one() {
    let id = "msg_018c593034ea93371672a8c3";
    let spans = [
        lone(1, OI_ANTHROPIC, tokens(8, 1))
            .at(1_000_000, 1_500_000)
            .response(id),
        lone(2, OI_ANTHROPIC, tokens(8, 1)).at(1_000_000, 1_500_000),
        lone(3, SDK, tokens(8, 1))
            .at(1_000_100, 1_400_000)
            .response(id)
            .client(),
    ];
    assert_eq!(left(&spans), [2, 3]);
}

#[test]
fn a_gateway_below_the_inner_span_leaves_the_outer_one_a_twin() {
    // The proxy counts in the inner span's trace; the detached outer span still repeats that call.
    let outer = lone(1, OI_LANGCHAIN, tokens(100, 10));
    let inner = lone(2, OI_OPENAI, tokens(100, 10)).at(1_100_000, 1_400_000);
    let gateway = Span {
        trace_id: trace(2),
        service: "gateway".into(),
        ..call(3, tokens(100, 10))
    }
    .under(2);
    let all = [settled(vec![outer]), settled(vec![inner, gateway])];
    let claims: Vec<Claim> = all
        .iter()
        .flat_map(|trace| &trace.calls)
        .flat_map(|call| call.claims.clone())
        .collect();
    let lost: Vec<_> = elect(&claims)
        .into_iter()
        .filter(|verdict| verdict.lost.is_some())
        .map(|verdict| verdict.trace_id)
        .collect();
    assert_eq!(lost, [trace(1)]);
    assert_eq!(counted(&all[1]), [3]);
}

#[test]
fn no_pair_reaches_farther_than_the_bound() {
    assert!(PAIRS.iter().all(|pair| pair.gap_us <= REACH_US));
}

#[test]
fn tens_of_thousands_of_equal_calls_are_decided() {
    let k = 20_000;
    let calls = |emitter: &'static str, first: u64| {
        (0..k).map(move |n| {
            lone(first + n, emitter, tokens(8, 1)).at(1_000_000 + n as i64, 9_000_000)
        })
    };
    let spans: Vec<Span> = calls(OI_LANGCHAIN, 1)
        .chain(calls(OI_OPENAI, 1_000_000))
        .collect();
    let lost = elect(&claims_of(&spans))
        .iter()
        .filter(|verdict| verdict.lost.is_some())
        .count();
    assert_eq!(lost as u64, k);
}

fn some_call() -> impl Strategy<Value = Span> {
    let emitters = [
        OI_LANGCHAIN,
        OI_OPENAI,
        OI_ANTHROPIC,
        LOGFIRE,
        SDK,
        "other@1",
    ];
    let ids = [
        "",
        "msg_018c593034ea93371672a8c3",
        "msg_0160b394813194f903ec2d85",
    ];
    (
        1..30u64,
        0..emitters.len(),
        1..3u64,
        0..3usize,
        0..4_000_000i64,
        0..2_000_000i64,
        any::<(bool, bool)>(),
    )
        .prop_map(
            move |(number, emitter, input, id, start, length, (known, placed))| {
                let span = lone(number, emitters[emitter], tokens(input, 1))
                    .at(start, start + length)
                    .response(ids[id]);
                let span = if placed { span.under(99) } else { span };
                if known {
                    span
                } else {
                    Span {
                        instance: None,
                        ..span
                    }
                }
            },
        )
}

proptest! {
    #[test]
    fn verdicts_depend_on_the_set_of_claims_only(
        spans in prop::collection::vec(some_call(), 0..40),
        seed in any::<u64>(),
    ) {
        let mut seen = std::collections::HashSet::new();
        let spans: Vec<Span> = spans.into_iter().filter(|span| seen.insert(span.span_id)).collect();
        let claims = claims_of(&spans);
        let mut shuffled = [claims.clone(), claims.clone()].concat();
        shuffled.sort_by_key(|claim| (claim.start_us as u64 ^ u64::from(claim.span_id.0[7])).wrapping_mul(seed | 1));
        prop_assert_eq!(elect(&shuffled), elect(&claims));
    }

    #[test]
    fn what_loses_leads_to_one_that_stays(spans in prop::collection::vec(some_call(), 0..40)) {
        let mut seen = std::collections::HashSet::new();
        let spans: Vec<Span> = spans.into_iter().filter(|span| seen.insert(span.span_id)).collect();
        let verdicts = elect(&claims_of(&spans));
        let lost = |span| verdicts.iter().filter(|verdict| verdict.span_id == span).find_map(|verdict| verdict.lost);
        for verdict in &verdicts {
            let mut at = verdict.span_id;
            for _ in 0..=spans.len() {
                let Some((_, _, by)) = lost(at) else { break };
                at = by;
            }
            prop_assert!(lost(at).is_none(), "no call may lose to one that loses to it");
        }
    }
}
