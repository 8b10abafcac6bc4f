//! `/traces/{trace_id}`: one trace as a tree.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
};
use costflame_pricing::UsdSum;
use costflame_profile::{Attribution, TraceId};
use costflame_store::{
    UNSAMPLED,
    query::{self, Sums},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    shapes::{AttributionBody, CallBrief, Estimate, Tokens},
    span_tree::{SpanNode, SpanTree},
    state::ApiState,
    traces::{MAX_SERVICES, Root, TraceRow},
    words::{Dollars, Kind, RoleWord, RuleWord, Time},
};
use crate::{
    hex,
    params::{Invalid, Params},
};

/// Most spans of one answer.
const MAX_SPANS: usize = 5_000;

/// One span of a trace.
#[derive(Serialize, ToSchema)]
pub(super) struct TraceSpan {
    /// 16 hex digits.
    span_id: String,
    /// null for a root. Where the parent has not been seen, that of the span it is known to lie below, or null.
    #[schema(required)]
    parent_span_id: Option<String>,
    /// True when the span names a parent that has not been seen.
    missing_parent: bool,
    /// Empty if the resource named none.
    service: String,
    /// What its frame stands for.
    kind: Kind,
    /// Frame label, low cardinality.
    label: String,
    /// The same: names of spans are not kept.
    name: String,
    /// Path id of the frame of this span.
    path: String,
    /// Start of the span.
    start: Time,
    /// Microseconds from start to end.
    duration_us: i64,
    /// It ended with an error.
    error: bool,
    /// Whether it is a call.
    role: RoleWord,
    /// Cost of the span's own call if it counts and is priced, else "0".
    self_cost_usd: Dollars,
    /// Self cost of this span and all below it.
    total_cost_usd: Dollars,
    /// Counted calls at or below this span.
    calls: u64,
    /// Calls without a price at or below this span.
    unpriced: u64,
    /// Set exactly when the role is not plain.
    #[schema(required)]
    call: Option<CallBrief>,
}

/// Calls left out by rule, and what they would have cost.
#[derive(Serialize, ToSchema)]
#[schema(as = TraceExcluded)]
pub(super) struct ExcludedCalls {
    /// How many.
    calls: u64,
    /// What they would have cost.
    cost_usd: Dollars,
    /// The rules that fired, each once.
    rules: Vec<RuleWord>,
}

/// One trace, whatever range and filters.
#[derive(Serialize, ToSchema)]
pub(super) struct Trace {
    /// As in the list.
    #[serde(flatten)]
    row: TraceRow,
    /// Nothing of it waits to be settled. Until then its figures are those of what has arrived, and part of no other answer.
    settled: bool,
    /// Values that hold at the root (nearest wins further down).
    attribution: AttributionBody,
    /// What was left out.
    excluded: ExcludedCalls,
    /// Every span, parents before children, depth first, siblings by start.
    tree: Vec<TraceSpan>,
    /// Spans that were left away because the trace has more than 5000.
    truncated: usize,
}

/// One trace as a tree.
#[utoipa::path(get, path = "/traces/{trace_id}", params(
    ("trace_id" = String, Path, description = "32 hex digits.", pattern = "^[0-9a-f]{32}$"),
), responses(
    (status = 200, body = Trace),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn trace(
    State(api): State<ApiState>,
    Path(trace_id): Path<String>,
    params: Params,
) -> Result<Json<Trace>, ApiError> {
    let project = params.project();
    params.finish()?;
    let trace_id = read_trace_id(&trace_id)?;
    let found = query::trace(&mut api.snapshot().await?, project, trace_id).await?;
    let found = found.ok_or_else(|| ApiError::NotFound("There is no such trace.".to_owned()))?;
    // Settling a long trace takes its time; other requests go on meanwhile.
    let body = tokio::task::spawn_blocking(move || body(project, trace_id, found)).await;
    Ok(Json(body.map_err(|_| ApiError::Internal)?))
}

/// Reads a trace id of a request's path.
pub(super) fn read_trace_id(text: &str) -> Result<TraceId, Invalid> {
    hex::read(text)
        .map(TraceId)
        .ok_or_else(|| Invalid::new("trace_id", "It must be 32 hex digits."))
}

fn body(project: i32, trace_id: TraceId, found: query::Trace) -> Trace {
    let attribution = root_attribution(&found);
    let services = services(&found);
    let query::Trace {
        record,
        calls,
        landed,
        paths,
        settled,
    } = found;
    let tree = SpanTree::new(project, landed, calls, &paths);
    let row = row(trace_id, record.as_ref(), &tree, services);
    let (nodes, truncated) = tree.bounded(MAX_SPANS);
    Trace {
        row,
        settled,
        attribution: AttributionBody::from(&attribution),
        excluded: excluded(&tree),
        tree: nodes
            .into_iter()
            .map(|node| trace_span(&tree, node))
            .collect(),
        truncated,
    }
}

/// What the first span without a parent says.
fn root_attribution(found: &query::Trace) -> Attribution {
    let spans = found.landed.iter().map(|row| &row.span);
    let root =
        spans.min_by_key(|span| (span.parent_span_id.is_some(), span.start_us, span.span_id));
    root.map(|span| (*span.attribution).clone())
        .unwrap_or_default()
}

fn services(found: &query::Trace) -> BTreeSet<String> {
    let listed = found
        .record
        .iter()
        .flat_map(|record| record.services.iter().cloned());
    let landed = found.landed.iter().map(|row| row.span.service.to_string());
    landed
        .chain(listed)
        .filter(|service| !service.is_empty())
        .collect()
}

/// Figures of what is in the tree, so that they add up to it also before it has settled.
fn row(
    trace_id: TraceId,
    record: Option<&query::TraceRecord>,
    tree: &SpanTree,
    services: BTreeSet<String>,
) -> TraceRow {
    let nodes = || tree.nodes.iter();
    let starts = nodes()
        .map(|node| node.start_us)
        .chain(record.map(|record| record.start_us));
    let ends = nodes()
        .map(|node| node.end_us)
        .chain(record.map(|record| record.end_us));
    let (start_us, end_us) = (
        starts.min().unwrap_or_default(),
        ends.max().unwrap_or_default(),
    );
    let mut row = TraceRow {
        trace_id: trace_id.to_string(),
        start: Time(start_us),
        duration_us: end_us.saturating_sub(start_us),
        root: tree
            .top
            .filter(|_| tree.root_seen)
            .map(|top| root(&tree.nodes[top])),
        cost_usd: Dollars::default(),
        estimate: None,
        calls: 0,
        errors: 0,
        unpriced: 0,
        tokens: Tokens::default(),
        spans: (tree.nodes.len() as u64).max(record.map_or(0, |record| record.spans)),
        services: services.into_iter().take(MAX_SERVICES).collect(),
    };
    if row.root.is_none() {
        row.root = record.and_then(|record| TraceRow::from(record).root);
    }
    let (mut cost, mut sampled) = (UsdSum::default(), Sums::default());
    for (node, call) in tree.calls().filter(|(_, call)| call.why.is_none()) {
        cost += node.own_cost;
        sampled.unseen_calls += i128::from(call.weight_milli) - i128::from(UNSAMPLED);
        sampled.unseen_cost += call.unseen_cost.unwrap_or_default();
        row.calls += 1;
        row.errors += u64::from(call.error);
        row.unpriced += u64::from(call.cost.is_none());
        for (sum, tokens) in row.tokens.0.iter_mut().zip(call.tokens) {
            *sum += i128::from(tokens);
        }
    }
    row.cost_usd = Dollars(cost);
    (sampled.calls, sampled.cost) = (row.calls, cost);
    row.estimate = Estimate::of(&sampled);
    row
}

fn root(node: &SpanNode) -> Root {
    Root {
        service: node.service.clone(),
        kind: Kind(node.kind),
        label: node.label.clone(),
        name: node.label.clone(),
    }
}

fn excluded(tree: &SpanTree) -> ExcludedCalls {
    let mut cost = UsdSum::default();
    let mut calls = 0;
    let mut rules = BTreeSet::new();
    for (_, call) in tree.calls() {
        let Some(why) = call.why else { continue };
        calls += 1;
        cost += call.cost.unwrap_or_default();
        rules.insert(why.rule);
    }
    ExcludedCalls {
        calls,
        cost_usd: Dollars(cost),
        rules: rules.into_iter().map(RuleWord).collect(),
    }
}

fn trace_span(tree: &SpanTree, node: &SpanNode) -> TraceSpan {
    // What is below an aggregate or a wrapper stands for it.
    let stand_ins = usize::try_from(node.calls).ok().filter(|calls| *calls > 0);
    TraceSpan {
        span_id: node.span_id.to_string(),
        parent_span_id: tree.parent_id(node).map(|parent| parent.to_string()),
        missing_parent: node.missing_parent,
        service: node.service.clone(),
        kind: Kind(node.kind),
        label: node.label.clone(),
        name: node.label.clone(),
        path: node.path.to_string(),
        start: Time(node.start_us),
        duration_us: node.end_us.saturating_sub(node.start_us),
        error: node.error,
        role: RoleWord(node.role),
        self_cost_usd: Dollars(node.own_cost),
        total_cost_usd: Dollars(node.total_cost),
        calls: node.calls,
        unpriced: node.unpriced,
        call: node
            .call
            .as_ref()
            .map(|call| CallBrief::new(call, stand_ins)),
    }
}
