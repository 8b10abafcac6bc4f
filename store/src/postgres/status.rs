//! Status and retention on Postgres.

use costflame_pricing::UsdSum;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::statement::{query, query_as, query_scalar};
use super::{Postgres, partitions::MAINTENANCE_LOCK, sum};
use crate::{
    Dropped, Status, StoreError,
    call_row::{DAY_US, day_of},
    guard::Guard,
    retention::{
        CALLS_DROPPED_BEFORE, CLAIM_DAYS, CLAIMS_DROPPED_BEFORE, CLAIMS_KEPT_DAYS, Keep,
        LANDING_DROPPED_BEFORE, LANDING_WIDTH_US, droppable_before,
    },
};

impl Postgres {
    /// See [`crate::Store::status`].
    pub(crate) async fn status(&self) -> Result<Status, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let row = query(
            "SELECT (SELECT count(*) FROM (SELECT DISTINCT lane, project_id, trace_id FROM dirty) AS traces), \
             coalesce(sum(calls), 0), coalesce(sum(cost), 0)::text, min(received_us), \
             (SELECT count(*) FROM rollup_deltas) + (SELECT count(*) FROM dim_deltas) + (SELECT count(*) FROM trace_deltas), (SELECT count(*) FROM deliveries WHERE dead_us IS NULL), \
             pg_database_size(current_database()) FROM dirty",
        )
        .fetch_one(guard.connection())
        .await?;
        let owners: Vec<(String, i64)> = query_as(
            "SELECT owner, count(*) FROM lanes WHERE owner IS NOT NULL GROUP BY owner ORDER BY owner",
        )
        .fetch_all(guard.connection())
        .await?;
        guard.commit().await?;
        Ok(Status {
            pending_traces: row.try_get::<i64, _>(0)?.cast_unsigned(),
            pending_calls: row.try_get::<i64, _>(1)?.cast_unsigned(),
            pending_cost: UsdSum(sum(&row, 2)?),
            oldest_pending_us: row.try_get(3)?,
            unfolded: row.try_get::<i64, _>(4)?.cast_unsigned(),
            outbox: row.try_get::<i64, _>(5)?.cast_unsigned(),
            bytes: row.try_get::<i64, _>(6)?.cast_unsigned(),
            owners: owners
                .into_iter()
                .map(|(owner, lanes)| (owner, lanes.cast_unsigned()))
                .collect(),
        })
    }

    /// See [`crate::Store::drop_sealed`].
    pub(crate) async fn drop_sealed(&self, now_us: i64, keep: Keep) -> Result<Dropped, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        sqlx::raw_sql("SET LOCAL lock_timeout = '3s'")
            .execute(guard.connection())
            .await?;
        query("SELECT pg_advisory_xact_lock($1)")
            .bind(MAINTENANCE_LOCK)
            .execute(guard.connection())
            .await?;
        // Nobody settles while spans disappear.
        query("SELECT lane FROM lanes ORDER BY lane FOR UPDATE")
            .execute(guard.connection())
            .await?;
        let oldest: Option<i64> = query_scalar("SELECT min(received_us) FROM dirty")
            .fetch_one(guard.connection())
            .await?;
        let slot = droppable_before(now_us, oldest, keep.landing_us).div_euclid(LANDING_WIDTH_US);
        let claims_slot = (i64::from(day_of(now_us)) - CLAIMS_KEPT_DAYS).div_euclid(CLAIM_DAYS);
        let landing = Old {
            table: "landing",
            key: "received_us",
            slot,
            width: LANDING_WIDTH_US,
            mark: LANDING_DROPPED_BEFORE,
        };
        let claims = Old {
            table: "claims",
            key: "landed_day",
            slot: claims_slot,
            width: CLAIM_DAYS,
            mark: CLAIMS_DROPPED_BEFORE,
        };
        let dropped = Dropped {
            landing: landing.drop(guard.connection()).await?,
            claims: claims.drop(guard.connection()).await?,
            calls: match keep.call_days {
                Some(days) => {
                    drop_calls(guard.connection(), i64::from(day_of(now_us)) - days).await?
                }
                None => 0,
            },
        };
        guard.commit().await?;
        Ok(dropped)
    }
}

/// Drops the calls that start before a UTC day, and what tells of them alone. Their rollups stay.
async fn drop_calls(connection: &mut PgConnection, day: i64) -> Result<u64, StoreError> {
    let calls = Old {
        table: "calls",
        key: "start_day",
        slot: day,
        width: 1,
        mark: CALLS_DROPPED_BEFORE,
    };
    let dropped = calls.drop(connection).await?;
    if dropped > 0 {
        for sql in [
            "DELETE FROM traces WHERE start_us < $1 AND end_us < $1",
            "DELETE FROM claims WHERE start_us < $1",
            "DELETE FROM sampled_calls WHERE start_us < $1",
        ] {
            query(sql)
                .bind(day.saturating_mul(DAY_US))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(dropped)
}

/// Partitions before a slot.
struct Old {
    table: &'static str,
    key: &'static str,
    slot: i64,
    width: i64,
    mark: &'static str,
}

impl Old {
    async fn drop(&self, connection: &mut PgConnection) -> Result<u64, StoreError> {
        let Self {
            table,
            key,
            slot,
            width,
            mark,
        } = self;
        let names: Vec<String> = query_scalar(
            "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
             WHERE i.inhparent = $1::text::regclass ORDER BY 1",
        )
        .bind(table)
        .fetch_all(&mut *connection)
        .await?;
        let number = |name: &str| {
            name.strip_prefix(table)?
                .strip_prefix('_')?
                .parse::<i64>()
                .ok()
        };
        let mut dropped = 0;
        for name in names
            .iter()
            .filter(|name| number(name).is_some_and(|number| number < *slot))
        {
            sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {name}")))
                .execute(&mut *connection)
                .await?;
            dropped += 1;
        }
        let before = slot.saturating_mul(*width);
        let sql = format!("DELETE FROM {table}_default WHERE {key} < $1");
        dropped += query(AssertSqlSafe(sql))
            .bind(before)
            .execute(&mut *connection)
            .await?
            .rows_affected();
        if dropped > 0 {
            query(
                "INSERT INTO meta (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value)",
            )
            .bind(mark)
            .bind(before)
            .execute(connection)
            .await?;
        }
        Ok(dropped)
    }
}
