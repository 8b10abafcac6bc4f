//! Leases of lanes on Postgres.

use super::Postgres;
use super::statement::{query, query_as, query_scalar};
use crate::{
    Lease, StoreError,
    delta::{COMPLETE_SINCE, WRITES},
    guard::Guard,
    leases::{LaneRow, OLDER_WRITERS, Validity, share},
};

impl Postgres {
    /// See [`crate::Store::lease_lanes`].
    pub(crate) async fn lease_lanes(
        &self,
        owner: &str,
        now_us: i64,
        ttl_us: i64,
    ) -> Result<Vec<Lease>, StoreError> {
        let until_us = now_us.saturating_add(ttl_us);
        let validity = Validity::of(now_us, ttl_us);
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let rows =
            query_as("SELECT lane, owner, epoch, until_us FROM lanes ORDER BY lane FOR UPDATE")
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
            query(OLDER_WRITERS)
                .bind(name)
                .bind(writes)
                .execute(guard.connection())
                .await?;
        }
        query("DELETE FROM settlers WHERE until_us <= $1 OR until_us > $2")
            .bind(validity.now_us)
            .bind(validity.latest_us)
            .execute(guard.connection())
            .await?;
        query(
            "INSERT INTO settlers (owner, until_us, writes) VALUES ($1, $2, $3) \
             ON CONFLICT (owner) DO UPDATE SET until_us = excluded.until_us, writes = excluded.writes",
        )
        .bind(owner)
        .bind(until_us)
        .bind(WRITES)
        .execute(guard.connection())
        .await?;
        let live: i64 = query_scalar("SELECT count(*) FROM settlers")
            .fetch_one(guard.connection())
            .await?;
        let share = share(&lanes, owner, usize::try_from(live).unwrap_or(1), validity);
        query(
            "UPDATE lanes SET owner = $1, epoch = k.epoch, until_us = $2 \
             FROM unnest($3::smallint[], $4::bigint[]) AS k (lane, epoch) WHERE lanes.lane = k.lane",
        )
        .bind(owner)
        .bind(until_us)
        .bind(share.have.iter().map(|(lane, _)| *lane).collect::<Vec<_>>())
        .bind(share.have.iter().map(|(_, epoch)| *epoch).collect::<Vec<_>>())
        .execute(guard.connection())
        .await?;
        query("UPDATE lanes SET owner = NULL, until_us = 0 WHERE lane = ANY($1)")
            .bind(&share.give)
            .execute(guard.connection())
            .await?;
        guard.commit().await?;
        Ok(share
            .have
            .into_iter()
            .map(|(lane, epoch)| Lease { lane, epoch })
            .collect())
    }

    /// See [`crate::Store::release_lanes`].
    pub(crate) async fn release_lanes(&self, owner: &str) -> Result<(), StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        query("UPDATE lanes SET owner = NULL, until_us = 0 WHERE owner = $1")
            .bind(owner)
            .execute(guard.connection())
            .await?;
        query("DELETE FROM settlers WHERE owner = $1")
            .bind(owner)
            .execute(guard.connection())
            .await?;
        guard.commit().await
    }
}
