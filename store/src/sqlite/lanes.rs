//! Leases of lanes on SQLite.

use super::Sqlite;
use crate::{
    Lease, StoreError,
    delta::{COMPLETE_SINCE, WRITES},
    guard::Guard,
    leases::{LaneRow, OLDER_WRITERS, Validity, share},
};

impl Sqlite {
    /// See [`crate::Store::lease_lanes`].
    pub(crate) async fn lease_lanes(
        &self,
        owner: &str,
        now_us: i64,
        ttl_us: i64,
    ) -> Result<Vec<Lease>, StoreError> {
        let until_us = now_us.saturating_add(ttl_us);
        let validity = Validity::of(now_us, ttl_us);
        let mut guard = Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        let rows = sqlx::query_as("SELECT lane, owner, epoch, until_us FROM lanes ORDER BY lane")
            .fetch_all(guard.connection())
            .await?;
        let lanes: Vec<LaneRow> = rows
            .into_iter()
            .map(|(lane, owner, epoch, until_us)| LaneRow {
                lane,
                owner,
                epoch,
                until_us,
            })
            .collect();
        for (name, writes) in COMPLETE_SINCE {
            sqlx::query(OLDER_WRITERS)
                .bind(name)
                .bind(writes)
                .execute(guard.connection())
                .await?;
        }
        sqlx::query("DELETE FROM settlers WHERE until_us <= $1 OR until_us > $2")
            .bind(validity.now_us)
            .bind(validity.latest_us)
            .execute(guard.connection())
            .await?;
        sqlx::query(
            "INSERT INTO settlers (owner, until_us, writes) VALUES ($1, $2, $3) \
             ON CONFLICT (owner) DO UPDATE SET until_us = excluded.until_us, writes = excluded.writes",
        )
        .bind(owner.to_owned())
        .bind(until_us)
        .bind(WRITES)
        .execute(guard.connection())
        .await?;
        let live: i64 = sqlx::query_scalar("SELECT count(*) FROM settlers")
            .fetch_one(guard.connection())
            .await?;
        let share = share(&lanes, owner, usize::try_from(live).unwrap_or(1), validity);
        for (lane, epoch) in &share.have {
            sqlx::query("UPDATE lanes SET owner = $1, epoch = $2, until_us = $3 WHERE lane = $4")
                .bind(owner.to_owned())
                .bind(*epoch)
                .bind(until_us)
                .bind(*lane)
                .execute(guard.connection())
                .await?;
        }
        for lane in &share.give {
            sqlx::query("UPDATE lanes SET owner = NULL, until_us = 0 WHERE lane = $1")
                .bind(*lane)
                .execute(guard.connection())
                .await?;
        }
        guard.commit().await?;
        Ok(share
            .have
            .into_iter()
            .map(|(lane, epoch)| Lease { lane, epoch })
            .collect())
    }

    /// See [`crate::Store::release_lanes`].
    pub(crate) async fn release_lanes(&self, owner: &str) -> Result<(), StoreError> {
        let mut guard = Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE lanes SET owner = NULL, until_us = 0 WHERE owner = $1")
            .bind(owner.to_owned())
            .execute(guard.connection())
            .await?;
        sqlx::query("DELETE FROM settlers WHERE owner = $1")
            .bind(owner.to_owned())
            .execute(guard.connection())
            .await?;
        guard.commit().await
    }
}
