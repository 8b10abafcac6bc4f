//! One trace with everything in it.

use costflame_profile::TraceId;

use super::{
    calls::{CallRecord, calls_of_trace},
    paths::Paths,
    snapshot::{Row, Snapshot},
    status::is_settled,
    traces::{TraceRecord, trace_record},
};
use crate::{
    LandingRow, StoreError,
    landing::{RawLanding, landing_columns},
    lane,
};

/// Most landed rows of one trace that are read; of a longer one the first to arrive.
const MAX_ROWS: usize = 100_000;

/// One trace with everything in it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// As listed; `None` if it has never been settled or has no call.
    pub record: Option<TraceRecord>,
    /// Its settled calls, by start.
    pub calls: Vec<CallRecord>,
    /// Every landed version of its spans that has not been dropped yet, in no order.
    pub landed: Vec<LandingRow>,
    /// The paths of `calls`.
    pub paths: Paths,
    /// True when nothing of it waits to be settled.
    pub settled: bool,
}

/// A trace, settled or not; `None` if nothing of it is known.
///
/// # Errors
/// When the database cannot be read.
pub async fn trace(
    snapshot: &mut Snapshot,
    project: i32,
    trace_id: TraceId,
) -> Result<Option<Trace>, StoreError> {
    let record = trace_record(snapshot, project, trace_id).await?;
    let landed = landed(snapshot, project, trace_id).await?;
    let calls = calls_of_trace(snapshot, project, trace_id).await?;
    if record.is_none() && landed.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    let paths = Paths::read(snapshot, project, calls.iter().map(|call| call.path)).await?;
    let settled = is_settled(snapshot, project, trace_id).await?;
    Ok(Some(Trace {
        record,
        calls,
        landed,
        paths,
        settled,
    }))
}

/// Landed rows of a trace.
pub(crate) async fn landed(
    snapshot: &mut Snapshot,
    project: i32,
    trace: TraceId,
) -> Result<Vec<LandingRow>, StoreError> {
    let mut sql = snapshot.sql(concat!(
        "SELECT ",
        landing_columns!(),
        " FROM landing WHERE lane = "
    ));
    sql.bind(i64::from(lane(&trace)));
    sql.push(" AND trace_id = ").bind(&trace.0[..]);
    sql.push(" AND project_id = ").bind(project);
    sql.push(" LIMIT ").bind(MAX_ROWS);
    snapshot.all(sql, read_landed).await
}

/// In the order of [`landing_columns`].
pub(super) fn read_landed(row: &Row) -> Result<LandingRow, StoreError> {
    let int = |column: usize| -> Result<i32, StoreError> {
        i32::try_from(row.int(column)?).map_err(|error| StoreError::corrupt("number", error))
    };
    let small = |column: usize| -> Result<i16, StoreError> {
        i16::try_from(row.int(column)?).map_err(|error| StoreError::corrupt("number", error))
    };
    RawLanding {
        received_us: row.int(0)?,
        start_us: row.int(1)?,
        end_us: row.int(2)?,
        content_hash: row.int(3)?,
        project: int(4)?,
        attribute_count: int(5)?,
        weight_milli: int(6)?,
        kind: small(8)?,
        span_kind: small(9)?,
        role: small(10)?,
        signal: small(11)?,
        error: row.flag(12)?,
        trace_id: &row.bytes(13)?,
        span_id: &row.bytes(14)?,
        parent_span_id: row.maybe_bytes(15)?.as_deref(),
        service: &row.text(16)?,
        label: &row.text(17)?,
        emitter: &row.text(18)?,
        instance: row.maybe_text(19)?.as_deref(),
        links: row.maybe_bytes(20)?.as_deref(),
        attribution: row.maybe_bytes(21)?.as_deref(),
        call: row.maybe_bytes(22)?.as_deref(),
        sent: crate::Sent {
            request: row.maybe_int(23)?,
            system: row.maybe_int(24)?,
        },
    }
    .read()
}
