//! Adding to the rollups at once on SQLite, whose one writer is always alone.

use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

use sqlx::SqliteConnection;

use super::{
    bind,
    multi_row::{Insert, MultiRow},
    rollup::added,
};
use crate::{
    Measures, StoreError,
    added::{Added, DimDay, used_sums},
    call_row::day_of,
    delta::{Deltas, DimKey, DimTable, MOST_VALUES},
    measures::{COUNTS, SUMS},
};

/// Adds what only adds and takes it out of the differences.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    deltas: &mut Deltas,
) -> Result<(), StoreError> {
    static TRACES: LazyLock<MultiRow> = LazyLock::new(|| {
        let columns = "project_id, tier, bucket_us, traces";
        let conflict = "ON CONFLICT (project_id, tier, bucket_us) DO UPDATE SET traces = traces + excluded.traces";
        MultiRow::new("trace_rollups", columns, 4, conflict)
    });
    static PATHS: LazyLock<Table> =
        LazyLock::new(|| Table::new("rollups", "project_id, tier, bucket_us, path_id, series_id"));
    let rows = Added::take(deltas);
    let traces: Vec<_> = rows.traces.iter().collect();
    TRACES
        .insert(connection, &traces, |insert, row| {
            let ((tier, (project, bucket_us)), traces) = row;
            insert
                .bind(*project)
                .bind(*tier)
                .bind(*bucket_us)
                .bind(**traces)
        })
        .await?;
    let paths: Vec<_> = rows.paths.iter().collect();
    PATHS
        .add(connection, &paths, |insert, (tier, key)| {
            insert
                .bind(key.project)
                .bind(*tier)
                .bind(key.bucket_us)
                .bind(key.path.0.to_vec())
                .bind(key.series.0.to_vec())
        })
        .await?;
    for (table, dims) in &rows.dims {
        add_dims(connection, *table, dims.iter().collect(), &rows.days).await?;
    }
    Ok(())
}

async fn add_dims(
    connection: &mut SqliteConnection,
    table: DimTable,
    mut rows: Vec<(&DimKey, &Measures)>,
    days: &BTreeSet<DimDay>,
) -> Result<(), StoreError> {
    static SERIES: LazyLock<Table> = LazyLock::new(|| {
        Table::new(
            "dim_rollups",
            "project_id, dimension, value, day, series_id",
        )
    });
    static PATHS: LazyLock<Table> = LazyLock::new(|| {
        Table::new(
            "dim_paths",
            "project_id, dimension, value, day, series_id, path_id",
        )
    });
    static TOTALS: LazyLock<Table> = LazyLock::new(|| {
        Table::new(
            "dim_totals",
            "project_id, dimension, value, tier, bucket_us",
        )
    });
    let value = |insert: Insert, key: &DimKey| {
        insert
            .bind(key.project)
            .bind(key.dimension.clone())
            .bind(key.value.clone())
    };
    let on_day = |insert: Insert, key: &DimKey| {
        value(insert, key)
            .bind(day_of(key.hour_us))
            .bind(key.series.0.to_vec())
    };
    match table {
        DimTable::Series => SERIES.add(connection, &rows, on_day).await,
        DimTable::Paths => {
            let wide = wide(connection, days).await?;
            rows.retain(|(key, _)| !wide.contains(&key.on_day()));
            let bind = |insert: Insert, key: &DimKey| on_day(insert, key).bind(key.path.0.to_vec());
            PATHS.add(connection, &rows, bind).await
        }
        DimTable::Totals(tier) => {
            let bind =
                |insert: Insert, key: &DimKey| value(insert, key).bind(tier).bind(key.hour_us);
            TOTALS.add(connection, &rows, bind).await
        }
    }
}

/// Those of some days on which a dimension has too many values to be held by path, from now on also those that have just
/// got too many.
async fn wide(
    connection: &mut SqliteConnection,
    days: &BTreeSet<DimDay>,
) -> Result<HashSet<DimDay>, StoreError> {
    let mut wide = HashSet::new();
    for at in days {
        let (project, day, dimension) = at;
        let noted = sqlx::query(
            "INSERT INTO dim_wide (project_id, day, dimension) SELECT $1, $2, $3 WHERE (SELECT count(*) FROM (SELECT 1 \
             FROM dim_totals WHERE project_id = $1 AND tier = 86400 AND bucket_us = $2 * 86400000000 AND dimension = $3 \
             LIMIT $4 + 1)) > $4 ON CONFLICT DO NOTHING",
        )
        .bind(*project)
        .bind(*day)
        .bind(dimension.clone())
        .bind(MOST_VALUES)
        .execute(&mut *connection)
        .await?;
        if noted.rows_affected() > 0 {
            sqlx::query(
                "DELETE FROM dim_paths WHERE project_id = $1 AND day = $2 AND dimension = $3",
            )
            .bind(*project)
            .bind(*day)
            .bind(dimension.clone())
            .execute(&mut *connection)
            .await?;
        }
        let is_wide: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM dim_wide WHERE project_id = $1 AND day = $2 AND dimension = $3)",
        )
        .bind(*project)
        .bind(*day)
        .bind(dimension.clone())
        .fetch_one(&mut *connection)
        .await?;
        if is_wide {
            wide.insert(at.clone());
        }
    }
    Ok(wide)
}

/// Sums that calls commonly have; the others are mostly 0, and adding them would take half of the time.
const COMMON: [&str; 15] = [
    "unpriced_tokens",
    "excluded_cost",
    "duration_us",
    "cost",
    "cost_other",
    "tokens_input",
    "tokens_cache_read",
    "tokens_cache_write",
    "tokens_output",
    "tokens_reasoning",
    "cost_input",
    "cost_cache_read",
    "cost_cache_write",
    "cost_output",
    "cost_reasoning",
];

/// A rollup table with two statements.
struct Table {
    /// For rows that have nothing but [`COMMON`] sums.
    common: Statement,
    all: Statement,
}

struct Statement {
    rows: MultiRow,
    /// Places in [`SUMS`] of those that are parameters.
    places: Vec<usize>,
}

impl Table {
    fn new(name: &str, keys: &str) -> Self {
        let places = |wanted: &dyn Fn(&str) -> bool| {
            let all = SUMS.iter().enumerate();
            all.filter(|(_, name)| wanted(name))
                .map(|(place, _)| place)
                .collect()
        };
        Self {
            common: Statement::new(name, keys, places(&|name| COMMON.contains(&name))),
            all: Statement::new(name, keys, places(&|_| true)),
        }
    }

    async fn add<K>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[(&K, &Measures)],
        bind_key: impl Fn(Insert, &K) -> Insert,
    ) -> Result<(), StoreError> {
        let used = used_sums(rows.iter().map(|(_, sums)| *sums));
        let is_common = used.iter().all(|place| self.common.places.contains(place));
        let Statement {
            rows: insert,
            places,
        } = match is_common {
            true => &self.common,
            false => &self.all,
        };
        insert
            .insert(connection, rows, |insert, (key, measures)| {
                let insert = bind_key(insert, key);
                let counts = measures.counts.into_iter();
                let insert = counts.fold(insert, |insert, count| insert.bind(count));
                let sums = places.iter().map(|place| measures.sums[*place]);
                sums.fold(insert, bind::sum)
            })
            .await
    }
}

impl Statement {
    fn new(name: &str, keys: &str, places: Vec<usize>) -> Self {
        let key_count = keys.split(',').count();
        let parameters = key_count + COUNTS.len() + 2 * places.len();
        let named: Vec<&str> = places.iter().map(|place| SUMS[*place]).collect();
        let others = SUMS.iter().filter(|sum| !named.contains(*sum));
        let halves = |sum: &&str| format!("{sum}_hi, {sum}_lo");
        let columns: Vec<String> = std::iter::once(keys.to_owned())
            .chain(COUNTS.map(str::to_owned))
            .chain(named.iter().map(halves))
            .chain(others.clone().map(halves))
            .collect();
        let values = [vec!["?"; parameters], vec!["0"; 2 * others.count()]].concat();
        let conflict = format!("ON CONFLICT ({keys}) DO UPDATE SET {}", added(name, &named));
        let (columns, row) = (columns.join(", "), values.join(", "));
        Self {
            rows: MultiRow::of(name, &columns, &row, parameters, &conflict),
            places,
        }
    }
}
