//! `/calls/{trace_id}/{span_id}`: how a call came to its cost.

use axum::{
    Json,
    extract::{Path, State},
};
use costflame_pricing::{Accounting, Flag, Line, Receipt as PriceReceipt, TokenClass};
use costflame_profile::{PathId, SpanId};
use costflame_store::query::{self, CallReceipt, CallRecord, Paths};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    calls::CallRow,
    error::{ApiError, ErrorBody},
    shapes::{AttributionBody, FrameRef, frames},
    span_tree::{SpanTree, role},
    state::ApiState,
    trace::read_trace_id,
    words::{AccountingWord, Count, Dollars, Kind, LineUnit, RoleWord, RuleWord, SignalWord, Time},
};
use crate::{
    hex,
    params::{Invalid, Params},
};

/// amount = round_half_even(quantity × rate / per), in pico-dollars.
#[derive(Serialize, ToSchema)]
pub(super) struct ReceiptLine {
    /// What is counted.
    unit: LineUnit,
    /// How many.
    quantity: u64,
    /// Dollars for `per` units, multiplier included.
    rate_usd: Dollars,
    /// 1,000,000 for tokens, 1,000 or 1 for others.
    per: u32,
    /// The amount of this line.
    amount_usd: Dollars,
}

impl From<&Line> for ReceiptLine {
    fn from(line: &Line) -> Self {
        Self {
            unit: LineUnit(line.unit),
            quantity: line.quantity,
            rate_usd: Dollars::from(costflame_pricing::Usd(line.rate)),
            per: line.per,
            amount_usd: Dollars::from(line.amount),
        }
    }
}

/// The price that was applied.
#[derive(Serialize, ToSchema)]
pub(super) struct Price {
    /// Provider id in the catalog.
    provider: String,
    /// Model id in the catalog.
    model: String,
    /// What narrowed the choice, in words; empty if nothing.
    condition: String,
    /// First day in force, YYYY-MM-DD, if the catalog says so.
    #[schema(required)]
    since: Option<String>,
}

/// The price snapshot the cost was computed with.
#[derive(Serialize, ToSchema)]
pub(super) struct Catalog {
    /// First 8 bytes of the SHA-256 of its source text, hex.
    id: String,
    /// Where it is from; null when the snapshot is no longer known.
    #[schema(required)]
    source: Option<String>,
    /// When it was fetched.
    #[schema(required)]
    fetched_at: Option<Time>,
    /// SHA-256 of its source text, hex.
    #[schema(required)]
    sha256: Option<String>,
}

/// How the usage was read.
#[derive(Serialize, ToSchema)]
#[schema(as = Accounting)]
pub(super) struct AccountingBody {
    /// Which rule decided whether cached tokens are part of the reported input.
    rule: AccountingWord,
    /// Input tokens as the span said, before the classes were made disjoint; null if it said nothing, or if numbers
    /// had to be corrected so that what it said is no longer known.
    #[schema(required)]
    reported_input: Option<Count>,
    /// The same of output tokens.
    #[schema(required)]
    reported_output: Option<Count>,
}

/// A call left out in favour of this one.
#[derive(Serialize, ToSchema)]
pub(super) struct ExcludedCall {
    /// 32 hex digits.
    trace_id: String,
    /// 16 hex digits.
    span_id: String,
    /// Empty if the resource named none.
    service: String,
    /// What its frame stands for.
    kind: Kind,
    /// Frame label.
    label: String,
    /// The rule that left it out.
    rule: RuleWord,
    /// What it would have cost.
    #[schema(required)]
    cost_usd: Option<Dollars>,
}

/// How a call came to its cost.
#[derive(Serialize, ToSchema)]
pub(super) struct Receipt {
    /// As in the list.
    #[serde(flatten)]
    row: CallRow,
    /// The label: names of spans are not kept.
    name: String,
    /// What its frame stands for.
    kind: Kind,
    /// Frame label.
    label: String,
    /// Frames from the root to the call, the call's own last.
    path: Vec<FrameRef>,
    /// Whether it is a call or repeats others.
    role: RoleWord,
    /// Model that was asked for.
    #[schema(required)]
    request_model: Option<String>,
    /// Model that served.
    #[schema(required)]
    response_model: Option<String>,
    /// Own and inherited values.
    attribution: AttributionBody,
    /// Instrumentation scope, name@version; empty if none.
    emitter: String,
    /// Where the usage was read from.
    signal: SignalWord,
    /// One line per class and unit used; empty when unpriced. Adds up to `cost_usd`.
    lines: Vec<ReceiptLine>,
    /// The price that was applied.
    #[schema(required)]
    price: Option<Price>,
    /// The price snapshot.
    #[schema(required)]
    catalog: Option<Catalog>,
    /// How the usage was read.
    accounting: AccountingBody,
    /// What the emitter itself said it cost; never summed with ours.
    #[schema(required)]
    reported_cost_usd: Option<Dollars>,
    /// Calls left out in favour of this one.
    excluded: Vec<ExcludedCall>,
}

/// How a call came to its cost.
#[utoipa::path(get, path = "/calls/{trace_id}/{span_id}", params(
    ("trace_id" = String, Path, description = "32 hex digits.", pattern = "^[0-9a-f]{32}$"),
    ("span_id" = String, Path, description = "16 hex digits.", pattern = "^[0-9a-f]{16}$"),
), responses(
    (status = 200, body = Receipt),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn receipt(
    State(api): State<ApiState>,
    Path((trace_id, span_id)): Path<(String, String)>,
    params: Params,
) -> Result<Json<Receipt>, ApiError> {
    let project = params.project();
    params.finish()?;
    let trace_id = read_trace_id(&trace_id)?;
    let span_id = hex::read(&span_id).map(SpanId);
    let span_id = span_id.ok_or_else(|| Invalid::new("span_id", "It must be 16 hex digits."))?;
    let found = query::receipt(&mut api.snapshot().await?, project, (trace_id, span_id)).await?;
    let found =
        found.ok_or_else(|| ApiError::NotFound("There is no such settled call.".to_owned()))?;
    Ok(Json(body(project, found)))
}

fn body(project: i32, found: CallReceipt) -> Receipt {
    let CallReceipt {
        call,
        siblings,
        receipt,
        catalog,
        rivals,
        paths,
        landed,
    } = found;
    let stands_for = |other: &&CallRecord| other.why.is_some_and(|why| why.by == Some(call.id()));
    let excluded: Vec<CallRecord> = siblings
        .iter()
        .chain(&rivals)
        .filter(stands_for)
        .cloned()
        .collect();
    let tree = SpanTree::new(
        project,
        landed,
        siblings.into_iter().chain([call.clone()]).collect(),
        &paths,
    );
    let below = tree
        .nodes
        .iter()
        .find(|node| node.span_id == call.span_id)
        .map(|node| node.calls);
    let stand_ins = below
        .and_then(|calls| usize::try_from(calls).ok())
        .filter(|calls| *calls > 0);
    let (kind, label) = frame(&tree, &paths, &call);
    let path = frames(&paths, call.path);
    let mut attribution = AttributionBody::from(&call.attribution);
    // The same tool as in filters and breakdowns.
    attribution.tool = paths
        .tool(call.path)
        .map(str::to_owned)
        .or(attribution.tool);
    Receipt {
        row: CallRow::new(&call, stand_ins),
        name: label.clone(),
        kind,
        label,
        path,
        role: RoleWord(role(&call)),
        request_model: call.request_model.clone(),
        response_model: call.response_model.clone(),
        attribution,
        emitter: call.emitter.clone(),
        signal: SignalWord(call.signal),
        lines: receipt.lines.iter().map(ReceiptLine::from).collect(),
        price: receipt.price.as_ref().map(|price| Price {
            provider: price.provider.clone(),
            model: price.model.clone(),
            condition: price.condition.clone(),
            since: price.since.clone(),
        }),
        catalog: receipt
            .price
            .is_some()
            .then(|| catalog_body(&call, catalog)),
        accounting: accounting(&receipt, call.flags),
        reported_cost_usd: call.reported.map(Dollars::from),
        excluded: excluded_calls(&excluded, &tree, &paths),
    }
}

/// The frame of the call's own span; of a span that has been dropped, of its path.
fn frame(tree: &SpanTree, paths: &Paths, call: &CallRecord) -> (Kind, String) {
    let own = tree.nodes.iter().find(|node| node.span_id == call.span_id);
    match own {
        Some(node) => (Kind(node.kind), node.label.clone()),
        None => path_frame(paths, call.path),
    }
}

fn path_frame(paths: &Paths, path: PathId) -> (Kind, String) {
    let frame = paths.get(path).map(|path| &path.frame);
    let label = frame
        .map(|frame| frame.label.to_string())
        .unwrap_or_default();
    (
        Kind(frame.map(|frame| frame.kind).unwrap_or_default()),
        label,
    )
}

fn catalog_body(call: &CallRecord, catalog: Option<query::Catalog>) -> Catalog {
    let (source, fetched_us, sha256) = match catalog {
        Some(known) => (
            Some(known.source),
            Some(known.fetched_us),
            Some(hex::write(&known.sha256)),
        ),
        None => (None, None, None),
    };
    Catalog {
        id: hex::write(&call.catalog.0),
        source,
        fetched_at: fetched_us.map(Time),
        sha256,
    }
}

/// What the span said follows from the classes and the rule, unless a number was corrected.
fn accounting(receipt: &PriceReceipt, flags: costflame_pricing::Flags) -> AccountingBody {
    let usage = &receipt.usage;
    let corrected = [Flag::Clamped, Flag::BadNumber]
        .into_iter()
        .any(|flag| flags.contains(flag));
    let known = !corrected && !usage.is_zero();
    let (input, output) = match receipt.accounting {
        Accounting::Spec | Accounting::EmitterInclusive => {
            (usage.total_input(), usage.total_output())
        }
        Accounting::EmitterExclusive | Accounting::ArithmeticExclusive => {
            let cached = [
                TokenClass::CacheRead,
                TokenClass::CacheWrite,
                TokenClass::CacheWrite1h,
                TokenClass::CacheReadAudio,
            ];
            let cached: u64 = cached.into_iter().map(|class| usage.get(class)).sum();
            (
                usage.total_input().saturating_sub(cached),
                usage.total_output(),
            )
        }
        Accounting::Disjoint => (usage.get(TokenClass::Input), usage.get(TokenClass::Output)),
    };
    // Reasoning was added because the emitter had left it out.
    let added = if flags.contains(Flag::ReasoningAdded) {
        usage.get(TokenClass::Reasoning)
    } else {
        0
    };
    let shown = |tokens: u64| (known && tokens > 0).then(|| Count(tokens.into()));
    AccountingBody {
        rule: AccountingWord(receipt.accounting),
        reported_input: shown(input),
        reported_output: shown(output.saturating_sub(added)),
    }
}

fn excluded_calls(excluded: &[CallRecord], tree: &SpanTree, paths: &Paths) -> Vec<ExcludedCall> {
    let shown = excluded.iter().filter_map(|call| {
        let own = tree.nodes.iter().find(|node| {
            node.call
                .as_ref()
                .is_some_and(|known| known.id() == call.id())
        });
        let (kind, label) = own.map_or_else(
            || path_frame(paths, call.path),
            |node| (Kind(node.kind), node.label.clone()),
        );
        Some(ExcludedCall {
            trace_id: call.trace_id.to_string(),
            span_id: call.span_id.to_string(),
            service: call.service.clone(),
            kind,
            label,
            rule: RuleWord(call.why?.rule),
            cost_usd: call.cost.map(Dollars::from),
        })
    });
    shown.collect()
}
