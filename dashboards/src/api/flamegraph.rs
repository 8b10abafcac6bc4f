//! `/flamegraph`: the cost tree, pruned, of one selection of calls or of two side by side.

use std::cmp::Reverse;

use axum::{Json, extract::State};
use costflame_pricing::{TokenClass, UsdSum};
use costflame_profile::{Measure, Metric, Node, PathId, PathRow, Tree};
use costflame_store::query::{self, PathSums, Sums};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    compare::BaseParams,
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{Amounts, Estimate, PicoAmounts, Tokens},
    state::{ApiState, selection},
    words::{IntText, Kind, LineUnit},
};
use crate::{
    filter::base_selection,
    params::{Invalid, Params},
};

pub(super) const DEFAULT_NODES: usize = 5_000;
pub(super) const MAX_NODES: usize = 50_000;

/// Names of the metrics.
pub(super) const METRICS: [(&str, Metric); 4] = [
    ("cost", Metric::Cost),
    ("tokens", Metric::Tokens),
    ("calls", Metric::Calls),
    ("duration", Metric::Duration),
];

/// A frame's sums in the selection and in the one it is compared with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    now: Sums,
    base: Sums,
}

fn value(sums: &Sums, metric: Metric) -> i128 {
    match metric {
        Metric::Cost => sums.cost.0,
        Metric::Tokens => sums.total_tokens(),
        Metric::Calls => sums.calls.into(),
        Metric::Duration => sums.duration_us,
    }
}

impl Measure for Pair {
    fn add(&mut self, other: &Self) {
        self.now += &other.now;
        self.base += &other.base;
    }

    fn value(&self, metric: Metric) -> i128 {
        value(&self.now, metric)
    }

    fn weight(&self, metric: Metric) -> u128 {
        let size = |sums| value(sums, metric).unsigned_abs();
        size(&self.now).saturating_add(size(&self.base))
    }
}

/// The same calls with the tokens and the cost of one class alone.
fn of_class(sums: &Sums, class: TokenClass) -> Sums {
    let place = class as usize;
    let mut only = Sums {
        tokens: Default::default(),
        amounts: Default::default(),
        unseen_cost: UsdSum::default(),
        other_amount: UsdSum::default(),
        cost: sums.amounts[place],
        ..*sums
    };
    only.tokens[place] = sums.tokens[place];
    only.amounts[place] = sums.amounts[place];
    only
}

/// One frame. Values are in `unit`; counts, tokens and amounts are over the subtree.
#[derive(Serialize, ToSchema)]
#[schema(as = Frame)]
pub(super) struct FrameBody {
    /// Path id, hex; null for the folded rest "(other)".
    #[schema(required)]
    id: Option<String>,
    /// Path id of the parent; null = below the root of all. Of a folded rest too.
    #[schema(required)]
    parent: Option<String>,
    /// Empty if the resource named none.
    service: String,
    /// What it stands for.
    kind: Kind,
    /// Low-cardinality label.
    label: String,
    /// Of the calls that end here.
    #[serde(rename = "self")]
    own: IntText,
    /// Self and everything below.
    total: IntText,
    /// Counted calls in the subtree.
    calls: u64,
    /// Calls with an error in the subtree.
    errors: u64,
    /// Calls without a price in the subtree.
    unpriced: u64,
    /// Over the subtree. Absent = {}.
    #[serde(skip_serializing_if = "Tokens::is_empty")]
    #[schema(required = false)]
    tokens: Tokens,
    /// Over the subtree; adds up to its cost. Absent = {}.
    #[serde(skip_serializing_if = "PicoAmounts::is_empty")]
    #[schema(required = false)]
    amounts: PicoAmounts,
    /// The other side, only in a difference.
    #[serde(flatten)]
    base: Option<FrameBase>,
}

/// A frame in the selection it is compared with.
#[derive(Serialize, ToSchema)]
pub(super) struct FrameBase {
    #[schema(required = false)]
    base_self: IntText,
    #[schema(required = false)]
    base_total: IntText,
    #[schema(required = false)]
    base_calls: u64,
}

/// The cost tree: parents before children, siblings by total, largest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Flamegraph {
    /// `cost`, `tokens`, `calls` or `duration`.
    metric: &'static str,
    /// `picousd`, `tokens`, `calls` or `us`.
    unit: &'static str,
    /// Sum of `self` over all frames.
    total: IntText,
    /// The same of the other side; only in a difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    base_total: Option<IntText>,
    /// Only this token class; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    class: Option<&'static str>,
    /// Counted calls in the selection.
    calls: u64,
    /// Only where something in the selection was sampled; of all its calls, whatever the metric and the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<Estimate>,
    /// Traces with a counted call; an estimate when very many calls pass a filter.
    traces: u64,
    /// Parents before children.
    frames: Vec<FrameBody>,
    /// What was folded.
    pruned: PrunedNodes,
}

/// Frames folded into "(other)".
#[derive(Serialize, ToSchema)]
#[schema(as = Pruned)]
pub(super) struct PrunedNodes {
    /// How many.
    nodes: usize,
}

/// The cost tree of a selection, or its difference to another one.
#[utoipa::path(get, path = "/flamegraph", params(
    FilterParams,
    ("metric" = Option<String>, Query, description = "cost (default), tokens, calls or duration.", pattern = "^(cost|tokens|calls|duration)$"),
    ("class" = Option<LineUnit>, Query, description = "Only this token class: of cost what it cost, of tokens its own. \
                                                     Goes with these two metrics."),
    ("max_nodes" = Option<usize>, Query, description = "Frames at most; the smallest are folded into \"(other)\". \
                                                        Default 5000.", minimum = 1, maximum = 50000),
    BaseParams,
), responses(
    (status = 200, body = Flamegraph),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn flamegraph(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Flamegraph>, ApiError> {
    let selection = selection(&mut params)?;
    let base = base_selection(&mut params, &selection, Timestamp::now())?;
    let metric = params.choice("metric", &METRICS)?.unwrap_or_default();
    let class = params.choice("class", &TokenClass::ALL.map(|class| (class.name(), class)))?;
    if class.is_some() && !matches!(metric, Metric::Cost | Metric::Tokens) {
        return Err(Invalid::new("class", "It goes with the metrics cost and tokens.").into());
    }
    let max_nodes = params.number("max_nodes", DEFAULT_NODES, (1, MAX_NODES))?;
    params.finish()?;

    let mut snapshot = api.snapshot().await?;
    let now = query::path_sums(&mut snapshot, &selection.filter).await?;
    let base = match &base {
        Some(base) => Some(query::path_sums(&mut snapshot, base).await?),
        None => None,
    };
    drop(snapshot);
    // Building and pruning take long for a large tree; other requests go on meanwhile.
    let body = tokio::task::spawn_blocking(move || body(now, base, metric, class, max_nodes));
    let body = body.await;
    Ok(Json(body.map_err(|_| ApiError::Internal)?))
}

fn body(
    now: PathSums,
    base: Option<PathSums>,
    metric: Metric,
    class: Option<TokenClass>,
    max_nodes: usize,
) -> Flamegraph {
    let compared = base.is_some();
    let traces = now.traces.traces;
    let mut whole = Sums::default();
    for (_, sums) in &now.paths {
        whole += sums;
    }
    let estimate = Estimate::of(&whole);
    let tree = tree(now, base, class);
    let total = tree.total();
    let pruned = tree.prune(max_nodes, metric);
    Flamegraph {
        metric: metric.name(),
        unit: unit(metric),
        total: IntText(value(&total.now, metric)),
        base_total: compared.then(|| IntText(value(&total.base, metric))),
        class: class.map(TokenClass::name),
        calls: total.now.calls,
        estimate,
        traces,
        frames: frames(&pruned.tree, metric, compared),
        pruned: PrunedNodes {
            nodes: pruned.folded,
        },
    }
}

/// The whole tree of one selection, or of two side by side; of one token class alone if it is named.
pub(super) fn tree(now: PathSums, base: Option<PathSums>, class: Option<TokenClass>) -> Tree<Pair> {
    let mut paths: Vec<PathRow> = Vec::new();
    let mut own: Vec<(PathId, Pair)> = Vec::new();
    let mut add = |sums: PathSums, pair: fn(Sums) -> Pair| {
        for (path, sums) in sums.paths {
            if sums.calls > 0 {
                own.push((
                    path.id,
                    pair(class.map_or(sums, |class| of_class(&sums, class))),
                ));
            }
            paths.push(path);
        }
    };
    add(now, |now| Pair {
        now,
        base: Sums::default(),
    });
    if let Some(base) = base {
        add(base, |base| Pair {
            now: Sums::default(),
            base,
        });
    }
    Tree::from_rows(paths, own)
}

const fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Cost => "picousd",
        Metric::Tokens => "tokens",
        Metric::Calls => "calls",
        Metric::Duration => "us",
    }
}

/// Depth first, siblings by total, largest first, `(other)` last.
fn frames(tree: &Tree<Pair>, metric: Metric, compared: bool) -> Vec<FrameBody> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); tree.nodes.len() + 1];
    let top = tree.nodes.len();
    for (place, node) in tree.nodes.iter().enumerate() {
        children[node.parent.unwrap_or(top)].push(place);
    }
    for siblings in &mut children {
        siblings.sort_by_key(|place| {
            let node = &tree.nodes[*place];
            (node.id.is_none(), Reverse(value(&node.total.now, metric)))
        });
    }
    let mut frames = Vec::with_capacity(tree.nodes.len());
    let mut stack: Vec<usize> = children[top].iter().rev().copied().collect();
    while let Some(place) = stack.pop() {
        frames.push(frame(tree, &tree.nodes[place], metric, compared));
        stack.extend(children[place].iter().rev());
    }
    frames
}

fn frame(tree: &Tree<Pair>, node: &Node<Pair>, metric: Metric, compared: bool) -> FrameBody {
    let parent = node.parent.and_then(|parent| tree.nodes[parent].id);
    let total = &node.total.now;
    FrameBody {
        id: node.id.map(|id| id.to_string()),
        parent: parent.map(|id| id.to_string()),
        service: node.frame.service.to_string(),
        kind: Kind(node.frame.kind),
        label: node.frame.label.to_string(),
        own: IntText(value(&node.own.now, metric)),
        total: IntText(value(total, metric)),
        calls: total.calls,
        errors: total.errors,
        unpriced: total.unpriced_calls,
        tokens: Tokens(total.tokens),
        amounts: PicoAmounts(Amounts::of(total)),
        base: compared.then(|| FrameBase {
            base_self: IntText(value(&node.own.base, metric)),
            base_total: IntText(value(&node.total.base, metric)),
            base_calls: node.total.base.calls,
        }),
    }
}
