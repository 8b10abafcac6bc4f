//! What is known about the calls of some traces: what each cost, and whether it counts.

use std::collections::{HashMap, HashSet};

use costflame_pricing::{Flags, Receipt};
use costflame_profile::{Role, Rule, SpanId, TraceId};

use super::{
    calls::{CallId, push_rows_of, rule},
    snapshot::Snapshot,
    trace::read_landed,
};
use crate::{LandingRow, StoreError, landing::landing_columns};

/// Traces asked about in one statement.
const CHUNK: usize = 500;

/// What is known about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it came to its cost.
    pub receipt: Receipt,
    /// Flags of the receipt and of settling.
    pub flags: Flags,
    /// Why it does not count, and the call that counts in its stead; `None` = it counts.
    pub excluded: Option<(Rule, Option<CallId>)>,
    /// May change: its trace waits to be settled.
    pub provisional: bool,
}

/// Traces with marks, at most `limit`: those that wait to be settled.
pub(crate) async fn pending_traces(
    snapshot: &mut Snapshot,
    limit: usize,
) -> Result<HashSet<(i32, TraceId)>, StoreError> {
    let mut sql = snapshot.sql("SELECT DISTINCT project_id, trace_id FROM dirty LIMIT ");
    sql.bind(limit);
    let mut pending = HashSet::new();
    snapshot
        .each(sql, |row| {
            let project = i32::try_from(row.int(0)?)
                .map_err(|error| StoreError::corrupt("project", error))?;
            pending.insert((project, TraceId(row.id(1)?)));
            Ok(true)
        })
        .await?;
    Ok(pending)
}

/// The calls of `settled` traces as they were settled, and those of `pending` ones as far as they show by themselves.
///
/// `days` are the first and last UTC day a call may start, in days since 1970.
pub(crate) async fn verdicts(
    snapshot: &mut Snapshot,
    project: i32,
    settled: &[TraceId],
    pending: &[TraceId],
    days: (i32, i32),
) -> Result<HashMap<CallId, Verdict>, StoreError> {
    let mut verdicts = HashMap::new();
    for some in pending.chunks(CHUNK) {
        landed(snapshot, project, some, &mut verdicts).await?;
    }
    for some in pending.chunks(CHUNK) {
        stored(snapshot, project, some, days, true, &mut verdicts).await?;
    }
    for some in settled.chunks(CHUNK) {
        stored(snapshot, project, some, days, false, &mut verdicts).await?;
    }
    Ok(verdicts)
}

/// Adds settled calls.
async fn stored(
    snapshot: &mut Snapshot,
    project: i32,
    traces: &[TraceId],
    days: (i32, i32),
    provisional: bool,
    verdicts: &mut HashMap<CallId, Verdict>,
) -> Result<(), StoreError> {
    let mut sql = snapshot.sql(
        "SELECT f.trace_id, f.span_id, f.why, f.instead_trace_id, f.instead_span_id, f.flags, f.receipt FROM ",
    );
    push_rows_of(snapshot, &mut sql, "calls", project, traces, Some(days));
    snapshot
        .each(sql, |row| {
            let by = row.maybe_id(3)?.zip(row.maybe_id(4)?);
            let by = by.map(|(trace, span)| (TraceId(trace), SpanId(span)));
            let flags =
                u32::try_from(row.int(5)?).map_err(|error| StoreError::corrupt("flags", error))?;
            verdicts.insert(
                (TraceId(row.id(0)?), SpanId(row.id(1)?)),
                Verdict {
                    receipt: row.receipt(6)?,
                    flags: Flags(flags),
                    excluded: rule(row.int(2)?)?.map(|rule| (rule, by)),
                    provisional,
                },
            );
            Ok(true)
        })
        .await
}

/// Adds calls as received: of an aggregate it is assumed that calls below it count.
async fn landed(
    snapshot: &mut Snapshot,
    project: i32,
    traces: &[TraceId],
    verdicts: &mut HashMap<CallId, Verdict>,
) -> Result<(), StoreError> {
    let mut sql = snapshot.sql(concat!("SELECT ", landing_columns!(), " FROM "));
    push_rows_of(snapshot, &mut sql, "landing", project, traces, None);
    sql.push(" WHERE call IS NOT NULL");
    let mut latest: HashMap<CallId, LandingRow> = HashMap::new();
    snapshot
        .each(sql, |row| {
            let row = read_landed(&row)?;
            let id = (row.span.trace_id, row.span.span_id);
            let version = |row: &LandingRow| {
                (
                    row.span.end_us,
                    row.span.attribute_count,
                    row.span.content_hash,
                )
            };
            match latest.get(&id) {
                Some(known) if version(known) >= version(&row) => {}
                _ => {
                    latest.insert(id, row);
                }
            }
            Ok(true)
        })
        .await?;
    for (id, row) in latest {
        let Some(receipt) = row.receipt else { continue };
        let is_aggregate = row.span.role == Role::Aggregate;
        verdicts.insert(
            id,
            Verdict {
                flags: receipt.flags,
                receipt,
                excluded: is_aggregate.then_some((Rule::Aggregate, None)),
                provisional: true,
            },
        );
    }
    Ok(())
}
