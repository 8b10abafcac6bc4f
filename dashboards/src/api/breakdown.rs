//! `/breakdown`: sums by the values of one dimension.

use axum::{Json, extract::State};
use costflame_store::query::{self, Dimension};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, SumsBody, share, value},
    state::{ApiState, selection},
    words::DimensionName,
};
use crate::{
    filter::{dimension, dimension_name},
    params::{Invalid, Params},
};

/// Sums by value, largest cost first.
#[derive(Serialize, ToSchema)]
pub(super) struct Breakdown {
    /// The dimension asked for.
    by: String,
    /// All rows and the rest together.
    total: SumsBody,
    /// By cost, largest first; ties by calls, then value.
    rows: Vec<BreakdownRow>,
    /// The rows beyond the limit, added up; null if there are none.
    #[schema(required)]
    rest: Option<Rest>,
}

/// Sums of one value.
#[derive(Serialize, ToSchema)]
pub(super) struct BreakdownRow {
    /// null = absent (unattributed). For by=path the path id.
    #[schema(required)]
    value: Option<String>,
    /// Share of the total cost, 0 to 1; null when the total is 0.
    #[schema(required)]
    share: Option<f64>,
    /// Only for by=path: the frames from the root down to this path. Its sums are self sums, so rows add up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<Vec<FrameRef>>,
    /// Sums over its counted calls.
    #[serde(flatten)]
    sums: SumsBody,
}

impl BreakdownRow {
    /// The rows of an answer.
    pub(super) fn all(answer: &query::Breakdown) -> Vec<Self> {
        let row = |(key, sums): &(query::Value, query::Sums)| {
            let (value, path) = value(&answer.paths, key);
            Self {
                value,
                path,
                share: share(sums.cost.0, answer.total.cost.0),
                sums: SumsBody::from(sums),
            }
        };
        answer.rows.iter().map(row).collect()
    }
}

/// What is beyond the limit.
#[derive(Serialize, ToSchema)]
pub(super) struct Rest {
    /// How many values.
    values: u64,
    /// Share of the total cost, 0 to 1; null when the total is 0.
    #[schema(required)]
    share: Option<f64>,
    /// Sums over their counted calls.
    #[serde(flatten)]
    sums: SumsBody,
}

/// Takes the name of a dimension.
pub(super) fn take_dimension(
    params: &mut Params,
    name: &str,
) -> Result<Option<Dimension>, Invalid> {
    let Some(text) = params.take(name)? else {
        return Ok(None);
    };
    let invalid = || {
        Invalid::new(
            name,
            "It must be one of model, provider, service, environment, feature, agent, tool, operation, \
                            user, session, prompt, path, tag.KEY.",
        )
    };
    dimension(&text).map(Some).ok_or_else(invalid)
}

/// The same where a dimension is needed.
pub(super) fn required_dimension(params: &mut Params, name: &str) -> Result<Dimension, Invalid> {
    take_dimension(params, name)?.ok_or_else(|| Invalid::new(name, "It is needed here."))
}

/// Sums by the values of one dimension, largest cost first.
#[utoipa::path(get, path = "/breakdown", params(
    FilterParams,
    ("by" = inline(DimensionName), Query, description = "What to sum by.", example = "model"),
    ("limit" = Option<usize>, Query, description = "Rows at most.", minimum = 1, maximum = 1000),
), responses(
    (status = 200, body = Breakdown),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn breakdown(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Breakdown>, ApiError> {
    let selection = selection(&mut params)?;
    let by = required_dimension(&mut params, "by")?;
    let limit = params.number("limit", 100, (1, 1_000))?;
    params.finish()?;

    let answer =
        query::breakdown(&mut api.snapshot().await?, &selection.filter, &by, limit).await?;
    let total = answer.total.cost.0;
    let rows = BreakdownRow::all(&answer);
    let rest = answer.rest.map(|(values, sums)| Rest {
        values,
        share: share(sums.cost.0, total),
        sums: SumsBody::from(&sums),
    });
    Ok(Json(Breakdown {
        by: dimension_name(&by),
        total: SumsBody::from(&answer.total),
        rows,
        rest,
    }))
}
