//! What a settling transaction writes on Postgres: deletes and updates by key, COPY for the rest.

use std::collections::BTreeMap;

use costflame_profile::PathRow;
use sqlx::{AssertSqlSafe, PgConnection, postgres::PgArguments, query::Query};

use super::statement::{query, query_as};
use super::{add::add, copy::CopyBuffer, encode, landing::copy, read::keys};
use crate::{
    CallKey, CallRow, ClassSet, MarkId, SeriesId, SeriesRow, StoreError, TraceKey, TraceTotals,
    call_columns::{VerdictColumns, calls_columns, sampled_columns},
    claim_columns::{claims_columns, count},
    claim_row::{ClaimKey, identity_lane},
    plan::{Writes, count_changed, expect_rows},
    seen::{Seen, Stored},
};

/// Writes everything, what only adds to the rollups straight to them; returns the paths, series and sets of classes that
/// are stored after commit.
pub(super) async fn write(
    connection: &mut PgConnection,
    writes: &mut Writes,
    seen: &Seen,
) -> Result<Vec<Stored>, StoreError> {
    delete_calls(connection, &writes.old_calls).await?;
    delete_claims(connection, &writes.old_claims).await?;
    delete_traces(connection, &writes.old_traces).await?;
    copy_rows(
        connection,
        concat!(
            "COPY calls (",
            calls_columns!(),
            ") FROM STDIN (FORMAT binary)"
        ),
        encode::calls(&writes.new_calls),
    )
    .await?;
    copy_rows(
        connection,
        concat!(
            "COPY claims (",
            claims_columns!(),
            ") FROM STDIN (FORMAT binary)"
        ),
        encode::claims(&writes.new_claims),
    )
    .await?;
    copy_rows(
        connection,
        encode::COPY_TRACES,
        encode::traces(&writes.new_traces),
    )
    .await?;
    update_calls(connection, &writes.changed_calls).await?;
    for (trace, totals) in &writes.changed_traces {
        let (start_us, calls) = update_trace(connection, *trace, totals).await?;
        let now = (start_us, calls.into());
        count_changed(&mut writes.deltas.traces, *trace, now, totals);
    }
    sample(connection, writes).await?;
    let paths = seen.missing(writes.paths.iter(), |(project, path)| {
        Stored::Path(*project, path.id)
    });
    insert_paths(connection, &paths).await?;
    let series = seen.missing(writes.series.iter(), |((project, id), _)| {
        Stored::Series(*project, *id)
    });
    insert_series(connection, &series).await?;
    let classes = seen.missing(writes.classes.iter(), |(project, classes)| {
        Stored::Classes(*project, *classes)
    });
    insert_classes(connection, &classes).await?;
    delete_marks(connection, &writes.marks).await?;
    add(connection, &mut writes.deltas).await?;
    insert_trace_deltas(connection, &writes.deltas.traces).await?;
    copy_rows(
        connection,
        &encode::COPY_DELTAS,
        encode::deltas(&writes.deltas.paths),
    )
    .await?;
    copy_rows(
        connection,
        &encode::COPY_DIM_DELTAS,
        encode::dim_deltas(&writes.deltas.dims),
    )
    .await?;
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

async fn copy_rows(
    connection: &mut PgConnection,
    sql: &str,
    rows: Option<CopyBuffer>,
) -> Result<(), StoreError> {
    match rows {
        Some(rows) => copy(connection, sql, &rows.finish()).await,
        None => Ok(()),
    }
}

async fn delete_calls(
    connection: &mut PgConnection,
    calls: &[(CallKey, i32)],
) -> Result<(), StoreError> {
    if calls.is_empty() {
        return Ok(());
    }
    let done = by_call_keys(query(DELETE_CALLS), calls)
        .execute(connection)
        .await?;
    expect_rows(done.rows_affected(), calls.len())
}

macro_rules! delete_by_key {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " c USING unnest($1::smallint[], $2::bytea[], $3::integer[], $4::bytea[], $5::integer[]) \
             AS k (lane, trace_id, project_id, span_id, start_day) \
             WHERE c.project_id = k.project_id AND c.lane = k.lane AND c.trace_id = k.trace_id AND c.span_id = k.span_id \
             AND c.start_day = k.start_day"
        )
    };
}
const DELETE_CALLS: &str = delete_by_key!("calls");
const DELETE_SAMPLED: &str = delete_by_key!("sampled_calls");

/// Binds lanes, traces, projects, spans and start days.
fn by_call_keys<'q>(
    query: Query<'q, sqlx::Postgres, PgArguments>,
    calls: &[(CallKey, i32)],
) -> Query<'q, sqlx::Postgres, PgArguments> {
    let traces: Vec<TraceKey> = calls.iter().map(|(call, _)| call.trace).collect();
    let (lanes, ids, projects) = keys(&traces);
    let spans: Vec<[u8; 8]> = calls.iter().map(|(call, _)| call.span_id.0).collect();
    let days: Vec<i32> = calls.iter().map(|(_, day)| *day).collect();
    query
        .bind(lanes)
        .bind(ids)
        .bind(projects)
        .bind(spans)
        .bind(days)
}

async fn delete_claims(
    connection: &mut PgConnection,
    claims: &[(ClaimKey, i32)],
) -> Result<(), StoreError> {
    if claims.is_empty() {
        return Ok(());
    }
    let column = || claims.iter().map(|(key, _)| key);
    query(
        "DELETE FROM claims c USING unnest($1::integer[], $2::smallint[], $3::bytea[], $4::smallint[], $5::bigint[], \
         $6::bytea[], $7::bytea[], $8::integer[]) \
         AS k (project_id, lane, identity, side, order_key, trace_id, span_id, landed_day) \
         WHERE c.project_id = k.project_id AND c.identity_lane = k.lane AND c.identity = k.identity AND c.side = k.side \
         AND c.order_key = k.order_key AND c.trace_id = k.trace_id AND c.span_id = k.span_id \
         AND c.landed_day = k.landed_day",
    )
    .bind(column().map(|key| key.project).collect::<Vec<_>>())
    .bind(column().map(|key| identity_lane(&key.identity)).collect::<Vec<_>>())
    .bind(column().map(|key| key.identity.0).collect::<Vec<_>>())
    .bind(column().map(|key| key.side).collect::<Vec<_>>())
    .bind(column().map(|key| key.order_key).collect::<Vec<_>>())
    .bind(column().map(|key| key.trace_id.0).collect::<Vec<_>>())
    .bind(column().map(|key| key.span_id.0).collect::<Vec<_>>())
    .bind(claims.iter().map(|(_, day)| *day).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn delete_traces(
    connection: &mut PgConnection,
    traces: &[TraceKey],
) -> Result<(), StoreError> {
    if traces.is_empty() {
        return Ok(());
    }
    let (lanes, ids, projects) = keys(traces);
    let done = query(
        "DELETE FROM traces t USING unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (lane, trace_id, project_id) \
         WHERE t.project_id = k.project_id AND t.lane = k.lane AND t.trace_id = k.trace_id",
    )
    .bind(lanes)
    .bind(ids)
    .bind(projects)
    .execute(connection)
    .await?;
    expect_rows(done.rows_affected(), traces.len())
}

async fn update_calls(connection: &mut PgConnection, calls: &[CallRow]) -> Result<(), StoreError> {
    if calls.is_empty() {
        return Ok(());
    }
    let traces: Vec<TraceKey> = calls.iter().map(|call| call.key.trace).collect();
    let (lanes, ids, projects) = keys(&traces);
    let verdicts: Vec<VerdictColumns> = calls.iter().map(VerdictColumns::of).collect();
    let done = query(
        "UPDATE calls c SET why = k.why, flags = k.flags, instead_trace_id = k.instead_trace_id, \
         instead_span_id = k.instead_span_id, lost_response = k.lost_response, lost_usage = k.lost_usage, \
         tx = pg_current_xact_id()::text::bigint \
         FROM unnest($1::smallint[], $2::bytea[], $3::integer[], $4::bytea[], $5::integer[], $6::smallint[], $7::integer[], \
         $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[]) \
         AS k (lane, trace_id, project_id, span_id, start_day, why, flags, instead_trace_id, instead_span_id, \
         lost_response, lost_usage) \
         WHERE c.project_id = k.project_id AND c.lane = k.lane AND c.trace_id = k.trace_id AND c.span_id = k.span_id \
         AND c.start_day = k.start_day",
    )
    .bind(lanes)
    .bind(ids)
    .bind(projects)
    .bind(calls.iter().map(|call| call.key.span_id.0).collect::<Vec<_>>())
    .bind(calls.iter().map(CallRow::start_day).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|verdict| verdict.why).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|verdict| verdict.flags).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|verdict| verdict.instead.map(|(trace, _)| trace.0)).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|verdict| verdict.instead.map(|(_, span)| span.0)).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|verdict| verdict.lost_response).collect::<Vec<_>>())
    .bind(verdicts.iter().map(|verdict| verdict.lost_usage).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    expect_rows(done.rows_affected(), calls.len())
}

async fn update_trace(
    connection: &mut PgConnection,
    trace: TraceKey,
    totals: &TraceTotals,
) -> Result<(i64, i32), StoreError> {
    let done = query_as(
        "UPDATE traces SET calls = calls + $4, errors = errors + $5, unpriced_calls = unpriced_calls + $6, \
         excluded_calls = excluded_calls + $7, cost = cost + $8::text::numeric, \
         excluded_cost = excluded_cost + $9::text::numeric, tokens_in = tokens_in + $10::text::numeric, \
         tokens_out = tokens_out + $11::text::numeric, tx = pg_current_xact_id()::text::bigint \
         WHERE project_id = $1 AND lane = $2 AND trace_id = $3 RETURNING start_us, calls",
    )
    .bind(trace.project)
    .bind(trace.lane())
    .bind(trace.trace_id.0)
    .bind(count(totals.calls))
    .bind(count(totals.errors))
    .bind(count(totals.unpriced_calls))
    .bind(count(totals.excluded_calls))
    .bind(totals.cost.0.to_string())
    .bind(totals.excluded_cost.0.to_string())
    .bind(totals.tokens_in.to_string())
    .bind(totals.tokens_out.to_string())
    .fetch_optional(connection)
    .await?;
    done.ok_or(StoreError::Conflict)
}

async fn insert_trace_deltas(
    connection: &mut PgConnection,
    counts: &BTreeMap<(i32, i64), i64>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = counts.iter().filter(|(_, traces)| **traces != 0).collect();
    if rows.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO trace_deltas (project_id, bucket_us, traces) \
         SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[])",
    )
    .bind(
        rows.iter()
            .map(|((project, _), _)| *project)
            .collect::<Vec<_>>(),
    )
    .bind(
        rows.iter()
            .map(|((_, bucket_us), _)| *bucket_us)
            .collect::<Vec<_>>(),
    )
    .bind(rows.iter().map(|(_, traces)| **traces).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// What changed in the sampled lanes, from the calls as they are now.
async fn sample(connection: &mut PgConnection, writes: &Writes) -> Result<(), StoreError> {
    const ADD: &str = concat!(
        "INSERT INTO sampled_calls (",
        sampled_columns!(""),
        ") SELECT ",
        sampled_columns!("c."),
        " FROM unnest($1::smallint[], $2::bytea[], $3::integer[], $4::bytea[], $5::integer[]) \
         AS k (lane, trace_id, project_id, span_id, start_day) JOIN calls c \
         ON c.project_id = k.project_id AND c.lane = k.lane AND c.trace_id = k.trace_id AND c.span_id = k.span_id \
         AND c.start_day = k.start_day"
    );
    let (gone, there) = writes.sampled();
    if !gone.is_empty() {
        by_call_keys(query(DELETE_SAMPLED), &gone)
            .execute(&mut *connection)
            .await?;
    }
    if !there.is_empty() {
        by_call_keys(query(ADD), &there).execute(connection).await?;
    }
    Ok(())
}

async fn insert_paths(
    connection: &mut PgConnection,
    paths: &[&(i32, PathRow)],
) -> Result<(), StoreError> {
    if paths.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO paths (project_id, kind, path_id, parent_id, service, label) \
         SELECT * FROM unnest($1::integer[], $2::smallint[], $3::bytea[], $4::bytea[], $5::text[], $6::text[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(paths.iter().map(|(project, _)| *project).collect::<Vec<_>>())
    .bind(paths.iter().map(|(_, path)| path.frame.kind as i16).collect::<Vec<_>>())
    .bind(paths.iter().map(|(_, path)| path.id.0).collect::<Vec<_>>())
    .bind(paths.iter().map(|(_, path)| path.parent.map(|parent| parent.0)).collect::<Vec<_>>())
    .bind(paths.iter().map(|(_, path)| crate::clean::clean_str(&path.frame.service)).collect::<Vec<_>>())
    .bind(paths.iter().map(|(_, path)| crate::clean::clean_str(&path.frame.label)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_series(
    connection: &mut PgConnection,
    series: &[(&(i32, SeriesId), &SeriesRow)],
) -> Result<(), StoreError> {
    if series.is_empty() {
        return Ok(());
    }
    let value = |place: usize| -> Vec<Option<&str>> {
        series
            .iter()
            .map(|(_, row)| row.values[place].as_deref())
            .collect()
    };
    query(
        "INSERT INTO series (project_id, series_id, provider, model, service, environment, feature, agent, operation) \
         SELECT * FROM unnest($1::integer[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::text[]) ON CONFLICT DO NOTHING",
    )
    .bind(series.iter().map(|((project, _), _)| *project).collect::<Vec<_>>())
    .bind(series.iter().map(|((_, id), _)| id.0).collect::<Vec<_>>())
    .bind(value(0))
    .bind(value(1))
    .bind(value(2))
    .bind(value(3))
    .bind(value(4))
    .bind(value(5))
    .bind(value(6))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_classes(
    connection: &mut PgConnection,
    classes: &[&(i32, ClassSet)],
) -> Result<(), StoreError> {
    if classes.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO used_classes (project_id, classes) SELECT * FROM unnest($1::integer[], $2::integer[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(classes.iter().map(|(project, _)| *project).collect::<Vec<_>>())
    .bind(classes.iter().map(|(_, classes)| classes.0).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn delete_marks(
    connection: &mut PgConnection,
    marks: &[(i16, MarkId)],
) -> Result<(), StoreError> {
    if marks.is_empty() {
        return Ok(());
    }
    query(
        "DELETE FROM dirty d USING unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS k (lane, tx, id) \
         WHERE d.lane = k.lane AND d.tx = k.tx AND d.id = k.id",
    )
    .bind(marks.iter().map(|(lane, _)| *lane).collect::<Vec<_>>())
    .bind(marks.iter().map(|(_, mark)| mark.tx).collect::<Vec<_>>())
    .bind(marks.iter().map(|(_, mark)| mark.id).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes what has landed of some traces, with the marks.
pub(super) async fn delete_landed(
    connection: &mut PgConnection,
    traces: &[TraceKey],
) -> Result<(), StoreError> {
    for table in ["landing", "dirty"] {
        let sql = format!(
            "DELETE FROM {table} t USING unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (lane, trace_id, project_id) \
             WHERE t.lane = k.lane AND t.trace_id = k.trace_id AND t.project_id = k.project_id"
        );
        let (lanes, ids, projects) = keys(traces);
        query(AssertSqlSafe(sql))
            .bind(lanes)
            .bind(ids)
            .bind(projects)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
