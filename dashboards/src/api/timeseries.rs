//! `/timeseries`: aligned buckets, for the dearest values of a dimension.

use axum::{Json, extract::State};
use costflame_store::{
    UNSAMPLED,
    query::{self, Sums},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    breakdown::take_dimension,
    buckets::{Interval, MAX_BUCKETS, boundaries, grain},
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, value},
    state::{ApiState, selection},
    words::{Count, DimensionName, Dollars, Time},
};
use crate::{
    filter::dimension_name,
    params::{Invalid, Params},
};

/// One value per bucket; every array is as long as `buckets`.
#[derive(Serialize, ToSchema)]
pub(super) struct SeriesColumns {
    /// Cost of the calls with a price.
    cost_usd: Vec<Dollars>,
    /// Counted calls.
    calls: Vec<u64>,
    /// All classes together.
    tokens: Vec<Count>,
    /// Calls whose span ended with an error.
    errors: Vec<u64>,
    /// Only where something was sampled in any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<EstimateColumns>,
}

/// What it would be had samplers left out nothing, bucket by bucket. Never part of any other figure.
#[derive(Serialize, ToSchema)]
pub(super) struct EstimateColumns {
    /// Cost.
    cost_usd: Vec<Dollars>,
    /// Calls, to a thousandth.
    calls: Vec<f64>,
}

impl EstimateColumns {
    fn of(buckets: &[Sums]) -> Option<Self> {
        let is_sampled = buckets.iter().any(|sums| sums.estimate().is_some());
        let calls = |sums: &Sums| sums.estimated_calls() as f64 / f64::from(UNSAMPLED);
        is_sampled.then(|| Self {
            cost_usd: buckets
                .iter()
                .map(|sums| Dollars(sums.estimated_cost()))
                .collect(),
            calls: buckets.iter().map(calls).collect(),
        })
    }
}

impl SeriesColumns {
    fn new(buckets: &[Sums]) -> Self {
        Self {
            cost_usd: buckets.iter().map(|sums| Dollars(sums.cost)).collect(),
            calls: buckets.iter().map(|sums| sums.calls).collect(),
            tokens: buckets
                .iter()
                .map(|sums| Count(sums.total_tokens()))
                .collect(),
            errors: buckets.iter().map(|sums| sums.errors).collect(),
            estimate: EstimateColumns::of(buckets),
        }
    }
}

/// Half-open [start, end).
#[derive(Serialize, ToSchema)]
pub(super) struct Bucket {
    start: Time,
    end: Time,
}

/// One value over time.
#[derive(Serialize, ToSchema)]
pub(super) struct Series {
    /// null = absent, or no dimension was asked for.
    #[schema(required)]
    value: Option<String>,
    /// Only for by=path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<Vec<FrameRef>>,
    /// Bucket by bucket.
    #[serde(flatten)]
    columns: SeriesColumns,
}

/// The values beyond the limit, added up.
#[derive(Serialize, ToSchema)]
pub(super) struct SeriesRest {
    /// How many values.
    values: u64,
    /// Bucket by bucket.
    #[serde(flatten)]
    columns: SeriesColumns,
}

/// Sums by time.
#[derive(Serialize, ToSchema)]
pub(super) struct Timeseries {
    /// null when the request named none: then one series with value null.
    #[schema(required)]
    by: Option<String>,
    /// `15min`, `hour`, `day`, `week` or `month`.
    interval: &'static str,
    /// IANA name.
    tz: String,
    /// In calendar order, aligned in `tz`; gaps are zero. First and last may reach beyond from/to.
    buckets: Vec<Bucket>,
    /// By cost over the range, largest first.
    series: Vec<Series>,
    /// The others; null if there are none.
    #[schema(required)]
    rest: Option<SeriesRest>,
}

/// Sums by time, for the dearest values of a dimension.
#[utoipa::path(get, path = "/timeseries", params(
    FilterParams,
    ("by" = inline(Option<DimensionName>), Query, description = "As in /breakdown; without it one series of everything."),
    ("interval" = Option<String>, Query, description = "15min, hour, day, week or month; by the length of the range \
                                                        if absent. At most 3000 buckets.", pattern = "^(15min|hour|day|week|month)$"),
    ("limit" = Option<usize>, Query, description = "Series at most, the others are in `rest`.", minimum = 1, maximum = 100),
), responses(
    (status = 200, body = Timeseries),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn timeseries(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Timeseries>, ApiError> {
    let selection = selection(&mut params)?;
    let by = take_dimension(&mut params, "by")?;
    let interval = params.choice("interval", &Interval::NAMES)?;
    let limit = params.number("limit", 10, (1, 100))?;
    params.finish()?;

    let filter = selection.filter;
    let (from_us, to_us) = (filter.from_us, filter.to_us);
    let interval = interval.unwrap_or_else(|| Interval::fitting(to_us - from_us));
    let boundaries = boundaries(from_us, to_us, interval, &selection.tz).ok_or_else(|| {
        Invalid::new(
            "interval",
            format!("The range has more than {MAX_BUCKETS} buckets of this length."),
        )
    })?;
    let starts = &boundaries[..boundaries.len() - 1];
    let grain = grain(&boundaries);
    let mut snapshot = api.snapshot().await?;
    let answer =
        query::timeseries(&mut snapshot, &filter, by.as_ref(), limit, starts, grain).await?;

    let series = answer.series.iter().map(|series| {
        let (value, path) = value(&answer.paths, &series.value);
        Series {
            value,
            path,
            columns: SeriesColumns::new(&series.buckets),
        }
    });
    Ok(Json(Timeseries {
        by: by.as_ref().map(dimension_name),
        interval: interval.name(),
        tz: selection.tz_name,
        buckets: boundaries
            .windows(2)
            .map(|pair| Bucket {
                start: Time(pair[0]),
                end: Time(pair[1]),
            })
            .collect(),
        series: series.collect(),
        rest: answer.rest.map(|(values, sums)| SeriesRest {
            values,
            columns: SeriesColumns::new(&sums),
        }),
    }))
}
