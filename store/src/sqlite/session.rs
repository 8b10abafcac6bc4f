//! A settling transaction on SQLite.

use std::collections::BTreeSet;

use costflame_profile::Identity;
use sqlx::{SqliteConnection, pool::PoolConnection};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard};

use super::{
    Sqlite,
    log::{begin_unsynced, commit_unsynced},
    read, reprice, write,
};
use crate::{
    CallKey, CallRow, Forgotten, LandingRow, Lease, RepricingState, StoreError, TraceKey, TraceRow,
    claim_row::ClaimRow, election::Stretch, guard::Guard, plan::Writes, retention::DroppedBefore,
    seen::Stored, session::Session,
};

/// A settling: others read and compute beside it, and spans keep landing, until [`Session::lock`] opens the transaction of
/// the only writer.
///
/// Its commit is not synced: what a settling wrote follows from what had landed, and is settled again where it is lost.
pub(crate) struct SqliteSession {
    sqlite: Sqlite,
    leases: Vec<Lease>,
    reader: Option<PoolConnection<sqlx::Sqlite>>,
    writer: Option<Guard<sqlx::Sqlite>>,
    stored: Vec<Stored>,
    _settling: OwnedRwLockReadGuard<()>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl SqliteSession {
    /// Waits while spans are dropped.
    pub(crate) async fn open(sqlite: &Sqlite, leases: &[Lease]) -> Result<Self, StoreError> {
        let settling = sqlite.settling.clone().read_owned().await;
        Ok(Self {
            sqlite: sqlite.clone(),
            leases: leases.to_vec(),
            reader: None,
            writer: None,
            stored: Vec::new(),
            _settling: settling,
            turn: None,
        })
    }

    /// The writer's connection once its transaction is open, else a reader's.
    async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if let Some(writer) = &mut self.writer {
            return Ok(writer.connection());
        }
        if self.reader.is_none() {
            self.reader = Some(self.sqlite.reader.acquire().await?);
        }
        Ok(self.reader.as_mut().expect("acquired above"))
    }
}

impl Session for SqliteSession {
    const LOCKS_LATE: bool = true;

    async fn dropped_before(&mut self) -> Result<DroppedBefore, StoreError> {
        read::dropped_before(self.connection().await?).await
    }

    async fn landed(&mut self, traces: &[TraceKey]) -> Result<Vec<LandingRow>, StoreError> {
        read::landed(self.connection().await?, traces).await
    }

    async fn traces(&mut self, traces: &[TraceKey]) -> Result<Vec<TraceRow>, StoreError> {
        read::traces(self.connection().await?, traces).await
    }

    async fn calls(
        &mut self,
        traces: &[TraceKey],
        days: (i32, i32),
    ) -> Result<Vec<CallRow>, StoreError> {
        read::calls(self.connection().await?, traces, days).await
    }

    async fn lock(&mut self, _identity_lanes: &BTreeSet<i16>) -> Result<(), StoreError> {
        if self.writer.is_some() {
            return Ok(());
        }
        self.turn = Some(self.sqlite.turn.clone().lock_owned().await);
        let mut writer = begin_unsynced(&self.sqlite.writer).await?;
        let epochs: Vec<(i16, i64)> = sqlx::query_as("SELECT lane, epoch FROM lanes")
            .fetch_all(writer.connection())
            .await?;
        if let Some(lost) = self
            .leases
            .iter()
            .find(|lease| !epochs.contains(&(lease.lane, lease.epoch)))
        {
            return Err(StoreError::Fenced(lost.lane));
        }
        self.writer = Some(writer);
        self.reader = None;
        Ok(())
    }

    async fn calls_at(&mut self, calls: &[(CallKey, i32)]) -> Result<Vec<CallRow>, StoreError> {
        read::calls_at(self.connection().await?, calls).await
    }

    async fn best_claims(
        &mut self,
        identities: &[(i32, Identity, i64)],
    ) -> Result<Vec<ClaimRow>, StoreError> {
        read::best_claims(self.connection().await?, identities).await
    }

    async fn claims_of(
        &mut self,
        identities: &[(i32, Identity)],
    ) -> Result<Vec<ClaimRow>, StoreError> {
        read::claims_of(self.connection().await?, identities).await
    }

    async fn claims_within(&mut self, stretches: &[Stretch]) -> Result<Vec<ClaimRow>, StoreError> {
        read::claims_within(self.connection().await?, stretches).await
    }

    async fn write(&mut self, writes: &mut Writes) -> Result<(), StoreError> {
        let Some(writer) = &mut self.writer else {
            return Err(StoreError::Refused(
                "a settling writes only after it has locked".into(),
            ));
        };
        self.stored = write::write(writer.connection(), writes, &self.sqlite.seen).await?;
        Ok(())
    }

    async fn delete_landed(&mut self, traces: &[TraceKey]) -> Result<(), StoreError> {
        write::delete_landed(self.connection().await?, traces).await
    }

    async fn rewrite_landed(&mut self, rows: &[LandingRow]) -> Result<(), StoreError> {
        reprice::rewrite_landed(self.connection().await?, rows).await
    }

    async fn mark(&mut self, traces: &[TraceKey], now_us: i64) -> Result<(), StoreError> {
        reprice::mark(self.connection().await?, traces, now_us).await
    }

    async fn note_repricing(&mut self, state: &RepricingState) -> Result<(), StoreError> {
        reprice::note(self.connection().await?, state).await
    }

    async fn note_corrections(&mut self, body: &[u8]) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO corrections (body) VALUES ($1)")
            .bind(body.to_vec())
            .execute(self.connection().await?)
            .await?;
        Ok(())
    }

    async fn note_deletion(
        &mut self,
        why: &str,
        what: Forgotten,
        now_us: i64,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO deletions (at_us, why, traces, calls) VALUES ($1, $2, $3, $4)")
            .bind(now_us)
            .bind(why.to_owned())
            .bind(what.traces.cast_signed())
            .bind(what.calls.cast_signed())
            .execute(self.connection().await?)
            .await?;
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        if let Some(writer) = self.writer {
            commit_unsynced(writer).await?;
            self.sqlite.checkpoints.want();
        }
        self.sqlite.seen.add(self.stored);
        Ok(())
    }
}
