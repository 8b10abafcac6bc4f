//! Spans that arrive late, twice, or never; shapes no tracer should make.

use costflame_profile::{FrameKind, Rule, Signal, Span, settle};

use crate::common::*;

#[test]
fn a_parent_never_seen_is_a_frame() {
    let settled = settled(vec![
        span(2).under(1),
        call(3, tokens(1, 1)).under(2),
        call(4, tokens(2, 1)).under(1),
    ]);
    assert_eq!(path(&settled, 3), ["(missing parent)", "step", "gpt-4o"]);
    assert_eq!(path(&settled, 4), ["(missing parent)", "gpt-4o"]);
    assert!(!settled.trace.root_seen);
    assert_eq!(settled.trace.top, Some(id(2)));
}

#[test]
fn a_root_that_comes_last_moves_every_call_below_it() {
    let spans = [
        call(3, tokens(1, 1)).under(2),
        span(2).under(1),
        span(1)
            .kind(FrameKind::Workflow, "nightly")
            .at(0, 36_000_000_000),
    ];
    let early = settled(spans[..2].to_vec());
    let late = settled(spans.to_vec());
    assert_eq!(path(&early, 3), ["(missing parent)", "step", "gpt-4o"]);
    assert_eq!(path(&late, 3), ["nightly", "step", "gpt-4o"]);
    assert!(late.trace.root_seen);
    assert_eq!(
        (&*late.trace.name, late.trace.end_us),
        ("nightly", 36_000_000_000)
    );
}

#[test]
fn of_versions_of_a_span_the_largest_stays() {
    let version = |end_us, attribute_count, content_hash, input| Span {
        end_us,
        attribute_count,
        content_hash,
        ..call(1, tokens(input, 1))
    };
    let versions = [
        version(20, 1, 9, 1),
        version(30, 0, 0, 2),
        version(30, 5, 1, 3),
        version(30, 5, 2, 4),
    ];
    for kept in 1..=versions.len() {
        let mut rows = versions[..kept].to_vec();
        rows.rotate_left(1);
        let settled = settled(rows);
        assert_eq!(settled.rows, [versions[kept - 1].clone()]);
        assert_eq!(settled.trace.cost.0, kept as i128 + 1);
    }
}

#[test]
fn a_log_record_of_a_span_gives_usage_and_the_span_the_place() {
    let seen = call(2, tokens(1000, 10)).under(1);
    let logged = Span {
        signal: Signal::Log,
        parent_span_id: None,
        label: "api_request".into(),
        ..call(
            2,
            classes(&[
                (costflame_pricing::TokenClass::CacheRead, 900),
                (costflame_pricing::TokenClass::Input, 100),
                (costflame_pricing::TokenClass::Output, 10),
            ]),
        )
    };
    let settled = settled(vec![logged.clone(), span(1), seen]);
    assert_eq!(counted(&settled), [2]);
    assert_eq!(settled.trace.spans, 2);
    assert_eq!(path(&settled, 2), ["step", "gpt-4o"]);
    assert_eq!(settled.call(&settled.calls[0]), logged.call.as_ref());
    assert_eq!(settled.rows[settled.calls[0].source].signal, Signal::Log);
}

#[test]
fn cycles_are_cut_at_one_place_and_lose_no_call() {
    let cycle = |numbers: &[(u64, u64)]| -> Vec<Span> {
        numbers
            .iter()
            .map(|(n, parent)| call(*n, tokens(*n, 1)).under(*parent))
            .collect()
    };
    let settled_cycle = settled(cycle(&[(1, 3), (2, 1), (3, 2), (4, 3), (5, 5)]));
    assert_eq!(counted(&settled_cycle), [1, 2, 3, 4, 5]);
    assert_eq!(path(&settled_cycle, 1), ["(missing parent)", "gpt-4o"]);
    assert_eq!(path(&settled_cycle, 4).len(), 5);
    assert_eq!(path(&settled_cycle, 5), ["(missing parent)", "gpt-4o"]);
    assert_eq!(
        settled_cycle,
        settled(cycle(&[(5, 5), (3, 2), (4, 3), (2, 1), (1, 3)]))
    );
}

#[test]
fn a_cycle_is_cut_above_its_first_span_wherever_it_is_entered() {
    let spans = [(1, 5), (3, 5), (4, 3), (5, 4)];
    let settled = settled(
        spans
            .map(|(n, parent)| call(n, tokens(n, 1)).under(parent))
            .to_vec(),
    );
    assert_eq!(path(&settled, 3), ["(missing parent)", "gpt-4o"]);
    assert_eq!(path(&settled, 1).len(), 5);
}

#[test]
fn several_roots_and_skewed_clocks_keep_their_structure() {
    let settled = settled(vec![
        span(10).kind(FrameKind::Request, "a"),
        call(1, tokens(1, 1)).under(10),
        span(20).kind(FrameKind::Request, "b"),
        call(2, tokens(1, 1)).under(20),
    ]);
    assert_eq!(
        path(&settled, 1),
        ["a", "gpt-4o"],
        "although it started before its parent"
    );
    assert_eq!(path(&settled, 2), ["b", "gpt-4o"]);
    assert_eq!(settled.trace.top, Some(id(10)), "the first root");
}

#[test]
fn ten_thousand_deep_paths_fold_below_a_bound() {
    let depth = 10_000;
    let spans = (1..=depth).map(|n| {
        let s = if n % 100 == 0 {
            call(n, tokens(n, 1))
        } else {
            span(n)
        };
        if n == 1 { s } else { s.under(n - 1) }
    });
    let settled = settled(spans.collect());
    assert_eq!(counted(&settled).len(), 100);
    assert_eq!(path(&settled, 100).len(), 100);
    let deepest = path(&settled, depth);
    assert_eq!(deepest.len(), 512);
    assert_eq!(deepest[510..], ["(deeper)", "gpt-4o"]);
    assert_eq!(
        settled.paths.len(),
        512,
        "what is folded makes no paths of its own"
    );
}

#[test]
fn a_hundred_thousand_siblings_share_one_path() {
    let calls = (2..=100_001).map(|n| call(n, tokens(n, 1)).under(1));
    let settled = settled(std::iter::once(span(1)).chain(calls).collect());
    assert_eq!(settled.trace.calls, 100_000);
    assert_eq!(settled.paths.len(), 2);
}

#[test]
fn ids_that_differ_in_one_byte_are_different_spans() {
    let calls = (1..=200).map(|n| call((0xABCD << 48) | n, tokens(n, 1)));
    assert_eq!(settled(calls.collect()).trace.calls, 200);
}

#[test]
fn services_are_part_of_the_frame() {
    let remote = Span {
        service: "worker".into(),
        ..call(2, tokens(1, 1)).under(1)
    };
    let local = call(3, tokens(1, 1)).under(1);
    let settled = settled(vec![span(1), remote, local]);
    assert_eq!(settled.paths.len(), 3);
    assert_ne!(settled.calls[0].path, settled.calls[1].path);
}

#[test]
fn an_empty_trace_is_empty() {
    let settled = settle::<Span>(PROJECT, Vec::new());
    assert!(settled.calls.is_empty() && settled.paths.is_empty());
    assert_eq!((settled.trace.top, settled.trace.spans), (None, 0));
}

#[test]
fn paths_depend_on_the_project() {
    let of = |project| settle(project, vec![call(1, tokens(1, 1))]).calls[0].path;
    assert_ne!(of(1), of(2));
}

#[test]
fn every_rule_has_its_number() {
    assert!(
        Rule::ALL
            .iter()
            .enumerate()
            .all(|(number, rule)| *rule as usize == number)
    );
}
