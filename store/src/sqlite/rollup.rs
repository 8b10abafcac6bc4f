//! Folding differences into rollups on SQLite.

use std::sync::LazyLock;

use super::{Sqlite, bind::MEASURES};
use crate::{
    StoreError,
    delta::TIERS,
    guard::Guard,
    measures::{COUNTS, SUMS},
};

static FOLD: LazyLock<String> = LazyLock::new(|| {
    let tiers: Vec<String> = TIERS.iter().map(|tier| format!("({tier})")).collect();
    let keys = "project_id, tier, bucket_us, path_id, series_id";
    let select = "project_id, tier, bucket_us - bucket_us % (tier * 1000000), path_id, series_id";
    let from = format!(
        "(SELECT column1 AS tier FROM (VALUES {})) CROSS JOIN rollup_deltas",
        tiers.join(", ")
    );
    fold("rollups", keys, select, &from)
});

static FOLD_DIMS: LazyLock<String> = LazyLock::new(|| {
    let keys = "project_id, day, dimension, value, series_id";
    fold("dim_rollups", keys, keys, "dim_deltas")
});

/// Adds the differences up to an id to the rollups.
fn fold(rollups: &str, keys: &str, select: &str, from: &str) -> String {
    let counts = COUNTS.iter().map(|column| format!("sum({column})"));
    let halves = SUMS.iter().map(|column| {
        format!("sum({column}_hi) + (sum({column}_lo) >> 32), sum({column}_lo) & 4294967295")
    });
    let sums = counts.chain(halves).collect::<Vec<_>>().join(", ");
    let counts = COUNTS
        .iter()
        .map(|column| format!("{column} = {rollups}.{column} + excluded.{column}"));
    let halves = SUMS.iter().map(|column| {
        format!(
            "{column}_hi = {rollups}.{column}_hi + excluded.{column}_hi \
             + (({rollups}.{column}_lo + excluded.{column}_lo) >> 32), \
             {column}_lo = ({rollups}.{column}_lo + excluded.{column}_lo) & 4294967295"
        )
    });
    let added = counts.chain(halves).collect::<Vec<_>>().join(", ");
    let measures = &*MEASURES;
    format!(
        "INSERT INTO {rollups} ({keys}, {measures}) SELECT {select}, {sums} FROM {from} WHERE id <= $1 \
         GROUP BY 1, 2, 3, 4, 5 ON CONFLICT ({keys}) DO UPDATE SET {added}"
    )
}

/// Differences folded in one transaction, so that commits never wait long.
const CHUNK: u32 = 2000;

impl Sqlite {
    /// See [`crate::Store::fold`].
    pub(crate) async fn fold(&self, limit: u32) -> Result<u64, StoreError> {
        let mut folded = 0;
        let mut left = limit;
        while left > 0 {
            let some = left.min(CHUNK);
            let mut guard = Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
            let paths = fold_table(&mut guard, &TO_ROLLUPS, some).await?;
            let dims = fold_table(&mut guard, &TO_DIMS, some).await?;
            guard.commit().await?;
            folded += paths + dims;
            if paths.max(dims) < u64::from(some) {
                break;
            }
            left -= some;
        }
        Ok(folded)
    }
}

struct Fold {
    last: &'static str,
    add: &'static LazyLock<String>,
    empty: &'static str,
    done: &'static str,
}

static TO_ROLLUPS: Fold = Fold {
    last: "SELECT max(id) FROM (SELECT id FROM rollup_deltas ORDER BY id LIMIT $1)",
    add: &FOLD,
    empty: "DELETE FROM rollups WHERE calls = 0 AND excluded_calls = 0",
    done: "DELETE FROM rollup_deltas WHERE id <= $1",
};

static TO_DIMS: Fold = Fold {
    last: "SELECT max(id) FROM (SELECT id FROM dim_deltas ORDER BY id LIMIT $1)",
    add: &FOLD_DIMS,
    empty: "DELETE FROM dim_rollups WHERE calls = 0 AND excluded_calls = 0",
    done: "DELETE FROM dim_deltas WHERE id <= $1",
};

async fn fold_table(
    guard: &mut Guard<sqlx::Sqlite>,
    fold: &Fold,
    limit: u32,
) -> Result<u64, StoreError> {
    let last: Option<i64> = sqlx::query_scalar(fold.last)
        .bind(i64::from(limit))
        .fetch_one(guard.connection())
        .await?;
    let Some(last) = last else { return Ok(0) };
    sqlx::query(fold.add.as_str())
        .bind(last)
        .execute(guard.connection())
        .await?;
    sqlx::query(fold.empty).execute(guard.connection()).await?;
    let done = sqlx::query(fold.done)
        .bind(last)
        .execute(guard.connection())
        .await?;
    Ok(done.rows_affected())
}
