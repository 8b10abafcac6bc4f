//! The spans of one trace with what they cost: landed spans for the shape, settled calls for the money.

use std::collections::HashMap;

use costflame_pricing::UsdSum;
use costflame_profile::{FrameKind, PathId, Role, Settled, SettledCall, SpanId, outline, settle};
use costflame_store::{
    LandingRow,
    query::{CallRecord, Paths, Why},
    unseen_cost,
};

/// One span.
#[derive(Clone, Debug)]
pub(super) struct SpanNode {
    pub(super) span_id: SpanId,
    /// Index of the parent, smaller than its own.
    pub(super) parent: Option<usize>,
    pub(super) missing_parent: bool,
    pub(super) service: String,
    pub(super) kind: FrameKind,
    pub(super) label: String,
    pub(super) path: PathId,
    pub(super) start_us: i64,
    pub(super) end_us: i64,
    pub(super) error: bool,
    pub(super) role: Role,
    pub(super) call: Option<CallRecord>,
    /// Cost of its own call, if that counts and is priced.
    pub(super) own_cost: UsdSum,
    /// The same of it and everything below.
    pub(super) total_cost: UsdSum,
    /// Counted calls at or below it.
    pub(super) calls: u64,
    /// Those without a price.
    pub(super) unpriced: u64,
}

/// The spans of a trace.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanTree {
    /// Parents before children, depth first, siblings by start.
    pub(super) nodes: Vec<SpanNode>,
    /// The first root; without one the first span whose parent is missing.
    pub(super) top: Option<usize>,
    /// `top` is a root.
    pub(super) root_seen: bool,
}

impl SpanTree {
    /// What is settled is as it was settled; what has landed since is as it would be settled now.
    /// Calls whose spans have been dropped stand alone.
    pub(super) fn new(
        project: i32,
        landed: Vec<LandingRow>,
        calls: Vec<CallRecord>,
        paths: &Paths,
    ) -> Self {
        let mut calls: HashMap<SpanId, CallRecord> =
            calls.into_iter().map(|call| (call.span_id, call)).collect();
        let settled = settle(project, landed.into_iter().map(Row).collect());
        let mut nodes: Vec<SpanNode> = Vec::new();
        for outlined in outline(project, &settled) {
            let span = &settled.rows[outlined.row].0.span;
            let provisional = outlined.call.map(|call| &settled.calls[call]);
            let call = calls
                .remove(&span.span_id)
                .or_else(|| provisional.and_then(|call| provisional_record(&settled, call)));
            let role = call.as_ref().map_or(Role::Plain, role);
            nodes.push(SpanNode {
                span_id: span.span_id,
                parent: outlined.parent,
                missing_parent: outlined.missing_parent,
                service: span.service.to_string(),
                kind: span.kind,
                label: span.label.to_string(),
                path: outlined.path,
                start_us: span.start_us,
                end_us: span.end_us,
                error: span.error,
                role,
                call,
                own_cost: UsdSum::default(),
                total_cost: UsdSum::default(),
                calls: 0,
                unpriced: 0,
            });
        }
        let mut alone: Vec<CallRecord> = calls.into_values().collect();
        alone.sort_by_key(|call| (call.start_us, call.span_id));
        nodes.extend(alone.into_iter().map(|call| standing_alone(call, paths)));
        let root_seen = settled.trace.root_seen;
        let top = settled
            .trace
            .top
            .and_then(|top| nodes.iter().position(|node| node.span_id == top));
        let mut tree = Self {
            nodes,
            top,
            root_seen,
        };
        tree.add_up();
        tree
    }

    fn add_up(&mut self) {
        for node in &mut self.nodes {
            let Some(call) = node.call.as_ref().filter(|call| call.why.is_none()) else {
                continue;
            };
            node.own_cost = call.cost.unwrap_or_default().into();
            node.total_cost = node.own_cost;
            node.calls = 1;
            node.unpriced = u64::from(call.cost.is_none());
        }
        for place in (0..self.nodes.len()).rev() {
            let node = &self.nodes[place];
            let (cost, calls, unpriced) = (node.total_cost, node.calls, node.unpriced);
            let Some(above) = node.parent else { continue };
            let above = &mut self.nodes[above];
            above.total_cost += cost;
            above.calls += calls;
            above.unpriced += unpriced;
        }
    }

    /// At most `limit` nodes, those on the way to counted calls first, and how many were left away.
    pub(super) fn bounded(&self, limit: usize) -> (Vec<&SpanNode>, usize) {
        if self.nodes.len() <= limit {
            return (self.nodes.iter().collect(), 0);
        }
        let mut kept = vec![false; self.nodes.len()];
        let mut room = limit;
        for wanted_calls in [true, false] {
            for (place, node) in self.nodes.iter().enumerate() {
                let reachable = node.parent.is_none_or(|parent| kept[parent]);
                if room > 0 && !kept[place] && reachable && (node.calls > 0) == wanted_calls {
                    kept[place] = true;
                    room -= 1;
                }
            }
        }
        let nodes: Vec<&SpanNode> = self
            .nodes
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(node, _)| node)
            .collect();
        let left = self.nodes.len() - nodes.len();
        (nodes, left)
    }

    /// The id of a node's parent.
    pub(super) fn parent_id(&self, node: &SpanNode) -> Option<SpanId> {
        node.parent.map(|parent| self.nodes[parent].span_id)
    }

    /// The calls with their nodes.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&SpanNode, &CallRecord)> {
        self.nodes
            .iter()
            .filter_map(|node| Some((node, node.call.as_ref()?)))
    }
}

/// A landed row as settling reads it.
struct Row(LandingRow);

impl AsRef<costflame_profile::Span> for Row {
    fn as_ref(&self) -> &costflame_profile::Span {
        &self.0.span
    }
}

/// Aggregates are calls with a flag.
pub(super) fn role(call: &CallRecord) -> Role {
    if call.flags.contains(costflame_pricing::Flag::Aggregate) {
        Role::Aggregate
    } else {
        Role::Call
    }
}

/// A call that has landed and is not settled yet.
fn provisional_record(settled: &Settled<Row>, call: &SettledCall) -> Option<CallRecord> {
    let (place, source) = (
        &settled.rows[call.span].0.span,
        &settled.rows[call.source].0,
    );
    let found = source.span.call.as_ref()?;
    let receipt = source.receipt.clone().unwrap_or_default();
    let text = |text: &Option<costflame_profile::Text>| text.as_deref().map(str::to_owned);
    let cost = found.cost;
    Some(CallRecord {
        trace_id: place.trace_id,
        span_id: place.span_id,
        start_us: place.start_us,
        end_us: place.end_us,
        cost,
        unpriced: receipt.unpriced.filter(|_| cost.is_none()),
        weight_milli: call.weight_milli,
        unseen_cost: unseen_cost(cost, call.weight_milli),
        reported: receipt.reported,
        error: place.error,
        why: call.excluded.map(|why| Why {
            rule: why.rule,
            by: Some((place.trace_id, why.by)),
        }),
        flags: receipt.flags.union(call.flags),
        tokens: found.usage.tokens,
        provider: text(&found.provider),
        request_model: text(&found.request_model),
        response_model: text(&found.response_model),
        operation: text(&found.operation),
        response_id: text(&found.response_id),
        service: place.service.to_string(),
        emitter: place.emitter.to_string(),
        attribution: (*call.attribution).clone(),
        path: call.path,
        signal: source.span.signal,
        catalog: receipt.catalog,
    })
}

fn standing_alone(call: CallRecord, paths: &Paths) -> SpanNode {
    let frame = paths.get(call.path).map(|path| &path.frame);
    SpanNode {
        span_id: call.span_id,
        parent: None,
        missing_parent: true,
        service: call.service.clone(),
        kind: frame.map_or(FrameKind::Model, |frame| frame.kind),
        label: frame
            .map(|frame| frame.label.to_string())
            .unwrap_or_default(),
        path: call.path,
        start_us: call.start_us,
        end_us: call.end_us,
        error: call.error,
        role: role(&call),
        call: Some(call),
        own_cost: UsdSum::default(),
        total_cost: UsdSum::default(),
        calls: 0,
        unpriced: 0,
    }
}
