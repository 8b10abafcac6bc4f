//! One call with its receipt, and the calls it competes with.

use std::collections::HashSet;

use costflame_pricing::{CatalogId, Receipt};
use costflame_profile::{Identity, TraceId};

use super::{
    calls::{CallId, CallRecord, calls_of_trace},
    paths::Paths,
    snapshot::Snapshot,
    trace::landed,
};
use crate::{LandingRow, StoreError, claim_row::identity_lane, lane, packed};

/// Other traces that are read for one identity.
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
    /// The other calls of its trace.
    pub siblings: Vec<CallRecord>,
    /// Calls of traces with a claim to one of its identities.
    pub rivals: Vec<CallRecord>,
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
    id: CallId,
) -> Result<Option<CallReceipt>, StoreError> {
    let mut siblings = calls_of_trace(snapshot, project, id.0).await?;
    let Some(place) = siblings.iter().position(|call| call.span_id == id.1) else {
        return Ok(None);
    };
    let call = siblings.remove(place);
    let (receipt, identities) = packed_columns(snapshot, project, id).await?;
    let rivals = rivals(snapshot, project, id.0, &identities).await?;
    let landed = landed(snapshot, project, id.0).await?;
    let ids = siblings
        .iter()
        .chain(&rivals)
        .chain([&call])
        .map(|call| call.path);
    let paths = Paths::read(snapshot, project, ids.collect::<Vec<_>>()).await?;
    let catalog = catalog(snapshot, call.catalog).await?;
    Ok(Some(CallReceipt {
        call,
        receipt,
        catalog,
        siblings,
        rivals,
        paths,
        landed,
    }))
}

async fn packed_columns(
    snapshot: &mut Snapshot,
    project: i32,
    (trace, span): CallId,
) -> Result<(Receipt, Vec<Identity>), StoreError> {
    let mut sql = snapshot.sql("SELECT receipt, claims FROM calls WHERE project_id = ");
    sql.bind(project)
        .push(" AND lane = ")
        .bind(i64::from(lane(&trace)));
    sql.push(" AND trace_id = ")
        .bind(&trace.0[..])
        .push(" AND span_id = ")
        .bind(&span.0[..]);
    let columns = snapshot.first(sql, |row| {
        let claims = row
            .maybe_bytes(1)?
            .map(|claims| packed::read_claims(&claims))
            .transpose()?;
        let identities = claims
            .unwrap_or_default()
            .into_iter()
            .map(|claim| claim.identity);
        Ok((row.receipt(0)?, identities.collect()))
    });
    columns
        .await?
        .ok_or_else(|| StoreError::Corrupt("a call without a receipt".to_owned()))
}

/// Calls of other traces with a claim to one of the identities.
async fn rivals(
    snapshot: &mut Snapshot,
    project: i32,
    own: TraceId,
    identities: &[Identity],
) -> Result<Vec<CallRecord>, StoreError> {
    let mut traces: HashSet<TraceId> = HashSet::new();
    for identity in identities {
        let mut sql = snapshot.sql("SELECT trace_id FROM claims WHERE project_id = ");
        sql.bind(project)
            .push(" AND identity_lane = ")
            .bind(i64::from(identity_lane(identity)));
        sql.push(" AND identity = ")
            .bind(&identity.0[..])
            .push(" LIMIT ")
            .bind(MAX_RIVALS);
        traces.extend(snapshot.all(sql, |row| row.id(0).map(TraceId)).await?);
    }
    traces.remove(&own);
    let mut rivals = Vec::new();
    for trace in traces.into_iter().take(MAX_RIVALS) {
        rivals.extend(calls_of_trace(snapshot, project, trace).await?);
    }
    rivals.sort_by_key(|call| (call.start_us, call.id()));
    Ok(rivals)
}

async fn catalog(snapshot: &mut Snapshot, id: CatalogId) -> Result<Option<Catalog>, StoreError> {
    let mut sql =
        snapshot.sql("SELECT source, fetched_us, sha256 FROM catalogs WHERE catalog_id = ");
    sql.bind(&id.0[..]);
    snapshot
        .first(sql, |row| {
            Ok(Catalog {
                source: row.text(0)?,
                fetched_us: row.int(1)?,
                sha256: row.bytes(2)?,
            })
        })
        .await
}
