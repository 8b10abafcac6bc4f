//! Log records that report a call which a span of their trace reports, too.
//!
//! A record joins the span it was written in if that is a call with the same usage, else the span with the same request
//! or response id, else the one with the same usage and model at the same time. The span gives the place, whichever
//! knows most gives the usage. A record that joins none is a call of its own.

use std::collections::HashMap;

use crate::{
    Call, Role, Signal, Span,
    identity::{ResponseKey, response_key, same_model},
    order::{Node, call_of},
    usage_match::{classes, repeats},
};

/// A record is written when its response has been read, the span may end before or after: microseconds between.
const APART_US: i64 = 10_000_000;

/// What a call is a better witness by: a known price, more token classes, an id.
pub(crate) fn knows(call: &Call) -> (bool, u8, bool) {
    (
        call.cost.is_some(),
        classes(&call.usage),
        call.response_id.is_some(),
    )
}

/// True unless something says that these are two calls.
fn may_be_one(span: &Call, log: &Call) -> bool {
    let same_usage = span.usage.is_zero()
        || repeats(&span.usage, &log.usage)
        || repeats(&log.usage, &span.usage);
    let ids = response_key(span).zip(response_key(log));
    same_usage && ids.is_none_or(|(mine, theirs)| mine == theirs)
}

/// Takes away the nodes of records that join a span's, which may get its usage from them. `nodes` are in canonical order.
pub(crate) fn join_logs<R: AsRef<Span>>(rows: &[R], nodes: &mut Vec<Node>) {
    let span = |node: &Node| rows[node.place].as_ref();
    let is_log = |node: &Node| span(node).signal == Signal::Log;
    if !nodes.iter().any(is_log) {
        return;
    }
    let owners = owners(rows, nodes);
    for (number, owner) in owners.iter().enumerate() {
        let Some(owner) = owner else { continue };
        let known = |row: usize| call_of(rows[row].as_ref()).map(knows);
        let (mine, theirs) = (nodes[*owner].source, nodes[number].source);
        if known(theirs) > known(mine) {
            nodes[*owner].source = theirs;
        }
    }
    let mut joined = owners.iter().map(Option::is_some);
    nodes.retain(|_| !joined.next().unwrap_or(false));
}

/// The node that each node joins.
fn owners<R: AsRef<Span>>(rows: &[R], nodes: &[Node]) -> Vec<Option<usize>> {
    let span = |node: usize| rows[nodes[node].place].as_ref();
    let calls = || {
        (0..nodes.len())
            .filter(|node| span(*node).signal == Signal::Span && span(*node).role == Role::Call)
            .filter_map(|node| Some((node, span(node).call.as_ref()?)))
    };
    let by_span: HashMap<_, _> = calls()
        .map(|(node, call)| (span(node).span_id, (node, call)))
        .collect();
    let mut by_id: HashMap<ResponseKey<'_>, usize> = HashMap::new();
    let mut by_input: HashMap<u64, Vec<(usize, &Call)>> = HashMap::new();
    for (node, call) in calls() {
        if let Some(id) = response_key(call) {
            by_id.entry(id).or_insert(node);
        }
        if !call.usage.is_zero() {
            for input in inputs(call) {
                by_input.entry(input).or_default().push((node, call));
            }
        }
    }
    let mut owners: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut left = Vec::new();
    for (number, owner) in owners.iter_mut().enumerate() {
        let log = span(number);
        let Some(call) = call_of(log).filter(|_| log.signal == Signal::Log) else {
            continue;
        };
        let around = log.parent_span_id.and_then(|parent| by_span.get(&parent));
        let around = around.filter(|(_, span)| may_be_one(span, call));
        let same_id = || response_key(call).and_then(|id| by_id.get(&id).copied());
        *owner = around.map(|(node, _)| *node).or_else(same_id);
        if owner.is_none() {
            left.push((number, call));
        }
    }
    // One to one in the order of their starts, so that k equal calls stay k calls.
    let mut taken = vec![false; nodes.len()];
    owners.iter().flatten().for_each(|node| taken[*node] = true);
    for (number, call) in left {
        let log = span(number);
        let is_close = |node: usize| {
            span(node).start_us.saturating_sub(APART_US) <= log.end_us
                && log.start_us <= span(node).end_us.saturating_add(APART_US)
        };
        let candidates = inputs(call)
            .into_iter()
            .flat_map(|input| by_input.get(&input));
        let found = candidates
            .flatten()
            .filter(|(node, other)| !taken[*node] && is_close(*node) && same_model(other, call))
            .find(|(_, other)| may_be_one(other, call));
        if let Some((node, _)) = found {
            taken[*node] = true;
            owners[number] = Some(*node);
        }
    }
    owners
}

/// What the total input may be called by another witness: all of it, or without its parts.
fn inputs(call: &Call) -> Vec<u64> {
    let mut inputs = vec![
        call.usage.total_input(),
        call.usage.get(costflame_pricing::TokenClass::Input),
    ];
    inputs.dedup();
    inputs
}
