//! What checking needs of a database: everything, read in one snapshot, page by page.

use std::{collections::HashSet, future::Future};

use crate::{
    CallKey, CallRow, ClassSet, LandingRow, Measures, StoreError, TraceKey, TraceRow,
    call_columns::sampled_columns,
    claim_row::{ClaimKey, ClaimRow},
    delta::{DimKey, DimTable, HELD_BY_PATH, PathKey, TraceBucket},
    query::Dialect,
    retention::DroppedBefore,
};

/// A consistent view of the whole database.
pub(crate) trait Snapshot: Send {
    /// What has been dropped.
    fn dropped_before(&mut self) -> impl Future<Output = Result<DroppedBefore, StoreError>> + Send;

    /// Traces with a mark.
    fn dirty_traces(
        &mut self,
    ) -> impl Future<Output = Result<HashSet<TraceKey>, StoreError>> + Send;

    /// Traces with landed rows, a page of them after one, by lane and trace.
    fn landed_traces(
        &mut self,
        after: Option<TraceKey>,
    ) -> impl Future<Output = Result<Vec<TraceKey>, StoreError>> + Send;

    /// Rows of traces, a page of them after one, by key.
    fn stored_traces(
        &mut self,
        after: Option<TraceKey>,
    ) -> impl Future<Output = Result<Vec<TraceRow>, StoreError>> + Send;

    /// As in a settling.
    fn landed(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<Vec<LandingRow>, StoreError>> + Send;

    /// As in a settling.
    fn traces(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<Vec<TraceRow>, StoreError>> + Send;

    /// As in a settling.
    fn calls(
        &mut self,
        traces: &[TraceKey],
        days: (i32, i32),
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// As in a settling.
    fn calls_at(
        &mut self,
        calls: &[(CallKey, i32)],
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// Claims, a page of them after one, by key.
    fn claims_after(
        &mut self,
        after: Option<ClaimKey>,
    ) -> impl Future<Output = Result<Vec<ClaimRow>, StoreError>> + Send;

    /// Projects and UTC days that have calls or rollups.
    fn days(&mut self) -> impl Future<Output = Result<Vec<(i32, i32)>, StoreError>> + Send;

    /// Calls that start on a day, a page of them after one, by key.
    fn calls_on(
        &mut self,
        project: i32,
        day: i32,
        after: Option<CallKey>,
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// Rollups of a tier and differences on a day, or from that day on if a bucket has more; keys may repeat.
    fn rollups_on(
        &mut self,
        project: i32,
        day: i32,
        tier: i32,
    ) -> impl Future<Output = Result<Vec<(PathKey, Measures)>, StoreError>> + Send;

    /// Sums of a table by dimension and differences on a day; keys may repeat.
    fn dims_on(
        &mut self,
        project: i32,
        day: i32,
        table: DimTable,
    ) -> impl Future<Output = Result<Vec<(DimKey, Measures)>, StoreError>> + Send;

    /// Projects, days and dimensions of which no sums by path are kept.
    fn wide(
        &mut self,
    ) -> impl Future<Output = Result<HashSet<(i32, i32, String)>, StoreError>> + Send;

    /// From which UTC day on what one of [`crate::delta::COMPLETE_SINCE`] names is complete.
    fn complete_since(
        &mut self,
        name: &str,
    ) -> impl Future<Output = Result<i32, StoreError>> + Send;

    /// Numbers of traces and differences by project and bucket of a tier; keys may repeat.
    fn trace_counts(
        &mut self,
        tier: i32,
    ) -> impl Future<Output = Result<Vec<(TraceBucket, i64)>, StoreError>> + Send;

    /// How many calls from a day on are sampled wrongly, or not and should be.
    fn unsampled(&mut self, from_day: i32) -> impl Future<Output = Result<i64, StoreError>> + Send;

    /// Calls whose state is not what their lost elections say.
    fn contradictory_calls(
        &mut self,
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// The token classes that calls of a project are known to have had.
    fn classes(
        &mut self,
        project: i32,
    ) -> impl Future<Output = Result<ClassSet, StoreError>> + Send;

    /// Which of these paths and of these series are not stored.
    fn missing(
        &mut self,
        project: i32,
        paths: &[[u8; 16]],
        series: &[[u8; 16]],
    ) -> impl Future<Output = Result<Vec<[u8; 16]>, StoreError>> + Send;
}

/// Finds calls whose `why` is not what their lost elections say.
macro_rules! contradiction {
    () => {
        "CASE c.why WHEN 0 THEN c.lost_response IS NOT NULL OR c.lost_usage IS NOT NULL \
         WHEN 4 THEN c.lost_response IS NULL WHEN 5 THEN c.lost_usage IS NULL OR c.lost_response IS NOT NULL \
         WHEN 6 THEN c.lost_usage IS NULL OR c.lost_response IS NOT NULL \
         ELSE c.lost_response IS NOT NULL OR c.lost_usage IS NOT NULL END"
    };
}
pub(crate) use contradiction;

/// Selects project, time, dimension, value, path, series and `measures` of a table by dimension and of the differences not
/// yet folded into it, of a project and a day. Older versions kept tools too, which no question reads.
pub(crate) fn dims_sql(dialect: Dialect, table: DimTable, measures: &str) -> String {
    let none = match dialect {
        Dialect::Postgres => "decode(repeat('00', 16), 'hex')",
        Dialect::Sqlite => "zeroblob(16)",
    };
    let day_us = "CAST(day AS bigint) * 86400000000";
    let (name, time, path, series, stored, waiting) = match table {
        DimTable::Series => (
            "dim_rollups",
            day_us,
            none,
            "series_id",
            "true".to_owned(),
            "true",
        ),
        DimTable::Paths => (
            "dim_paths",
            day_us,
            "path_id",
            "series_id",
            "true".to_owned(),
            "path_id IS NOT NULL",
        ),
        DimTable::Totals(tier) => (
            "dim_totals",
            "bucket_us",
            none,
            none,
            format!("tier = {tier}"),
            "hour_us IS NOT NULL",
        ),
    };
    let on_day = match table {
        DimTable::Totals(_) => {
            "bucket_us >= $2 * CAST(86400000000 AS bigint) AND bucket_us < ($2 + 1) * CAST(86400000000 AS bigint)"
        }
        _ => "day = $2",
    };
    let held = match table {
        DimTable::Series => "dimension <> 'tool'",
        _ => HELD_BY_PATH,
    };
    let late = match table {
        DimTable::Totals(_) => "hour_us",
        _ => day_us,
    };
    format!(
        "SELECT project_id, {time}, dimension, value, {path}, {series}, {measures} FROM {name} \
         WHERE project_id = $1 AND {on_day} AND {stored} AND {held} UNION ALL \
         SELECT project_id, {late}, dimension, value, {path}, {series}, {measures} FROM dim_deltas \
         WHERE project_id = $1 AND day = $2 AND {waiting} AND {held}"
    )
}

/// Project, bucket and number of traces of a tier.
pub(crate) const TRACE_COUNTS: &str = "SELECT project_id, bucket_us, traces FROM trace_rollups WHERE tier = $1 UNION ALL \
     SELECT project_id, bucket_us - bucket_us % ($1 * CAST(1000000 AS bigint)), traces FROM trace_deltas";

/// Calls of lanes below $1 that start on day $2 or later and are not in the sample as they are, and the other way round.
pub(crate) const UNSAMPLED: &str = concat!(
    "SELECT (SELECT count(*) FROM (SELECT ",
    sampled_columns!("c."),
    " FROM calls c WHERE c.lane < $1 AND c.start_day >= $2 EXCEPT SELECT ",
    sampled_columns!("s."),
    " FROM sampled_calls s WHERE s.start_day >= $2) x) + (SELECT count(*) FROM (SELECT ",
    sampled_columns!("s."),
    " FROM sampled_calls s WHERE s.start_day >= $2 EXCEPT SELECT ",
    sampled_columns!("c."),
    " FROM calls c WHERE c.lane < $1 AND c.start_day >= $2) y)"
);

/// Rows of one page.
pub(crate) const PAGE: i64 = 500;
