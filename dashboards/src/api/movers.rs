//! `/movers`: what grew and shrank most between two selections.

use std::{cmp::Reverse, collections::HashMap};

use axum::{Json, extract::State};
use costflame_pricing::UsdSum;
use costflame_store::query::{self, Breakdown, Sums, Value};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    breakdown::required_dimension,
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, value},
    state::{ApiState, selection},
    words::{DimensionName, Dollars},
};
use crate::{
    filter::{base_selection, dimension_name},
    params::{Invalid, Params},
};

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
    ("base_from" = Option<String>, Query, description = "With `base_to`: the range to compare with."),
    ("base_to" = Option<String>, Query, description = "First moment after the range to compare with."),
    ("base.KEY" = Option<Vec<String>>, Query, description = "Replaces the filter KEY on the other side."),
), responses(
    (status = 200, body = Movers),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn movers(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Movers>, ApiError> {
    let selection = selection(&mut params)?;
    let base = base_selection(&mut params, &selection, Timestamp::now())?.ok_or_else(|| {
        Invalid::new(
            "base_from",
            "Say what to compare with: base_from and base_to, or base.KEY.",
        )
    })?;
    let by = required_dimension(&mut params, "by")?;
    let limit = params.number("limit", 20, (1, 1_000))?;
    params.finish()?;

    let mut snapshot = api.snapshot().await?;
    let now = query::breakdown(&mut snapshot, &selection.filter, &by, MOST_VALUES).await?;
    let base = query::breakdown(&mut snapshot, &base, &by, MOST_VALUES).await?;
    drop(snapshot);
    let total = Move::new(&now.total, &base.total);
    let mut rows = joined(&now, &base);
    let more = rows.len().saturating_sub(limit);
    rows.truncate(limit);
    let row = |(key, now_sums, base_sums): (Value, Sums, Sums)| {
        let (text, path) = match value(&now.paths, &key) {
            (text, Some(path)) if path.is_empty() => (text, value(&base.paths, &key).1),
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
fn joined(now: &Breakdown, base: &Breakdown) -> Vec<(Value, Sums, Sums)> {
    let mut pairs: HashMap<&Value, (Sums, Sums)> = HashMap::new();
    for (value, sums) in &now.rows {
        pairs.entry(value).or_default().0 = *sums;
    }
    for (value, sums) in &base.rows {
        pairs.entry(value).or_default().1 = *sums;
    }
    let changed = pairs
        .into_iter()
        .filter(|(_, (now, base))| now.cost != base.cost);
    let mut rows: Vec<_> = changed
        .map(|(value, (now, base))| (value.clone(), now, base))
        .collect();
    rows.sort_unstable_by(|a, b| {
        let size = |row: &(Value, Sums, Sums)| Reverse((row.1.cost - row.2.cost).0.unsigned_abs());
        (size(a), &a.0).cmp(&(size(b), &b.0))
    });
    rows
}
