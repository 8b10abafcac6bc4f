//! `/movers`: what grew and shrank most between two selections.

use axum::{Json, extract::State};
use costflame_pricing::UsdSum;
use costflame_store::query::{self, Breakdown, Sums, Value};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    breakdown::required_dimension,
    compare::{BaseParams, both_sides, side_by_side},
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, value},
    state::ApiState,
    words::{DimensionName, Dollars},
};
use crate::{filter::dimension_name, params::Params};

/// Most values of either side, which are joined in memory.
const MOST_VALUES: usize = 1_000_000;

/// What changed, largest change first.
#[derive(Serialize, ToSchema)]
pub(super) struct Movers {
    /// The dimension asked for.
    by: String,
    /// All of both sides.
    total: Move,
    /// By the size of the change of cost, largest first; ties by value.
    rows: Vec<Mover>,
    /// How many values that changed are not among the rows.
    more: usize,
}

/// One value that grew or shrank.
#[derive(Serialize, ToSchema)]
pub(super) struct Mover {
    /// null = absent (unattributed). For by=path the path id.
    #[schema(required)]
    value: Option<String>,
    /// Only for by=path: the frames from the root down to this path. Its sums are self sums, so rows add up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<Vec<FrameRef>>,
    #[serde(flatten)]
    moved: Move,
}

/// Two sides and their difference.
#[derive(Serialize, ToSchema)]
pub(super) struct Move {
    /// Cost of the selection.
    cost_usd: Dollars,
    /// Cost of the one it is compared with.
    base_cost_usd: Dollars,
    /// The difference; negative when it shrank.
    change_usd: Dollars,
    /// The difference as a part of the base, 0.05 = 5 % more; null when there was nothing before.
    #[schema(required)]
    growth: Option<f64>,
    /// Counted calls.
    calls: u64,
    /// Counted calls of the other side.
    base_calls: u64,
}

impl Move {
    fn new(now: &Sums, base: &Sums) -> Self {
        Self {
            cost_usd: Dollars(now.cost),
            base_cost_usd: Dollars(base.cost),
            change_usd: Dollars(now.cost - base.cost),
            growth: growth(now.cost, base.cost),
            calls: now.calls,
            base_calls: base.calls,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn growth(now: UsdSum, base: UsdSum) -> Option<f64> {
    (base.0 != 0).then(|| (now - base).0 as f64 / base.0 as f64)
}

/// What grew and shrank most, by the values of one dimension. The other side is the same selection but for `base_from`
/// with `base_to`, or `base.KEY`.
#[utoipa::path(get, path = "/movers", params(
    FilterParams,
    ("by" = inline(DimensionName), Query, description = "What to sum by.", example = "path"),
    ("limit" = Option<usize>, Query, description = "Rows at most.", minimum = 1, maximum = 1000),
    BaseParams,
), responses(
    (status = 200, body = Movers),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn movers(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Movers>, ApiError> {
    let (filter, base) = both_sides(&mut params)?;
    let by = required_dimension(&mut params, "by")?;
    let limit = params.number("limit", 20, (1, 1_000))?;
    params.finish()?;

    let mut snapshot = api.snapshot().await?;
    let now = query::breakdown(&mut snapshot, &filter, &by, MOST_VALUES).await?;
    let base = query::breakdown(&mut snapshot, &base, &by, MOST_VALUES).await?;
    drop(snapshot);
    let total = Move::new(&now.total, &base.total);
    let mut rows = joined(&now, &base);
    let more = rows.len().saturating_sub(limit);
    rows.truncate(limit);
    let row = |(key, now_sums, base_sums): (&Value, Sums, Sums)| {
        let (text, path) = match value(&now.paths, key) {
            (text, Some(path)) if path.is_empty() => (text, value(&base.paths, key).1),
            known => known,
        };
        Mover {
            value: text,
            path,
            moved: Move::new(&now_sums, &base_sums),
        }
    };
    Ok(Json(Movers {
        by: dimension_name(&by),
        total,
        rows: rows.into_iter().map(row).collect(),
        more,
    }))
}

/// Values whose cost is not the same on both sides, largest change first.
fn joined<'a>(now: &'a Breakdown, base: &'a Breakdown) -> Vec<(&'a Value, Sums, Sums)> {
    let of = |side: &'a Breakdown| side.rows.iter().map(|(value, sums)| (value, *sums));
    let mut rows = side_by_side(of(now), of(base));
    rows.retain(|(_, now, base)| now.cost != base.cost);
    rows
}
