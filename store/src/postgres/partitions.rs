//! Partitions: landing by six hours of receive time, calls and claims by UTC day of start.
//!
//! A default partition takes what no partition was made for, so that no clock and no backfill can
//! make an insert fail. Making a partition moves its rows out of the default one.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::Postgres;
use crate::StoreError;

/// Width of a landing partition, microseconds.
pub(super) const LANDING_WIDTH_US: i64 = 6 * 3_600_000_000;

/// Landing partitions made ahead of the one in use.
const AHEAD: i64 = 4;

/// Key of the advisory lock under which partitions are made and dropped ("costflam" in ASCII).
pub(super) const MAINTENANCE_LOCK: i64 = 0x636f_7374_666c_616d;

impl Postgres {
    /// Makes the landing partitions from the one before `now_us` to a day ahead.
    pub(crate) async fn create_landing_partitions(&self, now_us: i64) -> Result<(), StoreError> {
        let current = now_us.div_euclid(LANDING_WIDTH_US);
        for number in current - 1..=current + AHEAD {
            let from = number.saturating_mul(LANDING_WIDTH_US);
            self.create_partition(
                "landing",
                "received_us",
                number,
                from,
                from.saturating_add(LANDING_WIDTH_US),
            )
            .await?;
        }
        Ok(())
    }

    /// Makes one partition, `{table}_{number}`, unless it exists.
    pub(super) async fn create_partition(
        &self,
        table: &str,
        key: &str,
        number: i64,
        from: i64,
        to: i64,
    ) -> Result<(), StoreError> {
        let name = format!("{table}_{number}").replace('-', "m");
        let mut connection = self.pool.acquire().await?;
        if exists(&mut connection, &name).await? {
            return Ok(());
        }
        let mut transaction = connection.begin().await?;
        // Never queue behind a long reader: everybody else would queue behind us. The next round tries again.
        sqlx::raw_sql("SET LOCAL lock_timeout = '3s'")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(MAINTENANCE_LOCK)
            .execute(&mut *transaction)
            .await?;
        if exists(&mut transaction, &name).await? {
            return Ok(());
        }
        let sql = format!(
            "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES);
             WITH moved AS (DELETE FROM {table}_default WHERE {key} >= {from} AND {key} < {to} RETURNING *)
             INSERT INTO {name} SELECT * FROM moved;
             ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn exists(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(name)
        .fetch_one(connection)
        .await?;
    Ok(found)
}
