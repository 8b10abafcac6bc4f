//! Folding differences into rollups on Postgres.

use std::sync::LazyLock;

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::Postgres;
use super::statement::{query, query_as, query_scalar};
use crate::{
    StoreError,
    delta::{DIM_TIERS, HELD_BY_PATH, MOST_VALUES, TIERS},
    guard::Guard,
    measures::{COUNTS, SUMS},
};

/// Key of the advisory lock of the one folder ("fold" in ASCII).
const FOLD_LOCK: i64 = 0x666f_6c64;

static FOLD: LazyLock<String> = LazyLock::new(|| {
    let into = Into {
        name: "paths",
        table: "rollups",
        keys: "project_id, tier, bucket_us, path_id, series_id",
        select: "project_id, tier, bucket_us - mod(bucket_us, tier * 1000000::bigint), path_id, series_id",
        from: &format!("gone {}", tiers(&TIERS)),
    };
    format!(
        "{}, {} {}",
        gone("rollup_deltas"),
        into.sql(),
        answer(&[
            "SELECT 0 AS which, project_id, tier, bucket_us AS number, NULL AS dimension, NULL AS value, path_id, \
                  series_id FROM paths WHERE calls = 0 AND excluded_calls = 0"
        ])
    )
});

static FOLD_DIMS: LazyLock<String> = LazyLock::new(|| {
    let series = Into {
        name: "by_series",
        table: "dim_rollups",
        keys: "project_id, day, dimension, value, series_id",
        select: "project_id, day, dimension, value, series_id",
        from: "gone",
    };
    let paths = Into {
        name: "by_path",
        table: "dim_paths",
        keys: "project_id, day, dimension, value, path_id, series_id",
        select: "project_id, day, dimension, value, path_id, series_id",
        from: &format!(
            "gone WHERE path_id IS NOT NULL AND {HELD_BY_PATH} AND NOT EXISTS (SELECT FROM dim_wide w \
             WHERE w.project_id = gone.project_id AND w.day = gone.day AND w.dimension = gone.dimension)"
        ),
    };
    let totals = Into {
        name: "totals",
        table: "dim_totals",
        keys: "project_id, tier, bucket_us, dimension, value",
        select: "project_id, tier, hour_us - mod(hour_us, tier * 1000000::bigint), dimension, value",
        from: &format!(
            "gone {} WHERE hour_us IS NOT NULL AND {HELD_BY_PATH}",
            tiers(&DIM_TIERS)
        ),
    };
    let empty = "WHERE calls = 0 AND excluded_calls = 0";
    format!(
        "{}, {}, {}, {} {}",
        gone("dim_deltas"),
        series.sql(),
        paths.sql(),
        totals.sql(),
        answer(&[
            &format!(
                "SELECT 1 AS which, project_id, 0 AS tier, day::bigint AS number, dimension, value, NULL::bytea AS path_id, \
                 series_id FROM by_series {empty}"
            ),
            &format!(
                "SELECT 2, project_id, 0, day, dimension, value, path_id, series_id FROM by_path {empty}"
            ),
            &format!(
                "SELECT 3, project_id, tier, bucket_us, dimension, value, NULL, NULL FROM totals {empty}"
            ),
            &format!(
                "SELECT DISTINCT 4, project_id, 0, day::bigint, dimension, NULL, NULL::bytea, NULL::bytea FROM gone \
                      WHERE {HELD_BY_PATH}"
            ),
        ])
    )
});

static FOLD_TRACES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}, done AS (INSERT INTO trace_rollups (project_id, tier, bucket_us, traces) \
         SELECT project_id, tier, bucket_us - mod(bucket_us, tier * 1000000::bigint), sum(traces)::bigint FROM gone {} \
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 ON CONFLICT (project_id, tier, bucket_us) \
         DO UPDATE SET traces = trace_rollups.traces + excluded.traces) SELECT count(*) FROM gone",
        gone("trace_deltas"),
        tiers(&TIERS)
    )
});

/// Deletes differences.
fn gone(deltas: &str) -> String {
    format!(
        "WITH gone AS (DELETE FROM {deltas} WHERE id IN (SELECT id FROM {deltas} ORDER BY id LIMIT $1) RETURNING *)"
    )
}

/// Joins every bucket length.
fn tiers(tiers: &[i32]) -> String {
    let tiers: Vec<String> = tiers.iter().map(|tier| format!("({tier})")).collect();
    format!("CROSS JOIN (VALUES {}) AS t (tier)", tiers.join(", "))
}

/// How many differences there were, beside each of some rows.
fn answer(selects: &[&str]) -> String {
    format!(
        "SELECT (SELECT count(*) FROM gone), found.* FROM (SELECT 1) AS one LEFT JOIN ({}) AS found ON true",
        selects.join(" UNION ALL ")
    )
}

/// Where deleted differences are added.
struct Into<'a> {
    name: &'a str,
    table: &'a str,
    keys: &'a str,
    select: &'a str,
    from: &'a str,
}

impl Into<'_> {
    fn sql(&self) -> String {
        let Self {
            name,
            table,
            keys,
            select,
            from,
        } = self;
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
            .map(|column| format!("{column} = {table}.{column} + excluded.{column}"))
            .collect();
        let places: Vec<String> = (1..=keys.split(',').count())
            .map(|place| place.to_string())
            .collect();
        let places = places.join(", ");
        format!(
            "{name} AS (INSERT INTO {table} ({keys}, {columns}) SELECT {select}, {sums} FROM {from} \
             GROUP BY {places} ORDER BY {places} ON CONFLICT ({keys}) DO UPDATE SET {} \
             RETURNING {keys}, calls, excluded_calls)",
            added.join(", ")
        )
    }
}

impl Postgres {
    /// See [`crate::Store::has_differences`].
    pub(crate) async fn has_differences(&self) -> Result<bool, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let any = query_scalar(
            "SELECT EXISTS (SELECT FROM trace_deltas) OR EXISTS (SELECT FROM rollup_deltas) OR EXISTS (SELECT FROM dim_deltas)",
        );
        let any = any.fetch_one(guard.connection()).await?;
        guard.commit().await?;
        Ok(any)
    }

    /// See [`crate::Store::fold`].
    pub(crate) async fn fold(&self, limit: u32) -> Result<u64, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        // Most of the time there are none, and whoever holds the lock keeps others from adding at once.
        let (traces, paths, dims): (bool, bool, bool) = query_as(
            "SELECT EXISTS (SELECT FROM trace_deltas), EXISTS (SELECT FROM rollup_deltas), EXISTS (SELECT FROM dim_deltas)",
        )
        .fetch_one(guard.connection())
        .await?;
        if !(traces || paths || dims) || !lock(guard.connection()).await? {
            guard.commit().await?;
            return Ok(0);
        }
        let mut folded: i64 = 0;
        if traces {
            folded = query_scalar(FOLD_TRACES.as_str())
                .bind(i64::from(limit))
                .fetch_one(guard.connection())
                .await?;
        }
        let statements = [(paths, FOLD.as_str()), (dims, FOLD_DIMS.as_str())];
        for (_, sql) in statements.into_iter().filter(|(any, _)| *any) {
            let rows = query(sql)
                .bind(i64::from(limit))
                .fetch_all(guard.connection())
                .await?;
            folded += rows.first().map_or(Ok(0), |row| row.try_get(0))?;
            for row in &rows {
                clear(guard.connection(), row).await?;
            }
        }
        guard.commit().await?;
        Ok(folded.cast_unsigned())
    }
}

/// Takes the folder's lock until the end of the transaction; false while somebody else holds it.
pub(super) async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let alone = query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(FOLD_LOCK)
        .fetch_one(connection)
        .await?;
    Ok(alone)
}

/// Deletes a row that came to nothing; of a day with too many values, those by path.
async fn clear(connection: &mut PgConnection, row: &PgRow) -> Result<(), StoreError> {
    let Some(which) = row.try_get::<Option<i32>, _>(1)? else {
        return Ok(());
    };
    if which == 4 {
        let (project, day) = (row.try_get(2)?, row.try_get(4)?);
        return note_wide(connection, project, day, row.try_get(5)?).await;
    }
    // $2 or $3, and of $4 to $7 those that the table has.
    let sql = match which {
        0 => {
            "DELETE FROM rollups WHERE project_id = $1 AND tier = $2 AND bucket_us = $3 AND path_id = $6 \
             AND series_id = $7 AND $4::text IS NULL AND $5::text IS NULL"
        }
        1 => {
            "DELETE FROM dim_rollups WHERE project_id = $1 AND $2::integer = 0 AND day = $3::bigint AND dimension = $4 \
             AND value = $5 AND $6::bytea IS NULL AND series_id = $7"
        }
        2 => {
            "DELETE FROM dim_paths WHERE project_id = $1 AND $2::integer = 0 AND day = $3::bigint AND dimension = $4 \
             AND value = $5 AND path_id = $6 AND series_id = $7"
        }
        _ => {
            "DELETE FROM dim_totals WHERE project_id = $1 AND tier = $2 AND bucket_us = $3 AND dimension = $4 \
             AND value = $5 AND $6::bytea IS NULL AND $7::bytea IS NULL"
        }
    };
    query(sql)
        .bind(row.try_get::<i32, _>(2)?)
        .bind(row.try_get::<i32, _>(3)?)
        .bind(row.try_get::<i64, _>(4)?)
        .bind(row.try_get::<Option<&str>, _>(5)?)
        .bind(row.try_get::<Option<&str>, _>(6)?)
        .bind(row.try_get::<Option<&[u8]>, _>(7)?)
        .bind(row.try_get::<Option<&[u8]>, _>(8)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that a day has too many values of a dimension to be held by path, and deletes those that were.
pub(super) async fn note_wide(
    connection: &mut PgConnection,
    project: i32,
    day: i64,
    dimension: &str,
) -> Result<(), StoreError> {
    let noted = query(
        "INSERT INTO dim_wide (project_id, day, dimension) SELECT $1, $2::bigint::integer, $3 \
         WHERE (SELECT count(*) FROM (SELECT FROM dim_totals WHERE project_id = $1 AND tier = 86400 \
         AND bucket_us = $2 * 86400000000 AND dimension = $3 LIMIT $4 + 1) AS found) > $4 ON CONFLICT DO NOTHING",
    )
    .bind(project)
    .bind(day)
    .bind(dimension)
    .bind(MOST_VALUES)
    .execute(&mut *connection)
    .await?;
    if noted.rows_affected() > 0 {
        query(
            "DELETE FROM dim_paths WHERE project_id = $1 AND day = $2::bigint AND dimension = $3",
        )
        .bind(project)
        .bind(day)
        .bind(dimension)
        .execute(connection)
        .await?;
    }
    Ok(())
}
