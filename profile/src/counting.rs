//! Each call counts once within its trace.
//!
//! Three rules in this order, each over what the one before left:
//! an aggregate counts only where nothing below it does ([`aggregates`]), spans with one provider
//! response id are one call ([`responses`]), and a call above others whose usage it repeats is a
//! wrapper ([`wrappers`]). What no rule excludes counts: an ancestor with usage is not always a
//! duplicate.

use costflame_pricing::Usage;
use serde::{Deserialize, Serialize};

use crate::{
    Call, FrameKind, Role, Span, SpanKind,
    identity::{ResponseKey, response_key, same_model},
    nearest::Nearest,
    order::{Forest, Parent, call_of},
    usage_match::{classes, repeats, same},
};

/// Why a call does not count. What was left out stays visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Rule {
    /// An agent, workflow, chain or framework wrapper repeats or sums calls below it; or a call
    /// without usage lies below the aggregate that alone knows its usage.
    Aggregate = 0,
    /// Another span of the trace has the same provider response id and is nearer to the provider.
    SameResponse = 1,
    /// Its usage equals that of a call below it, or the sum of those nearest below it; or it has none and names the
    /// model of one below it.
    Wrapper = 2,
    /// A span of another trace has the same provider response id.
    SameResponseElsewhere = 3,
    /// A span of a listed emitter that detaches from this one reports the same call.
    DetachedTwin = 4,
    /// Usage that a metric sums, of a session and time whose calls are told one by one.
    ToldByCalls = 5,
}

impl Rule {
    /// Every rule; the index is the stored number.
    pub const ALL: [Self; 6] = [
        Self::Aggregate,
        Self::SameResponse,
        Self::Wrapper,
        Self::SameResponseElsewhere,
        Self::DetachedTwin,
        Self::ToldByCalls,
    ];

    /// The name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::SameResponse => "same_response",
            Self::Wrapper => "wrapper",
            Self::SameResponseElsewhere => "same_response_elsewhere",
            Self::DetachedTwin => "detached_twin",
            Self::ToldByCalls => "told_by_calls",
        }
    }
}

/// What a node is to the rules.
#[derive(Clone, Copy)]
pub(crate) struct Fact<'a> {
    pub(crate) call: &'a Call,
    pub(crate) aggregate: bool,
    client: bool,
    error: bool,
}

/// State of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not a call.
    Plain,
    /// A call that counts.
    Counts,
    /// A call that does not, and the node that stands for it.
    Out { rule: Rule, by: usize },
}

/// The state of every node.
pub(crate) fn count<R: AsRef<Span>>(rows: &[R], forest: &Forest) -> Vec<State> {
    let facts = facts(rows, forest);
    let mut states: Vec<State> = facts
        .iter()
        .map(|fact| {
            if fact.is_some() {
                State::Counts
            } else {
                State::Plain
            }
        })
        .collect();
    if states
        .iter()
        .filter(|state| **state == State::Counts)
        .count()
        > 1
    {
        aggregates(forest, &facts, &mut states);
        responses(rows, forest, &facts, &mut states);
        wrappers(rows, forest, &facts, &mut states);
    }
    states
}

fn facts<'a, R: AsRef<Span>>(rows: &'a [R], forest: &Forest) -> Vec<Option<Fact<'a>>> {
    let fact = |source: &'a Span, place: &Span| {
        Some(Fact {
            call: call_of(source)?,
            aggregate: source.role == Role::Aggregate,
            client: place.span_kind == SpanKind::Client,
            error: place.error,
        })
    };
    forest
        .nodes
        .iter()
        .map(|node| fact(rows[node.source].as_ref(), rows[node.place].as_ref()))
        .collect()
}

/// Rule a. A call below that carries no usage is no evidence against an aggregate that does: then the aggregate
/// is the only evidence of usage and stands for the call.
fn aggregates(forest: &Forest, facts: &[Option<Fact>], states: &mut [State]) {
    // The first node with usage in or below each node.
    let mut evidence: Vec<Option<usize>> = vec![None; facts.len()];
    for &node in forest.order.iter().rev() {
        if let Some(fact) = &facts[node] {
            match evidence[node] {
                Some(by) if fact.aggregate => {
                    states[node] = State::Out {
                        rule: Rule::Aggregate,
                        by,
                    }
                }
                None if !fact.call.usage.is_zero() => evidence[node] = Some(node),
                _ => {}
            }
        }
        if let (Parent::Node(above), Some(found)) = (forest.parent[node], evidence[node]) {
            let first = evidence[above].map_or(found, |known| known.min(found));
            evidence[above] = Some(first);
        }
    }
    // The nearest aggregate that counts, at or above each node.
    let mut counted: Vec<Option<usize>> = vec![None; facts.len()];
    for &node in &forest.order {
        let above = match forest.parent[node] {
            Parent::Node(above) => counted[above],
            Parent::Root | Parent::Missing => None,
        };
        counted[node] = above;
        let Some(fact) = &facts[node] else { continue };
        if fact.aggregate && states[node] == State::Counts {
            counted[node] = Some(node);
        } else if let Some(by) = above.filter(|_| !fact.error && fact.call.usage.is_zero()) {
            states[node] = State::Out {
                rule: Rule::Aggregate,
                by,
            };
        }
    }
}

/// Rule b. Of spans with one response id, those above another of them are out; among the rest the order is most usage
/// classes, CLIENT before INTERNAL, deepest, smallest span id. A span without usage stands for none with usage.
fn responses<R: AsRef<Span>>(
    rows: &[R],
    forest: &Forest,
    facts: &[Option<Fact>],
    states: &mut [State],
) {
    let mut named: Vec<(ResponseKey, usize)> = facts
        .iter()
        .enumerate()
        .filter(|(node, _)| states[*node] == State::Counts)
        .filter_map(|(node, fact)| Some((response_key(fact.as_ref()?.call)?, node)))
        .collect();
    named.sort_unstable();
    let mut intervals = None;
    for group in named
        .chunk_by(|(a, _), (b, _)| a == b)
        .filter(|group| group.len() > 1)
    {
        let intervals = intervals.get_or_insert_with(|| forest.intervals());
        let by = nearest_provider(
            rows,
            forest,
            facts,
            intervals,
            group.iter().map(|(_, node)| *node),
        );
        for (_, node) in group.iter().filter(|(_, node)| *node != by) {
            states[*node] = State::Out {
                rule: Rule::SameResponse,
                by,
            };
        }
    }
}

fn nearest_provider<R: AsRef<Span>>(
    rows: &[R],
    forest: &Forest,
    facts: &[Option<Fact>],
    intervals: &[(usize, usize)],
    group: impl Iterator<Item = usize> + Clone,
) -> usize {
    let used = |node: &usize| facts[*node].is_some_and(|fact| !fact.call.usage.is_zero());
    let mut group: Vec<usize> = if group.clone().any(|node| used(&node)) {
        group.filter(used).collect()
    } else {
        group.collect()
    };
    group.sort_unstable_by_key(|node| intervals[*node].0);
    let is_above_next = |i: usize| {
        group
            .get(i + 1)
            .is_some_and(|next| intervals[*next].0 < intervals[group[i]].1)
    };
    let rank = |node: &usize| {
        let (detail, client) =
            facts[*node].map_or((0, false), |fact| (classes(&fact.call.usage), fact.client));
        let id = rows[forest.nodes[*node].place].as_ref().span_id;
        (detail, client, forest.depth[*node], std::cmp::Reverse(id))
    };
    let innermost = (0..group.len())
        .filter(|i| !is_above_next(*i))
        .map(|i| group[i]);
    innermost.max_by_key(rank).unwrap_or(group[0])
}

/// Rule c, from the leaves up. A tool between two calls makes them two: what a tool does is no part
/// of the model call above it, however alike their usage is.
fn wrappers<R: AsRef<Span>>(
    rows: &[R],
    forest: &Forest,
    facts: &[Option<Fact>],
    states: &mut [State],
) {
    let usage =
        |node: usize| -> Usage { facts[node].map_or_else(Usage::default, |fact| fact.call.usage) };
    let mut below: Vec<Option<Nearest>> =
        std::iter::repeat_with(|| None).take(facts.len()).collect();
    for &node in forest.order.iter().rev() {
        let mut near = below[node].take();
        if let Some(by) = without_usage(facts, states, node, near.as_ref()) {
            states[node] = State::Out {
                rule: Rule::Wrapper,
                by,
            };
        } else if states[node] == State::Counts && !usage(node).is_zero() {
            match near
                .as_ref()
                .and_then(|near| wrapped(&usage(node), near, usage))
            {
                Some(by) => {
                    states[node] = State::Out {
                        rule: Rule::Wrapper,
                        by,
                    }
                }
                None => near = Some(Nearest::of(node, &usage(node))),
            }
        }
        if rows[forest.nodes[node].place].as_ref().kind == FrameKind::Tool {
            continue;
        }
        let (Parent::Node(above), Some(near)) = (forest.parent[node], near) else {
            continue;
        };
        below[above] = Some(match below[above].take() {
            None => near,
            Some(siblings) => siblings.with(near, usage),
        });
    }
}

/// Of the spans of one call the one that counts gives the place. What it does not know of the usage, fees of tools and
/// lifetimes of cache writes above all, it takes from one that it stands for.
pub(crate) fn complete<R: AsRef<Span>>(rows: &[R], forest: &mut Forest, states: &[State]) {
    for node in 0..states.len() {
        let State::Out {
            rule: Rule::Wrapper | Rule::SameResponse,
            by,
        } = states[node]
        else {
            continue;
        };
        let call = |node: usize| call_of(rows[forest.nodes[node].source].as_ref());
        let knows_more = call(node)
            .zip(call(by))
            .is_some_and(|(outer, inner)| completes(outer, inner));
        if knows_more && states[by] == State::Counts {
            forest.nodes[by].source = forest.nodes[node].source;
        }
    }
}

/// True when `outer` is the same usage in more classes at the same provider's prices, or the only one with a price.
fn completes(outer: &Call, inner: &Call) -> bool {
    let (mine, theirs) = (classes(&outer.usage), classes(&inner.usage));
    let says_more = match (outer.cost, inner.cost) {
        (Some(_), None) => mine >= theirs,
        (Some(_), Some(_)) => mine > theirs && outer.provider == inner.provider,
        (None, _) => false,
    };
    says_more && same(&outer.usage, &inner.usage)
}

/// The call below of which one without usage is only the wrapper: it did not fail and names the same model.
fn without_usage(
    facts: &[Option<Fact>],
    states: &[State],
    node: usize,
    near: Option<&Nearest>,
) -> Option<usize> {
    let fact = facts[node].filter(|_| states[node] == State::Counts)?;
    let by = near?.first();
    let is_wrapper = fact.call.usage.is_zero() && !fact.error && !fact.aggregate;
    let inner = facts[by].filter(|inner| is_wrapper && same_model(fact.call, inner.call));
    inner.map(|_| by)
}

/// The call below that `outer` repeats, or the first of those that it sums.
fn wrapped(outer: &Usage, near: &Nearest, usage: impl Fn(usize) -> Usage) -> Option<usize> {
    let equal = near
        .like(outer, &usage)
        .find(|node| repeats(outer, &usage(*node)));
    let sum = || (near.len() > 1 && repeats(outer, near.sum())).then(|| near.first());
    equal.or_else(sum)
}
