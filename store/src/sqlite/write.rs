//! What a settling transaction writes on SQLite: deletes and updates by key, multi-row inserts.

use std::{collections::BTreeMap, sync::LazyLock};

use costflame_profile::PathRow;
use sqlx::{Row as _, SqliteConnection};

use super::{
    add::add,
    bind::{self, MEASURES},
    multi_row::{Insert, MultiRow},
    read::{call_keys, trace_keys},
};
use crate::{
    CallRow, SeriesId, SeriesRow, StoreError, TraceKey, TraceTotals,
    call_columns::{CALLS_COLUMN_COUNT, VerdictColumns, calls_columns, sampled_columns},
    claim_columns::{claims_columns, count},
    claim_row::{ClaimKey, identity_lane},
    clean::clean,
    halves::split,
    measures::{COUNTS, SUMS},
    plan::{Writes, count_changed, expect_rows},
    seen::{Seen, Stored},
};

static CALLS: LazyLock<MultiRow> = LazyLock::new(|| {
    MultiRow::new(
        "calls",
        concat!(calls_columns!(), ", tx"),
        CALLS_COLUMN_COUNT + 1,
        "",
    )
});

static CLAIMS: LazyLock<MultiRow> =
    LazyLock::new(|| MultiRow::new("claims", claims_columns!(), 11, ""));

static TRACES: LazyLock<MultiRow> = LazyLock::new(|| {
    let columns = "start_us, end_us, first_received_us, last_received_us, project_id, start_day, spans, calls, errors, \
         failed_spans, unpriced_calls, excluded_calls, lane, root_kind, has_root, trace_id, root_span_id, root_service, \
         root_label, cost_hi, cost_lo, excluded_cost_hi, excluded_cost_lo, tokens_in_hi, tokens_in_lo, tokens_out_hi, \
         tokens_out_lo, tx";
    MultiRow::new("traces", columns, 28, "")
});

static PATHS: LazyLock<MultiRow> = LazyLock::new(|| {
    let columns = "project_id, kind, path_id, parent_id, service, label";
    MultiRow::new("paths", columns, 6, "ON CONFLICT DO NOTHING")
});

static SERIES: LazyLock<MultiRow> = LazyLock::new(|| {
    let columns =
        "project_id, series_id, provider, model, service, environment, feature, agent, operation";
    MultiRow::new("series", columns, 9, "ON CONFLICT DO NOTHING")
});

static CLASSES: LazyLock<MultiRow> = LazyLock::new(|| {
    let columns = "project_id, classes";
    MultiRow::new("used_classes", columns, 2, "ON CONFLICT DO NOTHING")
});

static DELTAS: LazyLock<MultiRow> = LazyLock::new(|| {
    let columns = format!("project_id, bucket_us, path_id, series_id, {}", *MEASURES);
    MultiRow::new(
        "rollup_deltas",
        &columns,
        4 + COUNTS.len() + 2 * SUMS.len(),
        "",
    )
});

static DIM_DELTAS: LazyLock<MultiRow> = LazyLock::new(|| {
    let columns = format!(
        "project_id, day, dimension, value, series_id, path_id, hour_us, {}",
        *MEASURES
    );
    MultiRow::new(
        "dim_deltas",
        &columns,
        7 + COUNTS.len() + 2 * SUMS.len(),
        "",
    )
});

static TRACE_DELTAS: LazyLock<MultiRow> =
    LazyLock::new(|| MultiRow::new("trace_deltas", "project_id, bucket_us, traces", 3, ""));

/// Writes everything, what only adds to the rollups straight to them; returns the paths, series and sets of classes that
/// are stored after commit.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    writes: &mut Writes,
    seen: &Seen,
) -> Result<Vec<Stored>, StoreError> {
    let tx: i64 =
        sqlx::query("UPDATE meta SET value = value + 1 WHERE name = 'tx' RETURNING value")
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
    delete_calls(connection, writes).await?;
    for (key, day) in &writes.old_claims {
        delete_claim(connection, key, *day).await?;
    }
    delete_traces(connection, &writes.old_traces).await?;
    CALLS
        .insert(connection, &writes.new_calls, |insert, row| {
            bind::call(insert, row).bind(tx)
        })
        .await?;
    CLAIMS
        .insert(connection, &writes.new_claims, bind::claim)
        .await?;
    TRACES
        .insert(connection, &writes.new_traces, |insert, row| {
            bind::trace(insert, row).bind(tx)
        })
        .await?;
    for call in &writes.changed_calls {
        update_call(connection, call, tx).await?;
    }
    for (trace, totals) in &writes.changed_traces {
        let now = update_trace(connection, *trace, totals, tx).await?;
        count_changed(&mut writes.deltas.traces, *trace, now, totals);
    }
    sample(connection, writes).await?;
    let paths = seen.missing(writes.paths.iter(), |(project, path)| {
        Stored::Path(*project, path.id)
    });
    PATHS
        .insert(connection, &paths, |insert, path| bind_path(insert, path))
        .await?;
    let series = seen.missing(writes.series.iter(), |((project, id), _)| {
        Stored::Series(*project, *id)
    });
    SERIES
        .insert(connection, &series, |insert, row| bind_series(insert, *row))
        .await?;
    let classes = seen.missing(writes.classes.iter(), |(project, classes)| {
        Stored::Classes(*project, *classes)
    });
    CLASSES
        .insert(connection, &classes, |insert, (project, classes)| {
            insert.bind(*project).bind(classes.0)
        })
        .await?;
    add(connection, &mut writes.deltas).await?;
    insert_trace_deltas(connection, &writes.deltas.traces).await?;
    let deltas: Vec<_> = writes.deltas.paths.iter().collect();
    DELTAS
        .insert(connection, &deltas, |insert, row| bind::delta(insert, *row))
        .await?;
    let deltas: Vec<_> = writes.deltas.dims.iter().collect();
    DIM_DELTAS
        .insert(connection, &deltas, |insert, row| {
            bind::dim_delta(insert, *row)
        })
        .await?;
    delete_marks(connection, writes).await?;
    let paths = paths
        .into_iter()
        .map(|(project, path)| Stored::Path(*project, path.id));
    let series = series
        .into_iter()
        .map(|((project, id), _)| Stored::Series(*project, *id));
    let classes = classes
        .into_iter()
        .map(|(project, classes)| Stored::Classes(*project, *classes));
    Ok(paths.chain(series).chain(classes).collect())
}

async fn delete_calls(
    connection: &mut SqliteConnection,
    writes: &Writes,
) -> Result<(), StoreError> {
    if writes.old_calls.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(
        "DELETE FROM calls WHERE rowid IN (SELECT c.rowid FROM json_each($1) AS k CROSS JOIN calls c \
         ON c.project_id = k.value ->> 2 AND c.lane = k.value ->> 0 AND c.trace_id = unhex(k.value ->> 1) \
         AND c.span_id = unhex(k.value ->> 3) AND c.start_day = k.value ->> 4)",
    )
    .bind(call_keys(&writes.old_calls))
    .execute(connection)
    .await?;
    expect_rows(done.rows_affected(), writes.old_calls.len())
}

async fn delete_claim(
    connection: &mut SqliteConnection,
    key: &ClaimKey,
    day: i32,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM claims WHERE project_id = $1 AND identity_lane = $2 AND identity = $3 AND side = $4 \
         AND order_key = $5 AND trace_id = $6 AND span_id = $7 AND landed_day = $8",
    )
    .bind(key.project)
    .bind(identity_lane(&key.identity))
    .bind(key.identity.0.to_vec())
    .bind(key.side)
    .bind(key.order_key)
    .bind(key.trace_id.0.to_vec())
    .bind(key.span_id.0.to_vec())
    .bind(day)
    .execute(connection)
    .await?;
    Ok(())
}

async fn delete_traces(
    connection: &mut SqliteConnection,
    traces: &[TraceKey],
) -> Result<(), StoreError> {
    if traces.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(
        "DELETE FROM traces WHERE rowid IN (SELECT t.rowid FROM json_each($1) AS k CROSS JOIN traces t \
         ON t.project_id = k.value ->> 2 AND t.lane = k.value ->> 0 AND t.trace_id = unhex(k.value ->> 1))",
    )
    .bind(trace_keys(traces))
    .execute(connection)
    .await?;
    expect_rows(done.rows_affected(), traces.len())
}

async fn update_call(
    connection: &mut SqliteConnection,
    call: &CallRow,
    tx: i64,
) -> Result<(), StoreError> {
    let verdict = VerdictColumns::of(call);
    let done = sqlx::query(
        "UPDATE calls SET why = $1, flags = $2, instead_trace_id = $3, instead_span_id = $4, lost_response = $5, \
         lost_usage = $6, tx = $7 \
         WHERE project_id = $8 AND lane = $9 AND trace_id = $10 AND span_id = $11 AND start_day = $12",
    )
    .bind(verdict.why)
    .bind(verdict.flags)
    .bind(verdict.instead.map(|(trace, _)| trace.0.to_vec()))
    .bind(verdict.instead.map(|(_, span)| span.0.to_vec()))
    .bind(verdict.lost_response.map(|bytes| bytes.to_vec()))
    .bind(verdict.lost_usage.map(|bytes| bytes.to_vec()))
    .bind(tx)
    .bind(call.key.trace.project)
    .bind(call.key.trace.lane())
    .bind(call.key.trace.trace_id.0.to_vec())
    .bind(call.key.span_id.0.to_vec())
    .bind(call.start_day())
    .execute(connection)
    .await?;
    expect_rows(done.rows_affected(), 1)
}

async fn update_trace(
    connection: &mut SqliteConnection,
    trace: TraceKey,
    totals: &TraceTotals,
    tx: i64,
) -> Result<(i64, i64), StoreError> {
    const SQL: &str = "UPDATE traces SET calls = calls + $1, errors = errors + $2, \
         unpriced_calls = unpriced_calls + $3, excluded_calls = excluded_calls + $4, \
         cost_hi = cost_hi + $5 + ((cost_lo + $6) >> 32), cost_lo = (cost_lo + $6) & 4294967295, \
         excluded_cost_hi = excluded_cost_hi + $7 + ((excluded_cost_lo + $8) >> 32), \
         excluded_cost_lo = (excluded_cost_lo + $8) & 4294967295, \
         tokens_in_hi = tokens_in_hi + $9 + ((tokens_in_lo + $10) >> 32), \
         tokens_in_lo = (tokens_in_lo + $10) & 4294967295, \
         tokens_out_hi = tokens_out_hi + $11 + ((tokens_out_lo + $12) >> 32), \
         tokens_out_lo = (tokens_out_lo + $12) & 4294967295, tx = $13 \
         WHERE project_id = $14 AND lane = $15 AND trace_id = $16 RETURNING start_us, calls";
    let counts = [
        totals.calls,
        totals.errors,
        totals.unpriced_calls,
        totals.excluded_calls,
    ];
    let sums = [
        totals.cost.0,
        totals.excluded_cost.0,
        totals.tokens_in,
        totals.tokens_out,
    ];
    let query = counts
        .into_iter()
        .fold(sqlx::query_as(SQL), |query, number| {
            query.bind(count(number))
        });
    let query = sums.into_iter().fold(query, |query, sum| {
        let (hi, lo) = split(sum);
        query.bind(hi).bind(lo)
    });
    let done = query
        .bind(tx)
        .bind(trace.project)
        .bind(trace.lane())
        .bind(trace.trace_id.0.to_vec())
        .fetch_optional(connection)
        .await?;
    done.ok_or(StoreError::Conflict)
}

async fn insert_trace_deltas(
    connection: &mut SqliteConnection,
    counts: &BTreeMap<(i32, i64), i64>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = counts.iter().filter(|(_, traces)| **traces != 0).collect();
    TRACE_DELTAS
        .insert(
            connection,
            &rows,
            |insert, ((project, bucket_us), traces)| {
                insert.bind(*project).bind(*bucket_us).bind(**traces)
            },
        )
        .await
}

/// What changed in the sampled lanes, from the calls as they are now.
async fn sample(connection: &mut SqliteConnection, writes: &Writes) -> Result<(), StoreError> {
    const FORGET: &str = "DELETE FROM sampled_calls WHERE rowid IN (SELECT c.rowid FROM json_each($1) AS k \
         CROSS JOIN sampled_calls c ON c.project_id = k.value ->> 2 AND c.lane = k.value ->> 0 \
         AND c.trace_id = unhex(k.value ->> 1) AND c.span_id = unhex(k.value ->> 3) AND c.start_day = k.value ->> 4)";
    const ADD: &str = concat!(
        "INSERT INTO sampled_calls (",
        sampled_columns!(""),
        ") SELECT ",
        sampled_columns!("c."),
        " FROM json_each($1) AS k CROSS JOIN calls c ON c.project_id = k.value ->> 2 AND c.lane = k.value ->> 0 \
         AND c.trace_id = unhex(k.value ->> 1) AND c.span_id = unhex(k.value ->> 3) AND c.start_day = k.value ->> 4"
    );
    let (gone, there) = writes.sampled();
    for (sql, keys) in [(FORGET, gone), (ADD, there)] {
        if !keys.is_empty() {
            sqlx::query(sql)
                .bind(call_keys(&keys))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

fn bind_path(insert: Insert, (project, path): &(i32, PathRow)) -> Insert {
    insert
        .bind(*project)
        .bind(path.frame.kind as i16)
        .bind(path.id.0.to_vec())
        .bind(path.parent.map(|parent| parent.0.to_vec()))
        .bind(clean(path.frame.service.clone()))
        .bind(clean(path.frame.label.clone()))
}

fn bind_series(insert: Insert, ((project, id), row): (&(i32, SeriesId), &SeriesRow)) -> Insert {
    let insert = insert.bind(*project).bind(id.0.to_vec());
    row.values
        .iter()
        .fold(insert, |insert, value| insert.bind(value.clone()))
}

async fn delete_marks(
    connection: &mut SqliteConnection,
    writes: &Writes,
) -> Result<(), StoreError> {
    if writes.marks.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = writes.marks.iter().map(|(_, mark)| mark.id).collect();
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    sqlx::query("DELETE FROM dirty WHERE id IN (SELECT value FROM json_each($1))")
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes what has landed of some traces, with the marks. A program that has read it meanwhile and
/// is about to settle finds its leases of the lanes gone.
pub(super) async fn delete_landed(
    connection: &mut SqliteConnection,
    traces: &[TraceKey],
) -> Result<(), StoreError> {
    const LANDING: &str = "DELETE FROM landing WHERE rowid IN (SELECT l.rowid FROM json_each($1) AS k CROSS JOIN landing l \
         ON l.lane = k.value ->> 0 AND l.trace_id = unhex(k.value ->> 1) AND l.project_id = k.value ->> 2)";
    const MARKS: &str = "DELETE FROM dirty WHERE id IN (SELECT d.id FROM dirty d JOIN json_each($1) AS k \
         ON d.lane = k.value ->> 0 AND d.trace_id = unhex(k.value ->> 1) AND d.project_id = k.value ->> 2)";
    const LANES: &str =
        "UPDATE lanes SET epoch = epoch + 1 WHERE lane IN (SELECT value ->> 0 FROM json_each($1))";
    for sql in [LANDING, MARKS, LANES] {
        sqlx::query(sql)
            .bind(trace_keys(traces))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
