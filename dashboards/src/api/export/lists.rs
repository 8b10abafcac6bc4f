//! `/calls/export`, `/traces/export`, `/breakdown/export`: lists without a limit.

use std::collections::HashMap;

use axum::{extract::State, response::Response};
use costflame_store::query::{self, CallId, CallRecord, Filter, Order, Sort, TraceKey};
use futures::stream;
use serde::Serialize;

use super::table::{Column, Format, table};
use crate::{
    api::{
        breakdown::{BreakdownRow, required_dimension},
        calls::CallRow,
        document::FilterParams,
        error::{ApiError, ErrorBody},
        shapes::AttributionBody,
        state::{ApiState, selection},
        traces::TraceRow,
        words::{DimensionName, Dollars},
    },
    params::Params,
};

/// Rows read at once.
const PAGE: usize = 1_000;

/// Most rows of a breakdown, which is answered from memory.
const MOST_VALUES: usize = 1_000_000;

const TOKENS: [Column; 12] = [
    ("tokens_input", "tokens/input"),
    ("tokens_cache_read", "tokens/cache_read"),
    ("tokens_cache_write", "tokens/cache_write"),
    ("tokens_cache_write_1h", "tokens/cache_write_1h"),
    ("tokens_audio_in", "tokens/audio_in"),
    ("tokens_cache_read_audio", "tokens/cache_read_audio"),
    ("tokens_image_in", "tokens/image_in"),
    ("tokens_video_in", "tokens/video_in"),
    ("tokens_output", "tokens/output"),
    ("tokens_reasoning", "tokens/reasoning"),
    ("tokens_audio_out", "tokens/audio_out"),
    ("tokens_image_out", "tokens/image_out"),
];

/// A call with everything it is attributed to.
#[derive(Serialize)]
struct ExportedCall {
    #[serde(flatten)]
    call: CallRow,
    reported_usd: Option<Dollars>,
    emitter: String,
    path: String,
    #[serde(flatten)]
    attribution: AttributionBody,
}

/// Every call of a selection, counted or not, newest first, without a row limit.
#[utoipa::path(get, path = "/calls/export", operation_id = "export_calls", params(
    FilterParams,
    ("format" = String, Query, description = "csv or jsonl.", pattern = "^(csv|jsonl)$"),
), responses(
    (status = 200, content((String = "text/csv"), (String = "application/jsonl"))),
    (status = "default", body = ErrorBody),
))]
pub(in crate::api) async fn calls(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Response, ApiError> {
    const COLUMNS: [Column; 34] = joined(
        [
            ("trace_id", "trace_id"),
            ("span_id", "span_id"),
            ("start", "start"),
            ("duration_us", "duration_us"),
            ("service", "service"),
            ("environment", "environment"),
            ("feature", "feature"),
            ("user", "user"),
            ("session", "session"),
            ("agent", "agent"),
            ("tool", "tool"),
            ("prompt", "prompt"),
            ("prompt_version", "prompt_version"),
            ("provider", "provider"),
            ("model", "model"),
            ("operation", "operation"),
            ("response_id", "response_id"),
            ("cost_usd", "cost_usd"),
            ("reported_usd", "reported_usd"),
            ("unpriced", "unpriced"),
            ("counted", "counted"),
            ("error", "error"),
        ],
        TOKENS,
    );
    let filter = selection(&mut params)?.filter;
    let format = Format::take(&mut params)?;
    params.finish()?;
    let pages = stream::try_unfold(Some(None), move |after| {
        let (api, filter) = (api.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            page_of_calls(&api, &filter, after).await.map(Some)
        }
    });
    table("calls", format, &COLUMNS, pages).await
}

/// Start and id of a page's last call.
type After = Option<(i64, CallId)>;

async fn page_of_calls(
    api: &ApiState,
    filter: &Filter,
    after: After,
) -> Result<(Vec<ExportedCall>, Option<After>), ApiError> {
    let mut snapshot = api.snapshot().await?;
    let calls = query::calls(&mut snapshot, filter, after, PAGE).await?;
    let stand_ins: HashMap<CallId, usize> =
        query::stand_ins(&mut snapshot, filter.project, &calls).await?;
    let last = calls.last().filter(|_| calls.len() == PAGE);
    let next = last.map(|last| Some((last.start_us, last.id())));
    let row = |call: &CallRecord| ExportedCall {
        call: CallRow::new(call, stand_ins.get(&call.id()).copied()),
        reported_usd: call.reported.map(Dollars::from),
        emitter: call.emitter.clone(),
        path: call.path.to_string(),
        attribution: AttributionBody::from(&call.attribution),
    };
    Ok((calls.iter().map(row).collect(), next))
}

/// Every trace with a call of a selection, newest first, without a row limit.
#[utoipa::path(get, path = "/traces/export", operation_id = "export_traces", params(
    FilterParams,
    ("format" = String, Query, description = "csv or jsonl.", pattern = "^(csv|jsonl)$"),
), responses(
    (status = 200, content((String = "text/csv"), (String = "application/jsonl"))),
    (status = "default", body = ErrorBody),
))]
pub(in crate::api) async fn traces(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Response, ApiError> {
    const COLUMNS: [Column; 23] = joined(
        [
            ("trace_id", "trace_id"),
            ("start", "start"),
            ("duration_us", "duration_us"),
            ("root_service", "root/service"),
            ("root_kind", "root/kind"),
            ("root_label", "root/label"),
            ("services", "services"),
            ("cost_usd", "cost_usd"),
            ("calls", "calls"),
            ("errors", "errors"),
            ("unpriced", "unpriced"),
        ],
        TOKENS,
    );
    let filter = selection(&mut params)?.filter;
    let format = Format::take(&mut params)?;
    params.finish()?;
    let pages = stream::try_unfold(Some(None), move |after: Option<Option<TraceKey>>| {
        let (api, filter) = (api.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let order = Order {
                sort: Sort::Start,
                descending: true,
            };
            let mut snapshot = api.snapshot().await?;
            let traces = query::traces(&mut snapshot, &filter, order, after, PAGE).await?;
            let last = traces.last().filter(|_| traces.len() == PAGE);
            let next = last.map(|last| Some(last.key));
            let rows: Vec<TraceRow> = traces.iter().map(TraceRow::from).collect();
            Ok::<_, ApiError>(Some((rows, next)))
        }
    });
    table("traces", format, &COLUMNS, pages).await
}

/// Sums by every value of one dimension, largest cost first.
#[utoipa::path(get, path = "/breakdown/export", operation_id = "export_breakdown", params(
    FilterParams,
    ("format" = String, Query, description = "csv or jsonl.", pattern = "^(csv|jsonl)$"),
    ("by" = inline(DimensionName), Query, description = "What to sum by.", example = "model"),
), responses(
    (status = 200, content((String = "text/csv"), (String = "application/jsonl"))),
    (status = "default", body = ErrorBody),
))]
pub(in crate::api) async fn breakdown(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Response, ApiError> {
    const COLUMNS: [Column; 18] = joined(
        [
            ("value", "value"),
            ("cost_usd", "cost_usd"),
            ("share", "share"),
            ("calls", "calls"),
            ("errors", "errors"),
            ("unpriced", "unpriced/calls"),
        ],
        TOKENS,
    );
    let filter = selection(&mut params)?.filter;
    let by = required_dimension(&mut params, "by")?;
    let format = Format::take(&mut params)?;
    params.finish()?;
    let answer = query::breakdown(&mut api.snapshot().await?, &filter, &by, MOST_VALUES).await?;
    let rows = BreakdownRow::all(&answer);
    table("breakdown", format, &COLUMNS, stream::iter([Ok(rows)])).await
}

/// One list of columns behind the other.
const fn joined<const A: usize, const B: usize, const N: usize>(
    first: [Column; A],
    second: [Column; B],
) -> [Column; N] {
    assert!(A + B == N, "as many columns as both lists have");
    let mut all = [("", ""); N];
    let mut place = 0;
    while place < N {
        all[place] = if place < A {
            first[place]
        } else {
            second[place - A]
        };
        place += 1;
    }
    all
}
