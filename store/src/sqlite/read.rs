//! Reads by key on SQLite: keys come as a JSON array, so that one statement serves any number.

use std::fmt::Write as _;

use costflame_profile::Identity;
use futures::TryStreamExt as _;
use sqlx::{
    Row, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{halves, landing::read_landing};
use crate::{
    CallKey, CallRow, LandingRow, StoreError, TraceKey, TraceRow,
    call_columns::{call_row_columns, read_call_row},
    claim_columns::{claim_row_columns, read_claim_row, read_trace_row, trace_row_columns},
    claim_row::{BY_RESPONSE, ClaimRow, identity_lane},
    election::Stretch,
    landing::landing_columns,
    outcome::MOST_ROWS,
    retention::DroppedBefore,
};

/// What has been dropped.
pub(super) async fn dropped_before(
    connection: &mut SqliteConnection,
) -> Result<DroppedBefore, StoreError> {
    let meta: Vec<(String, i64)> = sqlx::query_as("SELECT name, value FROM meta")
        .fetch_all(connection)
        .await?;
    Ok(DroppedBefore::of(&meta))
}

/// The landed versions of every span of the traces, of each trace the [`MOST_ROWS`] received first.
pub(super) async fn landed(
    connection: &mut SqliteConnection,
    traces: &[TraceKey],
) -> Result<Vec<LandingRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        landing_columns!(),
        " FROM json_each($1) AS k CROSS JOIN landing ON lane = k.value ->> 0 AND trace_id = unhex(k.value ->> 1) \
         AND project_id = k.value ->> 2 LIMIT $2"
    );
    let query = sqlx::query(SQL)
        .bind(trace_keys(traces))
        .bind(MOST_ROWS as i64);
    let mut landed = fetch(connection, query, read_landing).await?;
    if landed.len() < MOST_ROWS {
        return Ok(landed);
    }
    // Only where all of them together reach the bound does it matter which come first.
    landed.clear();
    for trace in traces {
        landed.extend(first_landed(connection, *trace).await?);
    }
    Ok(landed)
}

async fn first_landed(
    connection: &mut SqliteConnection,
    trace: TraceKey,
) -> Result<Vec<LandingRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        landing_columns!(),
        " FROM landing WHERE lane = $1 AND trace_id = $2 AND project_id = $3 \
         ORDER BY received_us, span_id, content_hash LIMIT $4"
    );
    let query = sqlx::query(SQL)
        .bind(trace.lane())
        .bind(trace.trace_id.0.to_vec())
        .bind(trace.project)
        .bind(MOST_ROWS as i64);
    fetch(connection, query, read_landing).await
}

/// Rows of the traces.
pub(super) async fn traces(
    connection: &mut SqliteConnection,
    traces: &[TraceKey],
) -> Result<Vec<TraceRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        trace_row_columns!(),
        ", t.cost_hi, t.cost_lo, t.excluded_cost_hi, t.excluded_cost_lo, t.tokens_in_hi, t.tokens_in_lo, \
         t.tokens_out_hi, t.tokens_out_lo FROM json_each($1) AS k CROSS JOIN traces t \
         ON t.project_id = k.value ->> 2 AND t.lane = k.value ->> 0 AND t.trace_id = unhex(k.value ->> 1)"
    );
    let query = sqlx::query(SQL).bind(trace_keys(traces));
    let totals = |row: &SqliteRow| -> Result<[i128; 4], StoreError> {
        Ok([
            halves(row, 17)?,
            halves(row, 19)?,
            halves(row, 21)?,
            halves(row, 23)?,
        ])
    };
    fetch(connection, query, |row| read_trace_row!(row, totals(row)?)).await
}

/// Calls of the traces that start on one of `days`, first to last.
pub(super) async fn calls(
    connection: &mut SqliteConnection,
    traces: &[TraceKey],
    days: (i32, i32),
) -> Result<Vec<CallRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        call_row_columns!(),
        " FROM json_each($1) AS k CROSS JOIN calls c ON c.project_id = k.value ->> 2 AND c.lane = k.value ->> 0 \
         AND c.trace_id = unhex(k.value ->> 1) WHERE c.start_day >= $2 AND c.start_day <= $3"
    );
    let query = sqlx::query(SQL)
        .bind(trace_keys(traces))
        .bind(days.0)
        .bind(days.1);
    fetch(connection, query, |row| read_call_row!(row)).await
}

/// Calls by key and start day.
pub(super) async fn calls_at(
    connection: &mut SqliteConnection,
    calls: &[(CallKey, i32)],
) -> Result<Vec<CallRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        call_row_columns!(),
        " FROM json_each($1) AS k CROSS JOIN calls c ON c.project_id = k.value ->> 2 AND c.lane = k.value ->> 0 \
         AND c.trace_id = unhex(k.value ->> 1) AND c.span_id = unhex(k.value ->> 3) AND c.start_day = k.value ->> 4"
    );
    let query = sqlx::query(SQL).bind(call_keys(calls));
    fetch(connection, query, |row| read_call_row!(row)).await
}

/// The first claims of each identity by response id, as many as asked.
pub(super) async fn best_claims(
    connection: &mut SqliteConnection,
    identities: &[(i32, Identity, i64)],
) -> Result<Vec<ClaimRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_row_columns!(),
        " FROM claims c WHERE c.project_id = $1 AND c.identity_lane = $2 AND c.identity = $3 AND c.side = $4 \
         ORDER BY c.order_key, c.trace_id, c.span_id LIMIT $5"
    );
    let mut found = Vec::new();
    for place in claimed(connection, identities).await? {
        let (project, identity, many) = &identities[place];
        let query = sqlx::query(SQL)
            .bind(*project)
            .bind(identity_lane(identity))
            .bind(identity.0.to_vec())
            .bind(BY_RESPONSE)
            .bind(*many);
        found.extend(fetch(connection, query, |row| read_claim_row!(row)).await?);
    }
    Ok(found)
}

/// Places of the identities that anybody claims by response id: few, as most responses are seen once.
async fn claimed(
    connection: &mut SqliteConnection,
    identities: &[(i32, Identity, i64)],
) -> Result<Vec<usize>, StoreError> {
    const SQL: &str = "SELECT k.key FROM json_each($1) AS k WHERE EXISTS (SELECT 1 FROM claims c \
         WHERE c.project_id = k.value ->> 2 AND c.identity_lane = k.value ->> 0 AND c.identity = unhex(k.value ->> 1) \
         AND c.side = $2)";
    let keys = array(identities, |json, (project, identity, _)| {
        let _ = write!(
            json,
            "[{},\"{identity}\",{project}]",
            identity_lane(identity)
        );
    });
    let query = sqlx::query(SQL).bind(keys).bind(BY_RESPONSE);
    let place =
        |row: &SqliteRow| Ok(usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX));
    fetch(connection, query, place).await
}

/// All claims of each identity by response id.
pub(super) async fn claims_of(
    connection: &mut SqliteConnection,
    identities: &[(i32, Identity)],
) -> Result<Vec<ClaimRow>, StoreError> {
    let all: Vec<_> = identities
        .iter()
        .map(|(project, identity)| (*project, *identity, -1))
        .collect();
    best_claims(connection, &all).await
}

/// All claims by usage in the stretches.
pub(super) async fn claims_within<'a>(
    connection: &mut SqliteConnection,
    stretches: &'a [Stretch],
) -> Result<Vec<ClaimRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_row_columns!(),
        " FROM json_each($1) AS k CROSS JOIN claims c ON c.project_id = k.value ->> 2 AND c.identity_lane = k.value ->> 0 \
         AND c.identity = unhex(k.value ->> 1) AND c.side = k.value ->> 3 AND c.order_key >= k.value ->> 4 \
         AND c.order_key <= k.value ->> 5 AND c.end_us >= k.value ->> 6"
    );
    let sides = |stretch: &'a Stretch| stretch.sides.iter().map(move |side| (stretch, *side));
    let keys: Vec<_> = stretches.iter().flat_map(sides).collect();
    let keys = array(&keys, |json, (stretch, side)| {
        let Stretch {
            project,
            identity,
            from_us,
            to_us,
            ending_us,
            ..
        } = stretch;
        let lane = identity_lane(identity);
        let _ = write!(
            json,
            "[{lane},\"{identity}\",{project},{side},{from_us},{to_us},{ending_us}]"
        );
    });
    let query = sqlx::query(SQL).bind(keys);
    fetch(connection, query, |row| read_claim_row!(row)).await
}

/// Reads row by row: a row as it comes takes several times the memory of what is read of it.
async fn fetch<T>(
    connection: &mut SqliteConnection,
    query: Query<'static, sqlx::Sqlite, SqliteArguments>,
    read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = query.fetch(connection);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(read(&row)?);
    }
    Ok(all)
}

/// `[[lane, "trace id", project], …]`.
pub(super) fn trace_keys(traces: &[TraceKey]) -> String {
    array(traces, |json, trace| {
        let (lane, id, project) = (trace.lane(), trace.trace_id, trace.project);
        let _ = write!(json, "[{lane},\"{id}\",{project}]");
    })
}

/// `[[lane, "trace id", project, "span id", start day], …]`.
pub(super) fn call_keys(calls: &[(CallKey, i32)]) -> String {
    array(calls, |json, (call, day)| {
        let CallKey { trace, span_id } = call;
        let (lane, id, project) = (trace.lane(), trace.trace_id, trace.project);
        let _ = write!(json, "[{lane},\"{id}\",{project},\"{span_id}\",{day}]");
    })
}

fn array<T>(items: &[T], write: impl Fn(&mut String, &T)) -> String {
    let mut json = String::with_capacity(items.len() * 80 + 2);
    json.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        write(&mut json, item);
    }
    json.push(']');
    json
}

/// `["id", …]`.
pub(super) fn hex_array(ids: &[[u8; 16]]) -> String {
    let texts: Vec<String> = ids
        .iter()
        .map(|id| costflame_profile::PathId(*id).to_string())
        .collect();
    serde_json::to_string(&texts).unwrap_or_default()
}
