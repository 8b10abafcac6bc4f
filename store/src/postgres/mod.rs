//! Postgres 15 and newer.

mod add;
mod connect;
mod copy;
pub(crate) mod distribute;
mod encode;
mod landing;
mod lanes;
mod marks;
mod misc;
mod outbox;
mod partitions;
mod prices;
mod read;
mod reprice;
mod rollup;
mod session;
mod snapshot;
mod statement;
mod status;
mod write;

use std::{collections::BTreeSet, sync::Arc};

use sqlx::{PgPool, Row, postgres::PgRow};

use crate::{
    Due, Forgotten, Lease, SettleReport, StoreError, TraceKey, Verified, forget, guard::Guard,
    seen::Seen, settle, verify::verify,
};
use session::PgSession;
use snapshot::PgSnapshot;

/// A pool of connections; the schema is there.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pub(crate) pool: PgPool,
    /// Connections for questions of users, so that these never keep landing or settling waiting.
    pub(crate) questions: PgPool,
    /// There is Citus, see [`Postgres::distribute`].
    pub(crate) distributed: bool,
    begin: Openings,
    seen: Arc<Seen>,
}

/// Statements that open a transaction.
#[derive(Clone, Copy, Debug)]
struct Openings {
    plain: &'static str,
    /// For reads by many keys.
    by_key: &'static str,
}

impl Postgres {
    /// A transaction for small changes.
    pub(crate) async fn begin_plain(&self) -> Result<Guard<sqlx::Postgres>, StoreError> {
        Guard::begin(&self.pool, self.begin.plain).await
    }

    /// See [`crate::Store::settle`].
    pub(crate) async fn settle(
        &self,
        leases: &[Lease],
        due: &[Due],
        horizon_us: i64,
    ) -> Result<SettleReport, StoreError> {
        let session = PgSession::open(self, leases).await?;
        settle::settle(session, due, horizon_us).await
    }

    /// See [`crate::Store::forget`].
    pub(crate) async fn forget(
        &self,
        traces: &BTreeSet<TraceKey>,
        why: &str,
        now_us: i64,
    ) -> Result<Forgotten, StoreError> {
        let lanes = traces.iter().map(TraceKey::lane).collect();
        let session = PgSession::open_above(self, &lanes).await?;
        forget::forget(session, traces, why, now_us).await
    }

    /// See [`crate::Store::verify`].
    pub(crate) async fn verify(&self, horizon_us: i64) -> Result<Verified, StoreError> {
        let mut snapshot = PgSnapshot::open(self).await?;
        let verified = verify(&mut snapshot, horizon_us).await?;
        snapshot.close().await?;
        Ok(verified)
    }

    /// See [`crate::Store::all_calls`].
    #[cfg(feature = "testing")]
    pub(crate) async fn all_calls(&self) -> Result<Vec<crate::CallRow>, StoreError> {
        let mut snapshot = PgSnapshot::open(self).await?;
        let calls = crate::dump::all_calls(&mut snapshot).await?;
        snapshot.close().await?;
        Ok(calls)
    }

    /// See [`crate::Store::dump`].
    #[cfg(feature = "testing")]
    pub(crate) async fn dump(&self) -> Result<Vec<String>, StoreError> {
        let mut snapshot = PgSnapshot::open(self).await?;
        let lines = crate::dump::dump(&mut snapshot).await?;
        snapshot.close().await?;
        Ok(lines)
    }
}

/// A sum selected as text.
fn sum(row: &PgRow, place: usize) -> Result<i128, StoreError> {
    let text: &str = row.try_get(place)?;
    text.parse()
        .map_err(|error| StoreError::corrupt("sum", error))
}
