//! What is not settled yet, and what there is.

use costflame_pricing::UsdSum;
use costflame_profile::TraceId;

use super::{
    facts::push_call_range,
    plan::{FINEST, end_of_bucket},
    snapshot::Snapshot,
};
use crate::{StoreError, lane};

/// Landed but not settled: in no other figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Traces with a mark.
    pub traces: u64,
    /// Calls and aggregates in them that have landed since they were last settled.
    pub calls: u64,
    /// At most this will be added when they settle.
    pub cost_at_most: UsdSum,
}

/// What is pending in a project.
///
/// # Errors
/// When the database cannot be read.
pub async fn pending(snapshot: &mut Snapshot, project: i32) -> Result<Pending, StoreError> {
    let mut sql = snapshot.sql("SELECT COUNT(*), CAST(COALESCE(SUM(calls), 0) AS bigint), ");
    let dialect = sql.dialect;
    sql.push(&dialect.sum_of_sums("cost"));
    // One row per trace first: a trace may have many marks.
    let (sum, columns) = match dialect {
        super::sql::Dialect::Postgres => ("SUM(cost) AS cost", ""),
        super::sql::Dialect::Sqlite => ("SUM(cost_hi) AS cost_hi", ", SUM(cost_lo) AS cost_lo"),
    };
    sql.push(&format!(
        " FROM (SELECT SUM(calls) AS calls, {sum}{columns} FROM dirty WHERE project_id = "
    ));
    sql.bind(project).push(" GROUP BY lane, trace_id) d");
    let read = |row: &super::snapshot::Row| {
        Ok(Pending {
            traces: row.count(0)?,
            calls: row.count(1)?,
            cost_at_most: UsdSum(row.sum(2)?),
        })
    };
    Ok(snapshot.first(sql, read).await?.unwrap_or_default())
}

/// True when a trace has nothing left to settle.
pub(crate) async fn is_settled(
    snapshot: &mut Snapshot,
    project: i32,
    trace: TraceId,
) -> Result<bool, StoreError> {
    let mut sql = snapshot.sql("SELECT 1 FROM dirty WHERE lane = ");
    sql.bind(i64::from(lane(&trace)))
        .push(" AND trace_id = ")
        .bind(&trace.0[..]);
    sql.push(" AND project_id = ")
        .bind(project)
        .push(" LIMIT 1");
    Ok(snapshot.first(sql, |row| row.int(0)).await?.is_none())
}

/// Starts of the oldest and of the newest settled call, microseconds since 1970 UTC.
///
/// # Errors
/// When the database cannot be read.
pub async fn extent(
    snapshot: &mut Snapshot,
    project: i32,
) -> Result<Option<(i64, i64)>, StoreError> {
    // Asked apart: an index answers one of them at a time.
    let mut sql = snapshot.sql("SELECT (SELECT MIN(start_us) FROM calls WHERE project_id = ");
    sql.bind(project);
    sql.push("), (SELECT MAX(start_us) FROM calls WHERE project_id = ")
        .bind(project)
        .push(")");
    let extent = snapshot
        .first(sql, |row| Ok(row.maybe_int(0)?.zip(row.maybe_int(1)?)))
        .await?;
    Ok(extent.flatten())
}

/// Whether calls start at a moment or later. Rollups tell of all but the rest of its finest bucket.
pub(crate) async fn has_calls_since(
    snapshot: &mut Snapshot,
    project: i32,
    at_us: i64,
) -> Result<bool, StoreError> {
    let end_us = end_of_bucket(at_us, FINEST);
    let mut sql =
        snapshot.sql("SELECT CASE WHEN EXISTS (SELECT 1 FROM rollups WHERE project_id = ");
    sql.bind(project).push(" AND tier = ").bind(FINEST);
    sql.push(" AND bucket_us >= ").bind(end_us);
    sql.push(") OR EXISTS (SELECT 1 FROM rollup_deltas WHERE project_id = ")
        .bind(project);
    sql.push(" AND bucket_us >= ").bind(end_us);
    if at_us < end_us {
        sql.push(") OR EXISTS (SELECT 1 FROM calls f WHERE project_id = ")
            .bind(project);
        push_call_range(&mut sql, (at_us, end_us));
    }
    sql.push(") THEN 1 ELSE 0 END");
    let found = snapshot.first(sql, |row| row.int(0)).await?;
    Ok(found == Some(1))
}
