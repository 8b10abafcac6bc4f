//! Folding differences into rollups on SQLite.

use std::sync::LazyLock;

use super::{
    Sqlite,
    bind::MEASURES,
    log::{begin_unsynced, commit_unsynced},
};
use crate::{
    StoreError,
    delta::{DIM_TIERS, HELD_BY_PATH, MOST_VALUES, TIERS},
    guard::Guard,
    measures::{COUNTS, SUMS},
};

/// Differences folded in one transaction, so that commits never wait long.
const CHUNK: u32 = 2000;

/// Differences of one table, and where they are added.
struct Fold {
    last: &'static str,
    /// Given the last id.
    add: Vec<String>,
    /// Rows that came to nothing.
    empty: &'static [&'static str],
    done: &'static str,
}

static PATHS: LazyLock<Fold> = LazyLock::new(|| Fold {
    last: "SELECT max(id) FROM (SELECT id FROM rollup_deltas ORDER BY id LIMIT $1)",
    add: vec![add(
        "rollups",
        "project_id, tier, bucket_us, path_id, series_id",
        "project_id, tier, bucket_us - bucket_us % (tier * 1000000), path_id, series_id",
        &in_tiers(&TIERS, "rollup_deltas"),
    )],
    empty: &["DELETE FROM rollups WHERE calls = 0 AND excluded_calls = 0"],
    done: "DELETE FROM rollup_deltas WHERE id <= $1",
});

static DIMENSIONS: LazyLock<Fold> = LazyLock::new(|| {
    let by_series = "project_id, day, dimension, value, series_id";
    let by_path = "project_id, day, dimension, value, path_id, series_id";
    Fold {
        last: "SELECT max(id) FROM (SELECT id FROM dim_deltas ORDER BY id LIMIT $1)",
        add: vec![
            add("dim_rollups", by_series, by_series, "dim_deltas WHERE true"),
            add(
                "dim_totals",
                "project_id, tier, bucket_us, dimension, value",
                "project_id, tier, hour_us - hour_us % (tier * 1000000), dimension, value",
                &format!(
                    "{} AND hour_us IS NOT NULL AND {HELD_BY_PATH}",
                    in_tiers(&DIM_TIERS, "dim_deltas")
                ),
            ),
            format!(
                "INSERT INTO dim_wide (project_id, day, dimension) SELECT * FROM (SELECT DISTINCT project_id, day, dimension \
                 FROM dim_deltas WHERE id <= $1 AND {HELD_BY_PATH}) d WHERE (SELECT count(*) FROM (SELECT 1 FROM dim_totals t \
                 WHERE t.project_id = d.project_id AND t.tier = 86400 AND t.bucket_us = d.day * 86400000000 \
                 AND t.dimension = d.dimension LIMIT {MOST_VALUES} + 1)) > {MOST_VALUES} ON CONFLICT DO NOTHING"
            ),
            "DELETE FROM dim_paths WHERE (project_id, day, dimension) IN (SELECT w.project_id, w.day, w.dimension \
             FROM dim_wide w JOIN (SELECT DISTINCT project_id, day, dimension FROM dim_deltas WHERE id <= $1) d \
             ON d.project_id = w.project_id AND d.day = w.day AND d.dimension = w.dimension)"
                .to_owned(),
            add(
                "dim_paths",
                by_path,
                by_path,
                &format!(
                    "dim_deltas d WHERE path_id IS NOT NULL AND {HELD_BY_PATH} AND NOT EXISTS (SELECT 1 FROM dim_wide w \
                     WHERE w.project_id = d.project_id AND w.day = d.day AND w.dimension = d.dimension)"
                ),
            ),
        ],
        empty: &[
            "DELETE FROM dim_rollups WHERE calls = 0 AND excluded_calls = 0",
            "DELETE FROM dim_paths WHERE calls = 0 AND excluded_calls = 0",
            "DELETE FROM dim_totals WHERE calls = 0 AND excluded_calls = 0",
        ],
        done: "DELETE FROM dim_deltas WHERE id <= $1",
    }
});

static TRACES: LazyLock<Fold> = LazyLock::new(|| Fold {
    last: "SELECT max(id) FROM (SELECT id FROM trace_deltas ORDER BY id LIMIT $1)",
    add: vec![format!(
        "INSERT INTO trace_rollups (project_id, tier, bucket_us, traces) \
         SELECT project_id, tier, bucket_us - bucket_us % (tier * 1000000), sum(traces) FROM {} AND id <= $1 \
         GROUP BY 1, 2, 3 ON CONFLICT (project_id, tier, bucket_us) DO UPDATE SET traces = traces + excluded.traces",
        in_tiers(&TIERS, "trace_deltas")
    )],
    empty: &[],
    done: "DELETE FROM trace_deltas WHERE id <= $1",
});

/// The differences once for every bucket length.
fn in_tiers(tiers: &[i32], deltas: &str) -> String {
    let tiers: Vec<String> = tiers.iter().map(|tier| format!("({tier})")).collect();
    format!(
        "(SELECT column1 AS tier FROM (VALUES {})) CROSS JOIN {deltas} WHERE true",
        tiers.join(", ")
    )
}

/// Adds the differences up to an id to a table. `from` ends with a condition.
fn add(table: &str, keys: &str, select: &str, from: &str) -> String {
    let counts = COUNTS.iter().map(|column| format!("sum({column})"));
    let halves = SUMS.iter().map(|column| {
        format!("sum({column}_hi) + (sum({column}_lo) >> 32), sum({column}_lo) & 4294967295")
    });
    let sums = counts.chain(halves).collect::<Vec<_>>().join(", ");
    let added = added(table, &SUMS);
    let measures = &*MEASURES;
    let places: Vec<String> = (1..=keys.split(',').count())
        .map(|place| place.to_string())
        .collect();
    let places = places.join(", ");
    format!(
        "INSERT INTO {table} ({keys}, {measures}) SELECT {select}, {sums} FROM {from} AND id <= $1 \
         GROUP BY {places} ON CONFLICT ({keys}) DO UPDATE SET {added}"
    )
}

/// The counts and some sums of a row that is there and of one that is added, as what is SET.
pub(super) fn added(table: &str, sums: &[&str]) -> String {
    let counts = COUNTS
        .iter()
        .map(|column| format!("{column} = {table}.{column} + excluded.{column}"));
    let halves = sums.iter().map(|column| {
        format!(
            "{column}_hi = {table}.{column}_hi + excluded.{column}_hi \
             + (({table}.{column}_lo + excluded.{column}_lo) >> 32), \
             {column}_lo = ({table}.{column}_lo + excluded.{column}_lo) & 4294967295"
        )
    });
    counts.chain(halves).collect::<Vec<_>>().join(", ")
}

impl Sqlite {
    /// See [`crate::Store::has_differences`].
    pub(crate) async fn has_differences(&self) -> Result<bool, StoreError> {
        let any = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM trace_deltas) OR EXISTS (SELECT 1 FROM rollup_deltas) \
             OR EXISTS (SELECT 1 FROM dim_deltas)",
        );
        Ok(any.fetch_one(&self.reader).await?)
    }

    /// See [`crate::Store::fold`].
    pub(crate) async fn fold(&self, limit: u32) -> Result<u64, StoreError> {
        // Most of the time there are none, and the writer has other things to do.
        if !self.has_differences().await? {
            return Ok(0);
        }
        let mut folded = 0;
        let mut left = limit;
        while left > 0 {
            let some = left.min(CHUNK);
            let mut guard = begin_unsynced(&self.writer).await?;
            let mut most = 0;
            for fold in [&PATHS, &DIMENSIONS, &TRACES] {
                let done = fold_table(&mut guard, fold, some).await?;
                most = most.max(done);
                folded += done;
            }
            commit_unsynced(guard).await?;
            if most < u64::from(some) {
                break;
            }
            left -= some;
        }
        Ok(folded)
    }
}

async fn fold_table(
    guard: &mut Guard<sqlx::Sqlite>,
    fold: &'static Fold,
    limit: u32,
) -> Result<u64, StoreError> {
    let last: Option<i64> = sqlx::query_scalar(fold.last)
        .bind(i64::from(limit))
        .fetch_one(guard.connection())
        .await?;
    let Some(last) = last else { return Ok(0) };
    for sql in &fold.add {
        sqlx::query(sql.as_str())
            .bind(last)
            .execute(guard.connection())
            .await?;
    }
    for sql in fold.empty {
        sqlx::query(*sql).execute(guard.connection()).await?;
    }
    let done = sqlx::query(fold.done)
        .bind(last)
        .execute(guard.connection())
        .await?;
    Ok(done.rows_affected())
}
