//! One call with its receipt and what was left out in its favour.

use std::collections::HashSet;

use costflame_pricing::{CatalogId, Receipt};
use costflame_profile::{Identity, Span, SpanId, TraceId, identity};

use super::{
    calls::{CallId, CallRecord, calls_of_trace},
    paths::Paths,
    snapshot::Snapshot,
    trace::landed,
};
use crate::{LandingRow, StoreError, lane};

/// Other traces' calls that are read for one identity.
const MAX_RIVALS: usize = 100;

/// One call with its receipt.
#[derive(Clone, Debug)]
pub struct CallReceipt {
    /// The call.
    pub call: CallRecord,
    /// How it came to its cost.
    pub receipt: Receipt,
    /// The price snapshot; `None` when it is no longer known.
    pub catalog: Option<Catalog>,
    /// Calls left out in favour of this one, of this trace and of others.
    pub excluded: Vec<CallRecord>,
    /// The paths of all these calls.
    pub paths: Paths,
    /// Every landed version of the trace's spans that has not been dropped yet.
    pub landed: Vec<LandingRow>,
}

/// A price snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// Where it is from.
    pub source: String,
    /// When it was fetched, microseconds since 1970 UTC.
    pub fetched_us: i64,
    /// Of the source text.
    pub sha256: Vec<u8>,
}

/// The receipt of a call; `None` if there is no such call.
///
/// # Errors
/// When the database cannot be read.
pub async fn receipt(
    snapshot: &mut Snapshot,
    project: i32,
    (trace_id, span_id): CallId,
) -> Result<Option<CallReceipt>, StoreError> {
    let mut calls = calls_of_trace(snapshot, project, trace_id).await?;
    let Some(place) = calls.iter().position(|call| call.span_id == span_id) else { return Ok(None) };
    let call = calls.swap_remove(place);
    let receipt = packed_receipt(snapshot, project, (trace_id, span_id)).await?;
    let landed = landed(snapshot, project, trace_id).await?;
    calls.extend(rivals(snapshot, project, &call, &landed).await?);
    let stands_for = |other: &CallRecord| other.why.is_some_and(|why| why.by == Some((trace_id, span_id)));
    let mut excluded: Vec<CallRecord> = calls.into_iter().filter(stands_for).collect();
    excluded.sort_by_key(|call| (call.start_us, call.id()));
    let ids = excluded.iter().map(|call| call.path).chain([call.path]);
    let paths = Paths::read(snapshot, project, ids.collect::<Vec<_>>()).await?;
    let catalog = catalog(snapshot, call.catalog).await?;
    Ok(Some(CallReceipt { call, receipt, catalog, excluded, paths, landed }))
}

async fn packed_receipt(
    snapshot: &mut Snapshot,
    project: i32,
    (trace, span): CallId,
) -> Result<Receipt, StoreError> {
    let mut sql = snapshot.sql("SELECT receipt FROM calls WHERE project_id = ");
    sql.bind(project).push(" AND lane = ").bind(i64::from(lane(&trace)));
    sql.push(" AND trace_id = ").bind(&trace.0[..]).push(" AND span_id = ").bind(&span.0[..]);
    let receipt = snapshot.first(sql, |row| row.receipt(0)).await?;
    receipt.ok_or_else(|| StoreError::Corrupt("a call without a receipt".to_owned()))
}

/// Calls of other traces with one of the call's identities.
async fn rivals(
    snapshot: &mut Snapshot,
    project: i32,
    call: &CallRecord,
    landed: &[LandingRow],
) -> Result<Vec<CallRecord>, StoreError> {
    let mut identities: HashSet<Identity> = HashSet::new();
    let own = landed.iter().map(|row| &row.span).filter(|span| span.span_id == call.span_id);
    for span in own {
        identities.extend(identities_of(project, span));
    }
    identities.extend(call.response_id.as_deref().map(|id| Identity::of_response(project, id)));
    let mut traces: HashSet<TraceId> = HashSet::new();
    for identity in identities {
        traces.extend(claimants(snapshot, project, identity).await?);
    }
    traces.remove(&call.trace_id);
    let mut rivals = Vec::new();
    for trace in traces.into_iter().take(MAX_RIVALS) {
        rivals.extend(calls_of_trace(snapshot, project, trace).await?);
    }
    Ok(rivals)
}

fn identities_of(project: i32, span: &Span) -> Vec<Identity> {
    let Some(call) = &span.call else { return Vec::new() };
    identity::claims(project, span, call).map(|claim| claim.identity).collect()
}

async fn claimants(
    snapshot: &mut Snapshot,
    project: i32,
    identity: Identity,
) -> Result<Vec<TraceId>, StoreError> {
    let mut sql = snapshot.sql("SELECT trace_id, span_id FROM claims WHERE project_id = ");
    sql.bind(project).push(" AND identity_lane = ").bind(i64::from(identity_lane(&identity)));
    sql.push(" AND identity = ").bind(&identity.0[..]).push(" LIMIT ").bind(MAX_RIVALS);
    let claimants: Vec<CallId> =
        snapshot.all(sql, |row| Ok((TraceId(row.id(0)?), SpanId(row.id(1)?)))).await?;
    Ok(claimants.into_iter().map(|(trace, _)| trace).collect())
}

async fn catalog(snapshot: &mut Snapshot, id: CatalogId) -> Result<Option<Catalog>, StoreError> {
    let mut sql = snapshot.sql("SELECT source, fetched_us, sha256 FROM catalogs WHERE catalog_id = ");
    sql.bind(&id.0[..]);
    snapshot
        .first(sql, |row| {
            Ok(Catalog { source: row.text(0)?, fetched_us: row.int(1)?, sha256: row.bytes(2)? })
        })
        .await
}
