//! Order, batching and repetition do not matter; nothing is lost and nothing is added.

use std::{collections::HashMap, sync::Arc};

use costflame_pricing::UsdSum;
use costflame_profile::{
    Attribution, FrameKind, Metrics, PathId, Role, Settled, Signal, Span, SpanId, SpanKind, Tree,
    outline,
};
use proptest::prelude::*;

use crate::common::*;

const IDS: [&str; 5] = [
    "",
    "msg_018c593034ea93371672a8c3",
    "msg_0160b394813194f903ec2d85",
    "chatcmpl-731",
    "run-1",
];

/// Numbers of log records begin here.
const LOGS: u64 = 100;

/// One version of one of 24 spans; parents may be missing, later, or the span itself.
fn some_span() -> impl Strategy<Value = Span> {
    let place = (
        1..25u64,
        0..30u64,
        0..4i64,
        0..30i64,
        0..FrameKind::ALL.len(),
        any::<bool>(),
    );
    let usage = (0..3usize, 0..3u64, 0..3u64, 0..2u64, 0..IDS.len());
    let rest = (
        any::<bool>(),
        0..3usize,
        0..4usize,
        prop::bool::weighted(0.1),
        0..3usize,
    );
    (place, usage, rest).prop_map(|(place, usage, rest)| {
        let (number, parent, start, length, kind, client) = place;
        let (role, input, output, cached, response) = usage;
        let (error, user, tag, log, steps) = rest;
        let tokens = classes(&[
            (costflame_pricing::TokenClass::Input, input),
            (costflame_pricing::TokenClass::CacheRead, cached),
            (costflame_pricing::TokenClass::Output, output),
        ]);
        // A log record has an id of its own, below which nothing lies.
        let number = number + if log { LOGS } else { 0 };
        let mut span = match role {
            0 => span(number),
            1 => call(number, tokens).response(IDS[response]),
            _ => aggregate(number, tokens).response(IDS[response]),
        };
        span.parent_span_id = (parent > 0).then(|| id(parent));
        span.kind = FrameKind::ALL[kind];
        span.label = format!("{}{}", span.kind.name(), number % 3).into();
        span.span_kind = if client {
            SpanKind::Client
        } else {
            SpanKind::Internal
        };
        span.error = error;
        span.weight_milli = [0, 1000, 8000][(number % 3) as usize];
        span.signal = if log { Signal::Log } else { Signal::Span };
        let agents = ["agent0", "agent1", "agent2"].map(|name| [name, "agent1"]);
        let span = span.said_below(&agents[(number % 3) as usize][..steps]);
        let span = span.at(start, start + length).attributed(|a| {
            a.user = ["ann", "bob"].get(user).map(|name| (*name).into());
            a.tags = (0..tag)
                .map(|n| (format!("k{n}").into(), format!("v{number}").into()))
                .collect();
        });
        let content_hash = costflame_hash(&span);
        Span {
            attribute_count: (content_hash % 3) as u32,
            content_hash,
            ..span
        }
    })
}

/// Equal content, equal hash, as the collector promises.
fn costflame_hash(span: &Span) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    format!("{span:?}").hash(&mut hasher);
    hasher.finish()
}

fn some_trace() -> impl Strategy<Value = Vec<Span>> {
    prop::collection::vec(some_span(), 0..60)
}

/// Follows the spans that stand for an excluded call; `None` if that never ends at one that counts.
fn stands_for(settled: &Settled<Span>, call: usize) -> Option<usize> {
    let mut at = call;
    for _ in 0..=settled.calls.len() {
        let Some(why) = settled.calls[at].excluded else {
            return Some(at);
        };
        at = settled
            .calls
            .iter()
            .position(|call| settled.span(call).span_id == why.by)?;
    }
    None
}

/// Attribution and weight as the law says they are inherited, walking up from the call.
fn inherited(settled: &Settled<Span>, call: usize) -> (Attribution, u32) {
    let mut rows: Vec<&Span> = settled.rows.iter().collect();
    rows.sort_by_key(|span| std::cmp::Reverse(span.signal as u8));
    let spans: HashMap<_, &Span> = rows.into_iter().map(|span| (span.span_id, span)).collect();
    let mut at = Some(settled.span(&settled.calls[call]));
    let mut seen = Vec::new();
    let mut found = Attribution::default();
    let mut weight_milli = 0;
    while let Some(span) = at.filter(|span| !seen.contains(&span.span_id)) {
        seen.push(span.span_id);
        let mut own = Attribution::clone(&span.attribution);
        let named = |kind| (span.kind == kind).then(|| Arc::clone(&span.label));
        own.agent = own.agent.or_else(|| named(FrameKind::Agent));
        own.tool = own.tool.or_else(|| named(FrameKind::Tool));
        found = found.or(&own);
        if weight_milli == 0 {
            weight_milli = span.weight_milli;
        }
        at = span
            .parent_span_id
            .and_then(|parent| spans.get(&parent).copied());
    }
    (
        found,
        Some(weight_milli).filter(|own| *own > 0).unwrap_or(1000),
    )
}

proptest! {
    #[test]
    fn the_result_depends_on_the_set_of_rows_only(
        (rows, shuffled) in some_trace().prop_flat_map(|rows| {
            let twice = [rows.clone(), rows.clone()].concat();
            (Just(rows), Just(twice).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(settled(shuffled), settled(rows));
    }

    #[test]
    fn settling_in_parts_ends_where_settling_at_once_does(rows in some_trace(), at in 0..60usize) {
        // What one pass keeps of its rows is all that a later pass needs.
        let (early, late) = rows.split_at(at.min(rows.len()));
        let kept = settled(early.to_vec()).rows;
        prop_assert_eq!(settled([late, &kept].concat()), settled(rows));
    }

    #[test]
    fn every_call_ends_at_exactly_one_path(rows in some_trace()) {
        let settled = settled(rows);
        let mut known: HashMap<PathId, Option<PathId>> = HashMap::new();
        for row in &settled.paths {
            prop_assert_eq!(row.id, PathId::of(PROJECT, row.parent, &row.frame));
            prop_assert!(row.parent.is_none_or(|parent| known.contains_key(&parent)), "parents first");
            prop_assert!(known.insert(row.id, row.parent).is_none(), "each once");
        }
        let with_usage: std::collections::HashSet<_> = settled
            .rows
            .iter()
            .filter(|row| row.call.as_ref().is_some_and(|call| row.role == Role::Call || !call.usage.is_zero()))
            .map(|row| row.span_id)
            .collect();
        let calls: Vec<_> = settled.calls.iter().map(|call| settled.span(call).span_id).collect();
        prop_assert!(calls.iter().all(|call| with_usage.contains(call)));
        let joined = |span: &SpanId| *span > id(LOGS);
        prop_assert!(with_usage.iter().all(|span| calls.contains(span) || joined(span)), "no call is lost");
        prop_assert!(settled.calls.iter().all(|call| known.contains_key(&call.path)));
    }

    #[test]
    fn counted_and_excluded_are_all_and_the_excluded_are_stood_for(rows in some_trace()) {
        let settled = settled(rows);
        let counted = settled.calls.iter().filter(|call| call.counted()).count();
        prop_assert_eq!(counted as u32, settled.trace.calls);
        prop_assert_eq!(settled.calls.len() as u32, settled.trace.calls + settled.trace.excluded);
        for call in 0..settled.calls.len() {
            prop_assert!(stands_for(&settled, call).is_some());
        }
    }

    #[test]
    fn self_cost_over_the_tree_is_the_cost_of_the_trace(rows in some_trace()) {
        let settled = settled(rows);
        let own = settled.calls.iter().filter(|call| call.counted()).filter_map(|call| {
            Some((call.path, Metrics::of(settled.span(call), settled.call(call)?)))
        });
        let tree = Tree::from_rows(settled.paths.clone(), own);
        let sum = tree.nodes.iter().map(|node| node.own.cost.0).sum::<i128>();
        prop_assert_eq!(UsdSum(sum), settled.trace.cost);
        prop_assert_eq!(tree.total().cost, settled.trace.cost);
        prop_assert_eq!(tree.total().calls, u64::from(settled.trace.calls));
    }

    #[test]
    fn the_outline_has_every_span_once_with_its_calls(rows in some_trace()) {
        let settled = settled(rows);
        let outline = outline(PROJECT, &settled);
        let mut spans: Vec<_> = outline.iter().map(|span| settled.rows[span.row].span_id).collect();
        prop_assert_eq!(spans.len() as u32, settled.trace.spans);
        spans.sort_unstable();
        spans.dedup();
        prop_assert_eq!(spans.len(), outline.len(), "each once");
        let calls: Vec<_> = outline.iter().filter_map(|span| Some((span, &settled.calls[span.call?]))).collect();
        prop_assert_eq!(calls.len(), settled.calls.len());
        for (span, call) in calls {
            prop_assert_eq!(span.row, call.span);
            let is_model = settled.rows[span.row].kind == FrameKind::Model;
            let above = settled.paths.iter().find(|row| row.id == call.path).and_then(|row| row.parent);
            prop_assert_eq!(Some(span.path), if is_model { Some(call.path) } else { above });
        }
        let known: std::collections::HashSet<_> = settled.paths.iter().map(|row| row.id).collect();
        let mut last_start = HashMap::new();
        for (place, span) in outline.iter().enumerate() {
            let row = &settled.rows[span.row];
            prop_assert!(span.parent.is_none_or(|parent| parent < place), "parents first");
            prop_assert_eq!(span.missing_parent || span.parent.is_some(), row.parent_span_id.is_some());
            let before = last_start.insert(span.parent, row.start_us);
            prop_assert!(before.is_none_or(|before| before <= row.start_us), "siblings by start");
            // What is above a counted call is a frame of the tree.
            let mut above = span.call.filter(|call| settled.calls[*call].counted()).and(span.parent);
            while let Some(parent) = above {
                let repeats = outline[parent].call.is_some();
                prop_assert!(repeats || known.contains(&outline[parent].path));
                above = outline[parent].parent;
            }
        }
    }

    #[test]
    fn every_call_inherits_the_nearest_values(mut rows in some_trace()) {
        // Where a cycle is cut is another test's matter.
        rows.retain(|span| span.parent_span_id.is_none_or(|parent| parent < span.span_id));
        // And so is what a span whose parent is missing says of it.
        rows.iter_mut().for_each(|span| span.above.clear());
        let settled = settled(rows);
        for call in 0..settled.calls.len() {
            let (attribution, weight_milli) = inherited(&settled, call);
            prop_assert_eq!(&*settled.calls[call].attribution, &attribution);
            prop_assert_eq!(settled.calls[call].weight_milli, weight_milli);
        }
    }
}
