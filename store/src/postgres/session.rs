//! A settling transaction on Postgres.

use std::collections::BTreeSet;

use costflame_profile::Identity;
use sqlx::PgConnection;

use super::statement::{query, query_as};
use super::{Postgres, read, reprice, write};
use crate::{
    CallKey, CallRow, Forgotten, LandingRow, Lease, RepricingState, StoreError, TraceKey, TraceRow,
    claim_row::ClaimRow, election::Stretch, guard::Guard, plan::Writes, retention::DroppedBefore,
    seen::Stored, session::Session,
};

/// Class of the advisory locks on lanes of identities ("cost" in ASCII).
const IDENTITY_LOCKS: i32 = 0x636f_7374;

/// A transaction that holds the rows of its lanes.
pub(crate) struct PgSession<'a> {
    postgres: &'a Postgres,
    guard: Guard<sqlx::Postgres>,
    stored: Vec<Stored>,
}

impl<'a> PgSession<'a> {
    /// Opens a transaction and checks the leases under the lanes' row locks.
    pub(crate) async fn open(postgres: &'a Postgres, leases: &[Lease]) -> Result<Self, StoreError> {
        let mut guard = Guard::begin(&postgres.pool, postgres.begin.by_key).await?;
        check_leases(guard.connection(), leases).await?;
        Ok(Self {
            postgres,
            guard,
            stored: Vec::new(),
        })
    }

    /// Opens a transaction that keeps all others from settling in some lanes.
    pub(crate) async fn open_above(
        postgres: &'a Postgres,
        lanes: &BTreeSet<i16>,
    ) -> Result<Self, StoreError> {
        let mut guard = Guard::begin(&postgres.pool, postgres.begin.by_key).await?;
        query("SELECT lane FROM lanes WHERE lane = ANY($1) ORDER BY lane FOR UPDATE")
            .bind(lanes.iter().copied().collect::<Vec<_>>())
            .execute(guard.connection())
            .await?;
        Ok(Self {
            postgres,
            guard,
            stored: Vec::new(),
        })
    }

    fn connection(&mut self) -> &mut PgConnection {
        self.guard.connection()
    }
}

async fn check_leases(connection: &mut PgConnection, leases: &[Lease]) -> Result<(), StoreError> {
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let rows: Vec<(i16, i64)> =
        query_as("SELECT lane, epoch FROM lanes WHERE lane = ANY($1) ORDER BY lane FOR UPDATE")
            .bind(lanes)
            .fetch_all(connection)
            .await?;
    let lost = leases
        .iter()
        .find(|lease| !rows.contains(&(lease.lane, lease.epoch)));
    lost.map_or(Ok(()), |lease| Err(StoreError::Fenced(lease.lane)))
}

impl Session for PgSession<'_> {
    const LOCKS_LATE: bool = false;

    async fn dropped_before(&mut self) -> Result<DroppedBefore, StoreError> {
        read::dropped_before(self.connection()).await
    }

    async fn landed(&mut self, traces: &[TraceKey]) -> Result<Vec<LandingRow>, StoreError> {
        read::landed(self.connection(), traces).await
    }

    async fn traces(&mut self, traces: &[TraceKey]) -> Result<Vec<TraceRow>, StoreError> {
        read::traces(self.connection(), traces).await
    }

    async fn calls(
        &mut self,
        traces: &[TraceKey],
        days: (i32, i32),
    ) -> Result<Vec<CallRow>, StoreError> {
        read::calls(self.connection(), traces, days).await
    }

    async fn lock(&mut self, identity_lanes: &BTreeSet<i16>) -> Result<(), StoreError> {
        if identity_lanes.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i32> = identity_lanes.iter().copied().map(i32::from).collect();
        query("SELECT pg_advisory_xact_lock($1, lane) FROM unnest($2::integer[]) AS k (lane)")
            .bind(IDENTITY_LOCKS)
            .bind(lanes)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn calls_at(&mut self, calls: &[(CallKey, i32)]) -> Result<Vec<CallRow>, StoreError> {
        read::calls_at(self.connection(), calls).await
    }

    async fn best_claims(
        &mut self,
        identities: &[(i32, Identity, i64)],
    ) -> Result<Vec<ClaimRow>, StoreError> {
        read::best_claims(self.connection(), identities).await
    }

    async fn claims_of(
        &mut self,
        identities: &[(i32, Identity)],
    ) -> Result<Vec<ClaimRow>, StoreError> {
        read::claims_of(self.connection(), identities).await
    }

    async fn claims_within(&mut self, stretches: &[Stretch]) -> Result<Vec<ClaimRow>, StoreError> {
        read::claims_within(self.connection(), stretches).await
    }

    async fn write(&mut self, writes: &mut Writes) -> Result<(), StoreError> {
        self.stored = write::write(self.guard.connection(), writes, &self.postgres.seen).await?;
        Ok(())
    }

    async fn delete_landed(&mut self, traces: &[TraceKey]) -> Result<(), StoreError> {
        write::delete_landed(self.connection(), traces).await
    }

    async fn rewrite_landed(&mut self, rows: &[LandingRow]) -> Result<(), StoreError> {
        reprice::rewrite_landed(self.connection(), rows).await
    }

    async fn mark(&mut self, traces: &[TraceKey], now_us: i64) -> Result<(), StoreError> {
        reprice::mark(self.connection(), traces, now_us).await
    }

    async fn note_repricing(&mut self, state: &RepricingState) -> Result<(), StoreError> {
        reprice::note(self.connection(), state).await
    }

    async fn note_corrections(&mut self, body: &[u8]) -> Result<(), StoreError> {
        query("INSERT INTO corrections (body) VALUES ($1)")
            .bind(body)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn note_deletion(
        &mut self,
        why: &str,
        what: Forgotten,
        now_us: i64,
    ) -> Result<(), StoreError> {
        query("INSERT INTO deletions (at_us, why, traces, calls) VALUES ($1, $2, $3, $4)")
            .bind(now_us)
            .bind(why)
            .bind(what.traces.cast_signed())
            .bind(what.calls.cast_signed())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.guard.commit().await?;
        self.postgres.seen.add(self.stored);
        Ok(())
    }
}
