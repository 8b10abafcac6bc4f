//! How many traces have a call of a question.
//!
//! Rollups of calls cannot tell: a trace has calls in many of their rows. Without filters `trace_rollups`
//! tell, which count traces by their start. With filters calls are looked at, all of them while they are
//! few, else those of some lanes: a lane is a hash of the trace id, so every lane has its fair share of any
//! traces. Calls of the first lanes are kept a second time, narrow and side by side, for this.

use super::{
    ask::{Ask, By},
    breakdown::counted,
    facts::{push_call_range, push_calls_of, push_range, push_range_of_trace},
    filter::{Column, Filter},
    pieces::since_day,
    plan::{DAY_US, Plan, TIERS},
    snapshot::Snapshot,
    source::picked,
    sql::Sql,
};
use crate::{LANES, StoreError, delta::SAMPLED_LANES};

/// Matching calls that are looked at; of more, those of some lanes.
const MOST_CALLS: u64 = 100_000;

/// Matching calls that are enough to tell how many traces they are in, to within a few hundredths.
const ENOUGH_CALLS: u64 = 20_000;

/// Calls of a range that are read to find those that match.
const MOST_READ: u64 = 500_000;

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
    let since_us = since_day(snapshot).await?.saturating_mul(DAY_US);
    if filter.clauses.is_empty() {
        let traces = count(snapshot, of_range(snapshot, filter, since_us)).await?;
        return Ok(TraceCount {
            traces,
            exact: true,
        });
    }
    let Some(lanes) = sampled_lanes(snapshot, filter, calls, since_us).await? else {
        let sql = of_calls(snapshot, filter, "calls", None);
        return Ok(TraceCount {
            traces: count(snapshot, sql).await?,
            exact: true,
        });
    };
    let table = if filter.from_us >= since_us {
        "sampled_calls"
    } else {
        "calls"
    };
    let sql = of_calls(snapshot, filter, table, Some(lanes));
    Ok(TraceCount {
        traces: count(snapshot, sql).await? * u64::from(LANES.unsigned_abs()) / lanes,
        exact: false,
    })
}

/// Of how many lanes the calls are looked at; `None` = of all, since they are few.
async fn sampled_lanes(
    snapshot: &mut Snapshot,
    filter: &Filter,
    calls: u64,
    since_us: i64,
) -> Result<Option<u64>, StoreError> {
    let sampled = u64::from(SAMPLED_LANES.unsigned_abs());
    if calls > MOST_CALLS {
        let enough = (ENOUGH_CALLS * u64::from(LANES.unsigned_abs())).div_ceil(calls);
        return Ok(Some(enough.min(sampled)));
    }
    let by_index = [Column::User, Column::Session];
    let by_index = by_index
        .iter()
        .any(|column| !picked(filter, column).is_empty());
    if by_index || filter.from_us < since_us {
        return Ok(None);
    }
    // However few match, all calls of the range are read.
    let mut sql =
        snapshot.sql("SELECT COUNT(*) FROM (SELECT 1 FROM sampled_calls f WHERE f.project_id = ");
    sql.bind(filter.project);
    push_call_range(&mut sql, (filter.from_us, filter.to_us));
    let most = MOST_READ * sampled / u64::from(LANES.unsigned_abs());
    sql.push(&format!(" LIMIT {}) s", most + 1));
    let many = count(snapshot, sql).await? > most;
    Ok(many.then_some(sampled))
}

/// Traces with a matching call in a table that has what filters name.
fn of_calls(snapshot: &Snapshot, filter: &Filter, table: &str, lanes: Option<u64>) -> Sql {
    let filter = counted(filter);
    let mut sql = snapshot.sql("SELECT COUNT(*) FROM (SELECT DISTINCT f.lane, f.trace_id");
    push_calls_of(&mut sql, table, &filter, Ask::by(By::Nothing));
    if let Some(lanes) = lanes {
        sql.push(&format!(" AND f.lane < {lanes}"));
    }
    sql.push(") t");
    sql
}

async fn count(snapshot: &mut Snapshot, sql: Sql) -> Result<u64, StoreError> {
    let count = snapshot.first(sql, |row| row.count(0)).await?;
    Ok(count.unwrap_or_default())
}

/// Traces within the range with a counted call; those that reach beyond it only if the call is inside.
///
/// Those that start in the range are counted in buckets where they are, the others of them one by one. Those that are under
/// way at its ends are taken out, and added again if they have a call in it.
fn of_range(snapshot: &Snapshot, filter: &Filter, since_us: i64) -> Sql {
    let (from, to) = (filter.from_us, filter.to_us);
    let counted_from = since_us.clamp(from, to);
    let mut singly = vec![(from, counted_from)];
    let mut sql = snapshot.sql("SELECT CAST(0");
    if counted_from < to {
        let plan = Plan::new((counted_from, to), &TIERS);
        for (seconds, range) in plan.buckets {
            sql.push(" + (SELECT COALESCE(SUM(traces), 0) FROM trace_rollups WHERE project_id = ")
                .bind(filter.project);
            sql.push(" AND tier = ").bind(seconds);
            push_range(&mut sql, "bucket_us", range);
            sql.push(")");
        }
        if let Some(whole) = plan.whole {
            sql.push(" + (SELECT COALESCE(SUM(traces), 0) FROM trace_deltas WHERE project_id = ")
                .bind(filter.project);
            push_range(&mut sql, "bucket_us", whole);
            sql.push(")");
        }
        singly.extend(plan.edges);
    }
    for range in singly.into_iter().filter(|(from, to)| from < to) {
        sql.push(" + (SELECT COUNT(*) FROM traces WHERE project_id = ")
            .bind(filter.project);
        push_range(&mut sql, "start_us", range);
        sql.push(" AND calls > 0)");
    }
    sql.push(" - (SELECT COUNT(*) FROM (");
    push_across(&mut sql, filter.project, to);
    sql.push(") t WHERE start_us >= ").bind(from);
    sql.push(") + (SELECT COUNT(*) FROM (");
    push_across(&mut sql, filter.project, from);
    sql.push(" UNION ");
    push_across(&mut sql, filter.project, to);
    // A single value is looked up for each; for an EXISTS Postgres would hash all calls of the range.
    sql.push(") t WHERE (SELECT 1 FROM calls f WHERE f.lane = t.lane AND f.trace_id = t.trace_id AND f.why = 0");
    sql.push(" AND f.project_id = ").bind(filter.project);
    push_range_of_trace(&mut sql, (filter.from_us, filter.to_us));
    sql.push(" LIMIT 1) = 1) AS bigint)");
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
        sql.push("SELECT lane, trace_id, start_us FROM traces WHERE project_id = ")
            .bind(project);
        sql.push(&format!(" AND {condition} AND start_us < "))
            .bind(at_us);
        sql.push(" AND end_us >= ")
            .bind(at_us)
            .push(" AND calls > 0");
    }
}
