//! Reads by key on Postgres: keys come as arrays, each is one look into an index.

use costflame_profile::Identity;
use sqlx::{PgConnection, Row};

use super::statement::{query, query_as};
use super::{landing::read_landing, sum};
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
    connection: &mut PgConnection,
) -> Result<DroppedBefore, StoreError> {
    let meta: Vec<(String, i64)> = query_as("SELECT name, value FROM meta")
        .fetch_all(connection)
        .await?;
    Ok(DroppedBefore::of(&meta))
}

/// The landed versions of every span of the traces, of each trace the [`MOST_ROWS`] received first.
pub(super) async fn landed(
    connection: &mut PgConnection,
    traces: &[TraceKey],
) -> Result<Vec<LandingRow>, StoreError> {
    const FEW: &str = concat!(
        "SELECT ",
        landing_columns!(),
        " FROM unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (k_lane, k_trace, k_project) \
         JOIN landing ON lane = k_lane AND trace_id = k_trace AND project_id = k_project LIMIT $4"
    );
    const MANY: &str = concat!(
        "SELECT found.* FROM unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (k_lane, k_trace, k_project) \
         CROSS JOIN LATERAL (SELECT ",
        landing_columns!(),
        " FROM landing WHERE lane = k_lane AND trace_id = k_trace AND project_id = k_project \
         ORDER BY received_us, span_id, content_hash LIMIT $4) found"
    );
    let mut rows = Vec::new();
    // Only where all of them together reach the bound does it matter which come first.
    for sql in [FEW, MANY] {
        let (lanes, ids, projects) = keys(traces);
        let query = query(sql)
            .bind(lanes)
            .bind(ids)
            .bind(projects)
            .bind(MOST_ROWS as i64);
        rows = query.fetch_all(&mut *connection).await?;
        if rows.len() < MOST_ROWS {
            break;
        }
    }
    rows.iter().map(read_landing).collect()
}

/// Rows of the traces.
pub(super) async fn traces(
    connection: &mut PgConnection,
    traces: &[TraceKey],
) -> Result<Vec<TraceRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        trace_row_columns!(),
        ", t.cost::text, t.excluded_cost::text, t.tokens_in::text, t.tokens_out::text \
         FROM unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (lane, trace_id, project_id) \
         JOIN traces t ON t.project_id = k.project_id AND t.lane = k.lane AND t.trace_id = k.trace_id"
    );
    let (lanes, ids, projects) = keys(traces);
    let rows = query(SQL)
        .bind(lanes)
        .bind(ids)
        .bind(projects)
        .fetch_all(&mut *connection)
        .await?;
    rows.iter()
        .map(|row| {
            read_trace_row!(
                row,
                [sum(row, 17)?, sum(row, 18)?, sum(row, 19)?, sum(row, 20)?]
            )
        })
        .collect()
}

/// Calls of the traces that start on one of `days`, first to last.
pub(super) async fn calls(
    connection: &mut PgConnection,
    traces: &[TraceKey],
    days: (i32, i32),
) -> Result<Vec<CallRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        call_row_columns!(),
        " FROM unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (lane, trace_id, project_id) \
         JOIN calls c ON c.project_id = k.project_id AND c.lane = k.lane AND c.trace_id = k.trace_id \
         WHERE c.start_day >= $4 AND c.start_day <= $5"
    );
    let (lanes, ids, projects) = keys(traces);
    let query = query(SQL)
        .bind(lanes)
        .bind(ids)
        .bind(projects)
        .bind(days.0)
        .bind(days.1);
    let rows = query.fetch_all(&mut *connection).await?;
    rows.iter().map(|row| read_call_row!(row)).collect()
}

/// Calls by key and start day.
pub(super) async fn calls_at(
    connection: &mut PgConnection,
    calls: &[(CallKey, i32)],
) -> Result<Vec<CallRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        call_row_columns!(),
        " FROM unnest($1::smallint[], $2::bytea[], $3::integer[], $4::bytea[], $5::integer[]) \
         AS k (lane, trace_id, project_id, span_id, start_day) \
         JOIN calls c ON c.project_id = k.project_id AND c.lane = k.lane AND c.trace_id = k.trace_id \
         AND c.span_id = k.span_id AND c.start_day = k.start_day"
    );
    let traces: Vec<TraceKey> = calls.iter().map(|(call, _)| call.trace).collect();
    let (lanes, ids, projects) = keys(&traces);
    let spans: Vec<[u8; 8]> = calls.iter().map(|(call, _)| call.span_id.0).collect();
    let days: Vec<i32> = calls.iter().map(|(_, day)| *day).collect();
    let query = query(SQL)
        .bind(lanes)
        .bind(ids)
        .bind(projects)
        .bind(spans)
        .bind(days);
    let rows = query.fetch_all(&mut *connection).await?;
    rows.iter().map(|row| read_call_row!(row)).collect()
}

/// The first claims of each identity by response id, as many as asked.
pub(super) async fn best_claims(
    connection: &mut PgConnection,
    identities: &[(i32, Identity, i64)],
) -> Result<Vec<ClaimRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_row_columns!(),
        " FROM unnest($1::integer[], $2::smallint[], $3::bytea[], $4::bigint[]) AS k (project_id, lane, identity, many) \
         CROSS JOIN LATERAL (SELECT * FROM claims \
         WHERE claims.project_id = k.project_id AND identity_lane = k.lane AND claims.identity = k.identity AND side = $5 \
         ORDER BY order_key, trace_id, span_id LIMIT k.many) c"
    );
    let (projects, lanes, ids) = identity_keys(
        identities
            .iter()
            .map(|(project, identity, _)| (*project, *identity)),
    );
    let many: Vec<i64> = identities.iter().map(|(_, _, many)| *many).collect();
    let query = query(SQL)
        .bind(projects)
        .bind(lanes)
        .bind(ids)
        .bind(many)
        .bind(BY_RESPONSE);
    let rows = query.fetch_all(&mut *connection).await?;
    rows.iter().map(|row| read_claim_row!(row)).collect()
}

/// All claims of each identity by response id.
pub(super) async fn claims_of(
    connection: &mut PgConnection,
    identities: &[(i32, Identity)],
) -> Result<Vec<ClaimRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_row_columns!(),
        " FROM unnest($1::integer[], $2::smallint[], $3::bytea[]) AS k (project_id, lane, identity) \
         JOIN claims c ON c.project_id = k.project_id AND c.identity_lane = k.lane AND c.identity = k.identity \
         AND c.side = $4"
    );
    let (projects, lanes, ids) = identity_keys(identities.iter().copied());
    let query = query(SQL)
        .bind(projects)
        .bind(lanes)
        .bind(ids)
        .bind(BY_RESPONSE);
    let rows = query.fetch_all(&mut *connection).await?;
    rows.iter().map(|row| read_claim_row!(row)).collect()
}

/// All claims by usage in the stretches.
pub(super) async fn claims_within(
    connection: &mut PgConnection,
    stretches: &[Stretch],
) -> Result<Vec<ClaimRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_row_columns!(),
        " FROM unnest($1::integer[], $2::smallint[], $3::bytea[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
         AS k (project_id, lane, identity, side, from_us, to_us, ending_us) \
         JOIN claims c ON c.project_id = k.project_id AND c.identity_lane = k.lane AND c.identity = k.identity \
         AND c.side = k.side AND c.order_key >= k.from_us AND c.order_key <= k.to_us AND c.end_us >= k.ending_us"
    );
    let flat: Vec<(&Stretch, i16)> = stretches
        .iter()
        .flat_map(|stretch| stretch.sides.iter().map(move |side| (stretch, *side)))
        .collect();
    let (projects, lanes, ids) = identity_keys(
        flat.iter()
            .map(|(stretch, _)| (stretch.project, stretch.identity)),
    );
    let sides: Vec<i16> = flat.iter().map(|(_, side)| *side).collect();
    let number = |of: fn(&Stretch) -> i64| -> Vec<i64> {
        flat.iter().map(|(stretch, _)| of(stretch)).collect()
    };
    let query = query(SQL)
        .bind(projects)
        .bind(lanes)
        .bind(ids)
        .bind(sides)
        .bind(number(|stretch| stretch.from_us))
        .bind(number(|stretch| stretch.to_us))
        .bind(number(|stretch| stretch.ending_us));
    let rows = query.fetch_all(&mut *connection).await?;
    rows.iter().map(|row| read_claim_row!(row)).collect()
}

/// Lanes, trace ids and projects of traces, as arrays.
pub(super) fn keys(traces: &[TraceKey]) -> (Vec<i16>, Vec<[u8; 16]>, Vec<i32>) {
    (
        traces.iter().map(TraceKey::lane).collect(),
        traces.iter().map(|trace| trace.trace_id.0).collect(),
        traces.iter().map(|trace| trace.project).collect(),
    )
}

fn identity_keys(
    identities: impl Iterator<Item = (i32, Identity)> + Clone,
) -> (Vec<i32>, Vec<i16>, Vec<[u8; 16]>) {
    (
        identities.clone().map(|(project, _)| project).collect(),
        identities
            .clone()
            .map(|(_, identity)| identity_lane(&identity))
            .collect(),
        identities.map(|(_, identity)| identity.0).collect(),
    )
}
