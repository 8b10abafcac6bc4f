//! `/values`: completion of filter values. `/tags`: the keys of tags.

use axum::{Json, extract::State};
use costflame_store::query;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    breakdown::required_dimension,
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, value},
    state::{ApiState, selection},
    words::DimensionName,
};
use crate::{
    filter::{dimension_name, span},
    params::Params,
};

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

/// Keys of tags.
#[derive(Serialize, ToSchema)]
pub(super) struct Tags {
    /// By name, the first thousand of them: `tag.KEY` is a dimension and a filter.
    keys: Vec<String>,
}

/// A range and a project.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is taken from the query string")]
pub(super) struct RangeParams {
    /// First moment: RFC 3339 or epoch milliseconds. Without `from` and `to`: the last 30 days.
    #[param(example = "2026-11-01T00:00:00Z", format = DateTime)]
    from: Option<String>,
    /// First moment after the range.
    #[param(example = "2026-12-01T00:00:00Z", format = DateTime)]
    to: Option<String>,
    /// The project it is about, for who may enter several. Without it: the one they are confined to, else `default`.
    project: Option<String>,
}

/// The keys of the tags that calls carry, by the UTC days that the range touches.
#[utoipa::path(get, path = "/tags", params(RangeParams), responses(
    (status = 200, body = Tags),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn tags(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Tags>, ApiError> {
    let (from_us, to_us, _) = span(&mut params, Timestamp::now())?;
    let project = params.project();
    params.finish()?;
    let mut snapshot = api.snapshot().await?;
    let keys = query::tag_keys(&mut snapshot, project, (from_us, to_us)).await?;
    Ok(Json(Tags { keys }))
}
