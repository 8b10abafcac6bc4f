//! How many traces have a call of a question.
//!
//! Rollups cannot tell: a trace has calls in many of their rows. Without filters the table of traces
//! tells. With filters calls are looked at, all of them while they are few, else those of some lanes:
//! a lane is a hash of the trace id, so every lane has its fair share of any traces.

use super::{
    ask::{Ask, By},
    breakdown::counted,
    facts::{push_calls, push_range_of_trace},
    filter::Filter,
    snapshot::Snapshot,
    sql::Sql,
};
use crate::{LANES, StoreError};

/// Matching calls that are looked at; of more, those of some lanes.
const MOST_CALLS: u64 = 200_000;

/// Traces that last longer have an index of their own.
const LONG_US: i64 = 3_600_000_000;

/// A number of traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceCount {
    /// How many.
    pub traces: u64,
    /// False when it was estimated from a part of the lanes.
    pub exact: bool,
}

/// Traces with a counted call of a filter; `calls` is how many such calls there are.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_traces(
    snapshot: &mut Snapshot,
    filter: &Filter,
    calls: u64,
) -> Result<TraceCount, StoreError> {
    if calls == 0 {
        return Ok(TraceCount {
            traces: 0,
            exact: true,
        });
    }
    if filter.clauses.is_empty() {
        let traces = count(snapshot, of_range(snapshot, filter)).await?;
        return Ok(TraceCount {
            traces,
            exact: true,
        });
    }
    let all = u64::from(LANES.unsigned_abs());
    let lanes = (all * MOST_CALLS / calls).clamp(1, all);
    let mut sql = snapshot.sql("SELECT COUNT(*) FROM (SELECT DISTINCT f.lane, f.trace_id");
    push_calls(&mut sql, &counted(filter), Ask::by(By::Nothing));
    if lanes < all {
        sql.push(&format!(" AND f.lane < {lanes}"));
    }
    sql.push(") t");
    let traces = count(snapshot, sql).await? * all / lanes;
    Ok(TraceCount {
        traces,
        exact: lanes == all,
    })
}

async fn count(snapshot: &mut Snapshot, sql: Sql) -> Result<u64, StoreError> {
    let count = snapshot.first(sql, |row| row.count(0)).await?;
    Ok(count.unwrap_or_default())
}

/// Traces within the range with a counted call; those that reach beyond it only if the call is inside.
fn of_range(snapshot: &Snapshot, filter: &Filter) -> Sql {
    let mut sql = snapshot.sql("SELECT (SELECT COUNT(*) FROM traces WHERE project_id = ");
    sql.bind(filter.project);
    sql.push(" AND start_us >= ").bind(filter.from_us);
    sql.push(" AND start_us < ").bind(filter.to_us);
    sql.push(" AND end_us < ").bind(filter.to_us);
    sql.push(" AND calls > 0) + (SELECT COUNT(*) FROM (");
    push_across(&mut sql, filter.project, filter.from_us);
    sql.push(" UNION ");
    push_across(&mut sql, filter.project, filter.to_us);
    // A single value is looked up for each; for an EXISTS Postgres would hash all calls of the range.
    sql.push(") t WHERE (SELECT 1 FROM calls f WHERE f.lane = t.lane AND f.trace_id = t.trace_id AND f.why = 0");
    sql.push(" AND f.project_id = ").bind(filter.project);
    push_range_of_trace(&mut sql, (filter.from_us, filter.to_us));
    sql.push(" LIMIT 1) = 1)");
    sql
}

/// Traces under way at a moment.
fn push_across(sql: &mut Sql, project: i32, at_us: i64) {
    let conditions = [
        format!("start_us >= {}", at_us.saturating_sub(LONG_US)),
        format!("end_us - start_us > {LONG_US}"),
    ];
    for (place, condition) in conditions.iter().enumerate() {
        sql.push(if place == 0 { "" } else { " UNION " });
        sql.push("SELECT lane, trace_id FROM traces WHERE project_id = ")
            .bind(project);
        sql.push(&format!(" AND {condition} AND start_us < "))
            .bind(at_us);
        sql.push(" AND end_us >= ")
            .bind(at_us)
            .push(" AND calls > 0");
    }
}
