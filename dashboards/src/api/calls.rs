//! `/calls`: every call, counted or not, newest first.

use std::collections::HashMap;

use axum::{Json, extract::State};
use costflame_profile::{SpanId, TraceId};
use costflame_store::query::{self, CallId, CallRecord};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::CallBrief,
    state::{ApiState, selection},
    words::Time,
};
use crate::{cursor::Question, params::Params};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// A call in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CallRow {
    /// 32 hex digits.
    pub(super) trace_id: String,
    /// 16 hex digits.
    pub(super) span_id: String,
    /// Start of the span.
    pub(super) start: Time,
    /// Microseconds from start to end.
    pub(super) duration_us: i64,
    /// `service.name`; empty if the resource named none.
    pub(super) service: String,
    /// The span ended with an error.
    pub(super) error: bool,
    /// What it used and cost.
    #[serde(flatten)]
    pub(super) brief: CallBrief,
}

impl CallRow {
    /// A call, and how many stand for it if it does not count and that is known.
    pub(super) fn new(call: &CallRecord, stand_ins: Option<usize>) -> Self {
        Self {
            trace_id: call.trace_id.to_string(),
            span_id: call.span_id.to_string(),
            start: Time(call.start_us),
            duration_us: call.end_us.saturating_sub(call.start_us),
            service: call.service.clone(),
            error: call.error,
            brief: CallBrief::new(call, stand_ins),
        }
    }
}

/// A page of calls.
#[derive(Serialize, ToSchema)]
pub(super) struct CallList {
    /// Newest first.
    calls: Vec<CallRow>,
    /// `cursor` of the next page; null after the last one.
    #[schema(required)]
    next: Option<String>,
}

/// Start, trace and span of the last call of a page.
type Key = (i64, [u8; 16], [u8; 8]);

/// Every call, counted or not, newest first.
#[utoipa::path(get, path = "/calls", params(
    FilterParams,
    ("limit" = Option<usize>, Query, description = "Rows at most.", minimum = 1, maximum = 1000),
    ("cursor" = Option<String>, Query, description = "`next` of the page before."),
), responses(
    (status = 200, body = CallList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn calls(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<CallList>, ApiError> {
    let selection = selection(&mut params)?;
    let limit = params.number("limit", DEFAULT_LIMIT, (1, MAX_LIMIT))?;
    let cursor = params.take("cursor")?;
    params.finish()?;

    let mut filter = selection.filter;
    let range = (filter.from_us, filter.to_us);
    let mut question = Question::new("calls", &filter.clauses, range, selection.default_range);
    let after = cursor
        .map(|cursor| question.resume::<Key>(&cursor))
        .transpose()?;
    (filter.from_us, filter.to_us) = (question.from_us, question.to_us);
    let after = after.map(|(start, trace, span)| (start, (TraceId(trace), SpanId(span))));

    let mut snapshot = api.snapshot().await?;
    let mut calls = query::calls(&mut snapshot, &filter, after, limit + 1).await?;
    let more = calls.len() > limit;
    calls.truncate(limit);
    let stand_ins: HashMap<CallId, usize> =
        query::stand_ins(&mut snapshot, filter.project, &calls).await?;
    let next = calls
        .last()
        .filter(|_| more)
        .map(|last| question.cursor::<Key>((last.start_us, last.trace_id.0, last.span_id.0)));
    let calls = calls
        .iter()
        .map(|call| CallRow::new(call, stand_ins.get(&call.id()).copied()))
        .collect();
    Ok(Json(CallList { calls, next }))
}
