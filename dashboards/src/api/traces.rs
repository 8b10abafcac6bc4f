//! `/traces`: the traces that contain a call of the selection.

use axum::{Json, extract::State};
use costflame_profile::TraceId;
use costflame_store::query::{self, Order, Sort, TraceRecord};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{Estimate, Tokens},
    state::{ApiState, selection},
    words::{Dollars, Kind, Time},
};
use crate::{cursor::Question, params::Params};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

/// Services that are named for one trace.
pub(super) const MAX_SERVICES: usize = 10;

const SORTS: [(&str, Sort); 4] = [
    ("start", Sort::Start),
    ("cost", Sort::Cost),
    ("duration", Sort::Duration),
    ("calls", Sort::Calls),
];

/// A trace in a list. Its sums are over all its counted calls, whatever the filters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct TraceRow {
    /// 32 hex digits.
    pub(super) trace_id: String,
    /// Earliest start of a span.
    pub(super) start: Time,
    /// Microseconds from there to the latest end.
    pub(super) duration_us: i64,
    /// The root span's frame; null if no root has arrived.
    #[schema(required)]
    pub(super) root: Option<Root>,
    /// Cost of the calls with a price.
    pub(super) cost_usd: Dollars,
    /// Only where something was sampled: how many such traces there are, and what they cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) estimate: Option<Estimate>,
    /// Counted calls.
    pub(super) calls: u64,
    /// Counted calls whose span ended with an error.
    pub(super) errors: u64,
    /// Counted calls without a price.
    pub(super) unpriced: u64,
    /// Tokens of the counted calls.
    pub(super) tokens: Tokens,
    /// Spans of the trace.
    pub(super) spans: u64,
    /// Services seen in the trace, by name, at most 10.
    pub(super) services: Vec<String>,
}

/// The root span.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Root {
    /// Empty if the resource named none.
    pub(super) service: String,
    /// What its frame stands for.
    pub(super) kind: Kind,
    /// Low-cardinality label.
    pub(super) label: String,
    /// The same: names of spans are not kept.
    pub(super) name: String,
}

impl From<&TraceRecord> for TraceRow {
    fn from(record: &TraceRecord) -> Self {
        let sums = &record.sums;
        Self {
            trace_id: record.trace_id.to_string(),
            start: Time(record.start_us),
            duration_us: record.end_us.saturating_sub(record.start_us),
            root: record.root.as_ref().map(|(service, kind, label)| Root {
                service: service.clone(),
                kind: Kind(*kind),
                label: label.clone(),
                name: label.clone(),
            }),
            cost_usd: Dollars(sums.cost),
            estimate: Estimate::of(sums),
            calls: sums.calls,
            errors: sums.errors,
            unpriced: sums.unpriced_calls,
            tokens: Tokens(sums.tokens),
            spans: record.spans,
            services: record.services.iter().take(MAX_SERVICES).cloned().collect(),
        }
    }
}

/// A page of traces.
#[derive(Serialize, ToSchema)]
pub(super) struct TraceList {
    /// In the order asked for.
    traces: Vec<TraceRow>,
    /// `cursor` of the next page; null after the last one.
    #[schema(required)]
    next: Option<String>,
}

/// Sort value and id of the last trace of a page.
type Key = (i128, [u8; 16]);

/// The traces with a call that passes the filters.
#[utoipa::path(get, path = "/traces", params(
    FilterParams,
    ("sort" = Option<String>, Query, description = "start (default), cost, duration or calls.", pattern = "^(start|cost|duration|calls)$"),
    ("order" = Option<String>, Query, description = "desc (default) or asc.", pattern = "^(desc|asc)$"),
    ("limit" = Option<usize>, Query, description = "Rows at most.", minimum = 1, maximum = 500),
    ("cursor" = Option<String>, Query, description = "`next` of the page before."),
), responses(
    (status = 200, body = TraceList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn traces(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<TraceList>, ApiError> {
    let selection = selection(&mut params)?;
    let sort = params.choice("sort", &SORTS)?.unwrap_or(Sort::Start);
    let descending = params
        .choice("order", &[("desc", true), ("asc", false)])?
        .unwrap_or(true);
    let limit = params.number("limit", DEFAULT_LIMIT, (1, MAX_LIMIT))?;
    let cursor = params.take("cursor")?;
    params.finish()?;

    let mut filter = selection.filter;
    let list = format!("traces {sort:?} {descending}");
    let range = (filter.from_us, filter.to_us);
    let mut question = Question::new(&list, &filter.clauses, range, selection.default_range);
    let after = cursor
        .map(|cursor| question.resume::<Key>(&cursor))
        .transpose()?;
    (filter.from_us, filter.to_us) = (question.from_us, question.to_us);
    let after = after.map(|(value, trace)| (value, TraceId(trace)));

    let order = Order { sort, descending };
    let mut snapshot = api.snapshot().await?;
    let mut records = query::traces(&mut snapshot, &filter, order, after, limit + 1).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let last = records.last().filter(|_| more);
    let next = last.map(
        |TraceRecord {
             key: (value, trace),
             ..
         }| question.cursor::<Key>((*value, trace.0)),
    );
    Ok(Json(TraceList {
        traces: records.iter().map(TraceRow::from).collect(),
        next,
    }))
}
