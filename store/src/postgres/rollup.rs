//! Folding differences into rollups on Postgres.

use std::{fmt::Write as _, sync::LazyLock};

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::Postgres;
use super::statement::{query, query_scalar};
use crate::{
    StoreError,
    delta::TIERS,
    guard::Guard,
    measures::{COUNTS, SUMS},
};

/// Key of the advisory lock of the one folder ("fold" in ASCII).
const FOLD_LOCK: i64 = 0x666f_6c64;

static FOLD: LazyLock<String> = LazyLock::new(|| {
    let tiers: Vec<String> = TIERS.iter().map(|tier| format!("({tier})")).collect();
    let keys = "project_id, tier, bucket_us, path_id, series_id";
    let select = "project_id, tier, bucket_us - mod(bucket_us, tier * 1000000::bigint) AS bucket, path_id, series_id";
    let from = format!("gone CROSS JOIN (VALUES {}) AS t (tier)", tiers.join(", "));
    fold("rollup_deltas", "rollups", keys, select, &from)
});

static FOLD_DIMS: LazyLock<String> = LazyLock::new(|| {
    let keys = "project_id, day, dimension, value, series_id";
    fold("dim_deltas", "dim_rollups", keys, keys, "gone")
});

/// Deletes differences, adds them to the rollups, and returns the keys of rows that came to nothing.
fn fold(deltas: &str, rollups: &str, keys: &str, select: &str, from: &str) -> String {
    let all: Vec<&str> = COUNTS.iter().chain(&SUMS).copied().collect();
    let columns = all.join(", ");
    // sum(bigint) is numeric.
    let counts = COUNTS.iter().map(|column| format!("sum({column})::bigint"));
    let sums = counts
        .chain(SUMS.iter().map(|column| format!("sum({column})")))
        .collect::<Vec<_>>()
        .join(", ");
    let added: Vec<String> = all
        .iter()
        .map(|column| format!("{column} = {rollups}.{column} + excluded.{column}"))
        .collect();
    let mut sql = format!(
        "WITH gone AS (DELETE FROM {deltas} WHERE id IN (SELECT id FROM {deltas} ORDER BY id LIMIT $1) RETURNING *), \
         done AS (INSERT INTO {rollups} ({keys}, {columns}) SELECT {select}, {sums} FROM {from} \
         GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5 ON CONFLICT ({keys}) DO UPDATE SET {} \
         RETURNING {keys}, calls, excluded_calls) ",
        added.join(", ")
    );
    let _ = write!(
        sql,
        "SELECT {keys}, (SELECT count(*) FROM gone) FROM (SELECT 1) AS one \
         LEFT JOIN done ON calls = 0 AND excluded_calls = 0"
    );
    sql
}

impl Postgres {
    /// See [`crate::Store::fold`].
    pub(crate) async fn fold(&self, limit: u32) -> Result<u64, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let alone: bool = query_scalar("SELECT pg_try_advisory_xact_lock($1)")
            .bind(FOLD_LOCK)
            .fetch_one(guard.connection())
            .await?;
        if !alone {
            guard.commit().await?;
            return Ok(0);
        }
        let rows = query(FOLD.as_str())
            .bind(i64::from(limit))
            .fetch_all(guard.connection())
            .await?;
        let paths = folded(&rows)?;
        delete_empty(guard.connection(), &rows).await?;
        let rows = query(FOLD_DIMS.as_str())
            .bind(i64::from(limit))
            .fetch_all(guard.connection())
            .await?;
        let dims = folded(&rows)?;
        delete_empty_dims(guard.connection(), &rows).await?;
        guard.commit().await?;
        Ok(paths + dims)
    }
}

fn folded(rows: &[PgRow]) -> Result<u64, StoreError> {
    let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(5))?;
    Ok(count.cast_unsigned())
}

async fn delete_empty(connection: &mut PgConnection, rows: &[PgRow]) -> Result<(), StoreError> {
    for row in rows {
        let Some(project) = row.try_get::<Option<i32>, _>(0)? else {
            continue;
        };
        query(
            "DELETE FROM rollups WHERE project_id = $1 AND tier = $2 AND bucket_us = $3 AND path_id = $4 \
             AND series_id = $5",
        )
        .bind(project)
        .bind(row.try_get::<i32, _>(1)?)
        .bind(row.try_get::<i64, _>(2)?)
        .bind(row.try_get::<&[u8], _>(3)?)
        .bind(row.try_get::<&[u8], _>(4)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn delete_empty_dims(
    connection: &mut PgConnection,
    rows: &[PgRow],
) -> Result<(), StoreError> {
    for row in rows {
        let Some(project) = row.try_get::<Option<i32>, _>(0)? else {
            continue;
        };
        query(
            "DELETE FROM dim_rollups WHERE project_id = $1 AND day = $2 AND dimension = $3 AND value = $4 \
             AND series_id = $5",
        )
        .bind(project)
        .bind(row.try_get::<i32, _>(1)?)
        .bind(row.try_get::<&str, _>(2)?)
        .bind(row.try_get::<&str, _>(3)?)
        .bind(row.try_get::<&[u8], _>(4)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
