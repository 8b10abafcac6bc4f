//! Status and retention on SQLite.

use std::sync::atomic::Ordering;

use costflame_pricing::UsdSum;
use sqlx::Row;

use super::{Sqlite, halves};
use crate::{
    Dropped, LANES, Status, StoreError,
    call_row::day_of,
    retention::{
        CALLS_DROPPED_BEFORE, CLAIMS_DROPPED_BEFORE, CLAIMS_KEPT_DAYS, Keep,
        LANDING_DROPPED_BEFORE, droppable_before,
    },
};

/// Rows deleted in one transaction, so that commits never wait long.
const CHUNK: i64 = 10_000;

/// Deletes claims of one lane of identities.
macro_rules! delete_claims {
    ($condition:literal) => {
        concat!(
            "DELETE FROM claims WHERE (project_id, identity_lane, identity, side, order_key, trace_id, span_id, landed_day) \
             IN (SELECT c.project_id, c.identity_lane, c.identity, c.side, c.order_key, c.trace_id, c.span_id, c.landed_day \
             FROM (SELECT DISTINCT project_id FROM series) p CROSS JOIN claims c ON c.project_id = p.project_id \
             AND c.identity_lane = $3 AND ",
            $condition,
            " LIMIT $2)"
        )
    };
}

impl Sqlite {
    /// See [`crate::Store::status`].
    pub(crate) async fn status(&self) -> Result<Status, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM (SELECT DISTINCT lane, project_id, trace_id FROM dirty)), \
             coalesce(sum(calls), 0), coalesce(sum(cost_hi), 0), coalesce(sum(cost_lo), 0), min(received_us), \
             (SELECT count(*) FROM rollup_deltas) + (SELECT count(*) FROM dim_deltas) + (SELECT count(*) FROM trace_deltas), (SELECT count(*) FROM deliveries WHERE dead_us IS NULL), \
             (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()) FROM dirty",
        )
        .fetch_one(&self.reader)
        .await?;
        let owners: Vec<(String, i64)> = sqlx::query_as(
            "SELECT owner, count(*) FROM lanes WHERE owner IS NOT NULL GROUP BY owner ORDER BY owner",
        )
        .fetch_all(&self.reader)
        .await?;
        Ok(Status {
            pending_traces: row.try_get::<i64, _>(0)?.cast_unsigned(),
            pending_calls: row.try_get::<i64, _>(1)?.cast_unsigned(),
            pending_cost: UsdSum(halves(&row, 2)?),
            oldest_pending_us: row.try_get(4)?,
            unfolded: row.try_get::<i64, _>(5)?.cast_unsigned(),
            outbox: row.try_get::<i64, _>(6)?.cast_unsigned(),
            bytes: row.try_get::<i64, _>(7)?.cast_unsigned(),
            owners: owners
                .into_iter()
                .map(|(owner, lanes)| (owner, lanes.cast_unsigned()))
                .collect(),
        })
    }

    /// See [`crate::Store::drop_sealed`].
    pub(crate) async fn drop_sealed(&self, now_us: i64, keep: Keep) -> Result<Dropped, StoreError> {
        // Nobody settles while spans disappear.
        let _alone = self.settling.write().await;
        let oldest: Option<i64> = sqlx::query_scalar("SELECT min(received_us) FROM dirty")
            .fetch_one(&self.reader)
            .await?;
        let landing = droppable_before(now_us, oldest, keep.landing_us);
        let claims = i64::from(day_of(now_us)) - CLAIMS_KEPT_DAYS;
        // Rows are appended in about the order of their receive time.
        const LANDING: &str = "DELETE FROM landing WHERE rowid IN (SELECT rowid FROM landing ORDER BY rowid LIMIT $2) \
             AND received_us < $1";
        Ok(Dropped {
            landing: self
                .drop_before(LANDING_DROPPED_BEFORE, landing, LANDING, None)
                .await?,
            claims: self.drop_claims(claims).await?,
            calls: match keep.call_days {
                Some(days) => self.drop_calls(i64::from(day_of(now_us)) - days).await?,
                None => 0,
            },
        })
    }

    /// Drops the claims of traces that were first received before a UTC day: once is enough, no trace is first received in
    /// the past.
    async fn drop_claims(&self, day: i64) -> Result<u64, StoreError> {
        const CLAIMS: &str = delete_claims!("c.landed_day < $1");
        if self.claims_dropped_before.load(Ordering::Relaxed) >= day {
            return Ok(0);
        }
        let mut dropped = 0;
        for lane in 0..LANES {
            dropped += self
                .drop_before(CLAIMS_DROPPED_BEFORE, day, CLAIMS, Some(lane))
                .await?;
        }
        self.claims_dropped_before.store(day, Ordering::Relaxed);
        Ok(dropped)
    }

    /// Drops the calls that start before a UTC day, and what tells of them alone. Their rollups stay.
    async fn drop_calls(&self, day: i64) -> Result<u64, StoreError> {
        const CALLS: &str = "DELETE FROM calls WHERE rowid IN (SELECT c.rowid FROM (SELECT DISTINCT project_id FROM series) p \
             CROSS JOIN calls c ON c.project_id = p.project_id AND c.start_us < $1 * 86400000000 LIMIT $2)";
        const TRACES: &str = "DELETE FROM traces WHERE rowid IN (SELECT t.rowid FROM (SELECT DISTINCT project_id FROM series) p \
             CROSS JOIN traces t ON t.project_id = p.project_id AND t.start_us < $1 * 86400000000 \
             AND t.end_us < $1 * 86400000000 LIMIT $2)";
        const CLAIMS: &str = delete_claims!("c.start_us < $1 * 86400000000");
        const SAMPLE: &str = "DELETE FROM sampled_calls WHERE rowid IN (SELECT rowid FROM sampled_calls \
             WHERE start_us < $1 * 86400000000 LIMIT $2)";
        let mark = CALLS_DROPPED_BEFORE;
        let dropped = self.drop_before(mark, day, CALLS, None).await?;
        if dropped > 0 {
            for sql in [TRACES, SAMPLE] {
                self.drop_before(mark, day, sql, None).await?;
            }
            for lane in 0..LANES {
                self.drop_before(mark, day, CLAIMS, Some(lane)).await?;
            }
        }
        Ok(dropped)
    }

    async fn drop_before(
        &self,
        mark: &'static str,
        before: i64,
        sql: &'static str,
        lane: Option<i16>,
    ) -> Result<u64, StoreError> {
        let mut dropped = 0;
        loop {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let chunk = sqlx::query(sql).bind(before).bind(CHUNK);
            let chunk = lane.into_iter().fold(chunk, |chunk, lane| chunk.bind(lane));
            let gone = chunk.execute(&mut *transaction).await?.rows_affected();
            if gone == 0 {
                return Ok(dropped);
            }
            sqlx::query(
                "INSERT INTO meta (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            )
            .bind(mark)
            .bind(before)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            dropped += gone;
        }
    }
}
