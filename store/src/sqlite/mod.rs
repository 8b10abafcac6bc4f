//! SQLite, embedded: one writer, a few readers.

mod add;
mod bind;
mod checkpoint;
mod connect;
mod landing;
mod lanes;
mod log;
mod marks;
mod misc;
mod multi_row;
mod outbox;
mod prices;
mod read;
mod reprice;
mod rollup;
mod session;
mod snapshot;
mod status;
mod write;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicI64},
};

use sqlx::{Row, SqlitePool, sqlite::SqliteRow};
use tokio::sync::{Mutex, RwLock};

use crate::{
    Due, Forgotten, Lease, SettleReport, StoreError, TraceKey, Verified, forget, seen::Seen,
    settle, verify::verify,
};
use checkpoint::Checkpoints;
use log::Log;
use session::SqliteSession;
use snapshot::SqliteSnapshot;

/// WAL lets readers see the last commit while the writer works; SQLite has one writer at a time,
/// so the writer's pool has one connection, and waiting for it is a queue instead of a busy loop.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    /// Readers for questions of users, so that these never keep settling or checking waiting.
    pub(crate) questions: SqlitePool,
    checkpoints: Checkpoints,
    log: Log,
    seen: Arc<Seen>,
    /// Shared by settlings; held alone by whoever drops what they may read.
    settling: Arc<RwLock<()>>,
    /// Held by the settling that writes: of all who wait for the writer no more than one settles, so that spans land between
    /// two of them.
    turn: Arc<Mutex<()>>,
    /// The UTC day before which this process has left no claim.
    claims_dropped_before: Arc<AtomicI64>,
}

impl Sqlite {
    /// See [`crate::Store::settle`].
    pub(crate) async fn settle(
        &self,
        leases: &[Lease],
        due: &[Due],
        horizon_us: i64,
    ) -> Result<SettleReport, StoreError> {
        let session = SqliteSession::open(self, leases).await?;
        settle::settle(session, due, horizon_us).await
    }

    /// See [`crate::Store::forget`].
    pub(crate) async fn forget(
        &self,
        traces: &BTreeSet<TraceKey>,
        why: &str,
        now_us: i64,
    ) -> Result<Forgotten, StoreError> {
        let session = SqliteSession::open(self, &[]).await?;
        let forgotten = forget::forget(session, traces, why, now_us).await?;
        self.log.sync().await?;
        Ok(forgotten)
    }

    /// See [`crate::Store::verify`].
    pub(crate) async fn verify(&self, horizon_us: i64) -> Result<Verified, StoreError> {
        let mut snapshot = SqliteSnapshot::open(self).await?;
        let verified = verify(&mut snapshot, horizon_us).await?;
        snapshot.close().await?;
        Ok(verified)
    }

    /// See [`crate::Store::all_calls`].
    #[cfg(feature = "testing")]
    pub(crate) async fn all_calls(&self) -> Result<Vec<crate::CallRow>, StoreError> {
        let mut snapshot = SqliteSnapshot::open(self).await?;
        let calls = crate::dump::all_calls(&mut snapshot).await?;
        snapshot.close().await?;
        Ok(calls)
    }

    /// See [`crate::Store::dump`].
    #[cfg(feature = "testing")]
    pub(crate) async fn dump(&self) -> Result<Vec<String>, StoreError> {
        let mut snapshot = SqliteSnapshot::open(self).await?;
        let lines = crate::dump::dump(&mut snapshot).await?;
        snapshot.close().await?;
        Ok(lines)
    }
}

/// A sum in two columns.
fn halves(row: &SqliteRow, place: usize) -> Result<i128, StoreError> {
    Ok(crate::halves::join(
        row.try_get(place)?,
        row.try_get(place + 1)?,
    ))
}
