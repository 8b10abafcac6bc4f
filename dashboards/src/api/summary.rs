//! `/summary`: the totals of a range.

use axum::{Json, extract::State};
use costflame_store::query;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{Amounts, SumsBody, share},
    state::{ApiState, only_selection},
    words::Dollars,
};
use crate::params::Params;

/// Totals of a range.
#[derive(Serialize, ToSchema)]
pub(super) struct Summary {
    /// Sums over the counted calls.
    #[serde(flatten)]
    sums: SumsBody,
    /// Traces with a counted call.
    traces: u64,
    /// False when `traces` is an estimate: many calls pass the filters, and a part of them was looked at.
    traces_exact: bool,
    /// Cost by class over the same calls; adds up to `cost_usd`.
    amounts: Amounts,
    /// Not yet settled, not contained in any other figure, whatever the filters.
    pending: Pending,
    /// How much of it has a known price.
    coverage: Coverage,
    /// What was left out as repeated.
    excluded: Excluded,
    /// Cost of the calls in `errors`.
    errors_cost_usd: Dollars,
}

/// Landed and not yet settled.
#[derive(Serialize, ToSchema)]
pub(super) struct Pending {
    /// Traces.
    traces: u64,
    /// Calls in them, at most.
    calls: u64,
    /// At most this will be added.
    cost_usd_at_most: Dollars,
}

/// Priced share, 0 to 1; null without calls (or without tokens).
#[derive(Serialize, ToSchema)]
pub(super) struct Coverage {
    /// Of calls.
    #[schema(required)]
    calls: Option<f64>,
    /// Of tokens.
    #[schema(required)]
    tokens: Option<f64>,
}

/// Calls that stand for others and are not counted.
#[derive(Serialize, ToSchema)]
pub(super) struct Excluded {
    /// Calls.
    calls: u64,
    /// What they would have cost.
    cost_usd: Dollars,
}

/// The totals of a range.
#[utoipa::path(get, path = "/summary", params(FilterParams), responses(
    (status = 200, body = Summary),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn summary(
    State(api): State<ApiState>,
    params: Params,
) -> Result<Json<Summary>, ApiError> {
    let selection = only_selection(params)?;
    let answer = query::summary(&mut api.snapshot().await?, &selection.filter).await?;
    Ok(Json(Summary::from(&answer)))
}

impl From<query::Pending> for Pending {
    fn from(pending: query::Pending) -> Self {
        Self {
            traces: pending.traces,
            calls: pending.calls,
            cost_usd_at_most: Dollars(pending.cost_at_most),
        }
    }
}

impl From<&query::Summary> for Summary {
    fn from(answer: &query::Summary) -> Self {
        let sums = &answer.sums;
        let priced = |all: i128, unpriced: i128| share(all - unpriced, all);
        Self {
            sums: SumsBody::from(sums),
            traces: answer.traces.traces,
            traces_exact: answer.traces.exact,
            amounts: Amounts::of(sums),
            pending: answer.pending.into(),
            coverage: Coverage {
                calls: priced(sums.calls.into(), sums.unpriced_calls.into()),
                tokens: priced(sums.total_tokens(), sums.unpriced_tokens),
            },
            excluded: Excluded {
                calls: sums.excluded_calls,
                cost_usd: Dollars(sums.excluded_cost),
            },
            errors_cost_usd: Dollars(answer.errors_cost),
        }
    }
}
