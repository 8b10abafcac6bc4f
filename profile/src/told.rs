//! What a span hangs under whose parent was never seen, as far as it says what lies above it.
//!
//! A call that runs for an hour, or a program that breaks off, leaves calls behind whose agents and tools have not ended, and so
//! have not been sent. The steps that such a call names lead to the nearest span of them that was.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    FrameKind, Signal, Span, Step,
    order::{Node, Parent},
};

/// Most spans of one way that are looked at for the one that was running.
const MOST_LOOKED_AT: usize = 64;

/// Gives every node whose parent is missing, and which says what lies above it, the nearest of these that is there and was
/// running when it started, else the root if there is only one. Answers how many of its steps lie above or at that node.
///
/// `nodes` are in canonical order. A function of the set of rows like everything else: once the parent is there, it is the parent.
pub(crate) fn hang<R: AsRef<Span>>(
    rows: &[R],
    nodes: &[Node],
    parent: &mut [Parent],
) -> Vec<Option<usize>> {
    let span = |node: usize| rows[nodes[node].place].as_ref();
    let mut told = vec![None; nodes.len()];
    let is_lost = |node: &usize| parent[*node] == Parent::Missing && !span(*node).above.is_empty();
    let lost: Vec<usize> = (0..nodes.len()).filter(is_lost).collect();
    if lost.is_empty() {
        return told;
    }
    let mut by_way: HashMap<u64, Vec<usize>> = HashMap::new();
    for node in (0..nodes.len()).filter(|node| span(*node).signal == Signal::Span) {
        let last = ways(way_to(span(node))).last();
        by_way.entry(last.unwrap_or(0)).or_default().push(node);
    }
    let mut roots = (0..nodes.len()).filter(|node| parent[*node] == Parent::Root);
    let root = roots.next().filter(|_| roots.next().is_none());
    let root = root.filter(|node| span(*node).kind != FrameKind::Model);
    for node in lost {
        let own = span(node);
        let nearest = |(held, way): (usize, u64)| {
            let same = by_way.get(&way)?;
            let started = same.partition_point(|other| span(*other).start_us <= own.start_us);
            let running = same[..started].iter().rev().take(MOST_LOOKED_AT);
            running
                .copied()
                .filter(|other| *other != node && span(*other).end_us >= own.start_us)
                .find(|other| way_to(span(*other)).eq(steps(&own.above[..held])))
                .map(|other| (other, held))
        };
        let mut ways: Vec<(usize, u64)> = (1..).zip(ways(steps(&own.above))).collect();
        ways.reverse();
        let found = ways.into_iter().find_map(nearest);
        let below_root = |root| {
            (
                root,
                usize::from(way_to(span(root)).eq(steps(&own.above[..1]))),
            )
        };
        if let Some((above, held)) = found.or_else(|| root.map(below_root)) {
            parent[node] = Parent::Node(above);
            told[node] = Some(held);
        }
    }
    told
}

fn steps(steps: &[Step]) -> impl Iterator<Item = (FrameKind, &str)> {
    steps.iter().map(|step| (step.kind, &*step.label))
}

/// The steps that lead to a span and the span's own, as those below it name them.
fn way_to(span: &Span) -> impl Iterator<Item = (FrameKind, &str)> {
    steps(&span.above).chain([(span.kind, &*span.label)])
}

/// The hash of the first step, of the first two, and so on.
fn ways<'a>(steps: impl Iterator<Item = (FrameKind, &'a str)>) -> impl Iterator<Item = u64> {
    let mut hasher = DefaultHasher::new();
    steps.map(move |step| {
        step.hash(&mut hasher);
        hasher.finish()
    })
}
