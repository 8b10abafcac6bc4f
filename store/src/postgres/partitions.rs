//! Partitions: landing by six hours of receive time, calls by UTC day of start, claims by four days
//! of first receive.
//!
//! A default partition takes what no partition was made for, so that no clock and no backfill can
//! make an insert fail. Making a partition moves its rows out of the default one.

use sqlx::{AssertSqlSafe, PgConnection};

use super::Postgres;
use super::statement::{query, query_scalar};
use crate::{
    StoreError,
    call_row::{DAY_US, day_of},
    guard::Guard,
    retention::{CLAIM_DAYS, LANDING_WIDTH_US},
};

/// Key of the advisory lock under which partitions are made and dropped ("costflam" in ASCII).
pub(super) const MAINTENANCE_LOCK: i64 = 0x636f_7374_666c_616d;

/// A partition to be.
struct Partition {
    table: &'static str,
    key: &'static str,
    name: String,
    from: i64,
    to: i64,
}

impl Partition {
    fn new(table: &'static str, key: &'static str, number: i64, width: i64) -> Self {
        let from = number.saturating_mul(width);
        let name = format!("{table}_{number}").replace('-', "m");
        Self {
            table,
            key,
            name,
            from,
            to: from.saturating_add(width),
        }
    }
}

impl Postgres {
    /// Makes the partitions that rows of `now_us`, of a while before and of a day after fall into.
    pub(crate) async fn create_partitions(&self, now_us: i64) -> Result<(), StoreError> {
        let wanted = wanted(now_us);
        let names: Vec<&str> = wanted
            .iter()
            .map(|partition| partition.name.as_str())
            .collect();
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let existing: Vec<String> =
            query_scalar("SELECT relname::text FROM pg_class WHERE relname = ANY($1) AND pg_table_is_visible(oid)")
                .bind(names)
                .fetch_all(guard.connection())
                .await?;
        let missing: Vec<Partition> = wanted
            .into_iter()
            .filter(|partition| !existing.contains(&partition.name))
            .collect();
        if missing.is_empty() {
            return guard.commit().await;
        }
        // Never queue behind a long reader: everybody else would queue behind us. The next round tries again.
        sqlx::raw_sql("SET LOCAL lock_timeout = '3s'")
            .execute(guard.connection())
            .await?;
        query("SELECT pg_advisory_xact_lock($1)")
            .bind(MAINTENANCE_LOCK)
            .execute(guard.connection())
            .await?;
        for partition in &missing {
            create(guard.connection(), partition).await?;
        }
        guard.commit().await
    }
}

fn wanted(now_us: i64) -> Vec<Partition> {
    let slot = now_us.div_euclid(LANDING_WIDTH_US);
    let ahead = DAY_US / LANDING_WIDTH_US;
    let landing = (slot - 1..=slot + ahead)
        .map(|slot| Partition::new("landing", "received_us", slot, LANDING_WIDTH_US));
    let today = i64::from(day_of(now_us));
    let calls = (today - 1..=today + 2).map(|day| Partition::new("calls", "start_day", day, 1));
    let claims_slot = today.div_euclid(CLAIM_DAYS);
    let claims = (claims_slot - 1..=claims_slot + 1)
        .map(|slot| Partition::new("claims", "landed_day", slot, CLAIM_DAYS));
    landing.chain(calls).chain(claims).collect()
}

async fn create(connection: &mut PgConnection, partition: &Partition) -> Result<(), StoreError> {
    let Partition {
        table,
        key,
        name,
        from,
        to,
    } = partition;
    let exists: bool = query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(name)
        .fetch_one(&mut *connection)
        .await?;
    if exists {
        return Ok(());
    }
    // A row that moves while another transaction is about to change it would not be changed.
    let sql = format!(
        "LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE;
         CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES);
         WITH moved AS (DELETE FROM {table}_default WHERE {key} >= {from} AND {key} < {to} RETURNING *)
         INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}
