//! `/values`: completion of filter values.

use axum::{Json, extract::State};
use costflame_store::query;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    breakdown::required_dimension,
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, value},
    state::{ApiState, selection},
    words::DimensionName,
};
use crate::{filter::dimension_name, params::Params};

/// Values of one key.
#[derive(Serialize, ToSchema)]
pub(super) struct Values {
    /// The key asked for.
    key: String,
    /// Most calls first.
    values: Vec<ValueRow>,
    /// True when there are more than the limit.
    more: bool,
}

/// One value.
#[derive(Serialize, ToSchema)]
#[schema(as = Value)]
pub(super) struct ValueRow {
    /// The value; for key=path the path id.
    value: String,
    /// Counted calls with it.
    calls: u64,
    /// Only for key=path: the frames from the root down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<Vec<FrameRef>>,
}

/// Values of one key among the calls that pass the other filters, most calls first.
#[utoipa::path(get, path = "/values", params(
    FilterParams,
    ("key" = inline(DimensionName), Query, description = "Whose values.", example = "model"),
    ("q" = Option<String>, Query, description = "Part of the value in any case; for path of its last label, or a \
                                                 whole path id."),
    ("limit" = Option<usize>, Query, description = "Rows at most.", minimum = 1, maximum = 200),
), responses(
    (status = 200, body = Values),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn values(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Values>, ApiError> {
    let selection = selection(&mut params)?;
    let key = required_dimension(&mut params, "key")?;
    let part = params.take("q")?.unwrap_or_default();
    let limit = params.number("limit", 20, (1, 200))?;
    params.finish()?;

    let mut snapshot = api.snapshot().await?;
    let answer = query::values(&mut snapshot, &selection.filter, &key, &part, limit).await?;
    let rows = answer.values.iter().map(|(key, calls)| {
        let (value, path) = value(&answer.paths, key);
        ValueRow {
            value: value.unwrap_or_default(),
            calls: *calls,
            path,
        }
    });
    Ok(Json(Values {
        key: dimension_name(&key),
        values: rows.collect(),
        more: answer.more,
    }))
}
