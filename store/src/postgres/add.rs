//! Adding to the rollups at once on Postgres, by whoever holds the folder's lock.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::{AssertSqlSafe, PgConnection, postgres::PgArguments, query::Query};

use super::{
    rollup::{lock, note_wide},
    statement::{query, query_as},
};
use crate::{
    Measures, StoreError,
    added::{Added, DimDay, used_sums},
    call_row::day_of,
    clean::clean_str,
    delta::{Deltas, DimKey, DimTable, PathKey, TraceBucket},
    measures::{COUNTS, SUMS},
};

/// Adds what only adds and takes it out of the differences; does nothing while somebody else folds.
pub(super) async fn add(
    connection: &mut PgConnection,
    deltas: &mut Deltas,
) -> Result<(), StoreError> {
    if !lock(connection).await? {
        return Ok(());
    }
    let added = Added::take(deltas);
    add_traces(connection, &added.traces).await?;
    add_paths(connection, &added.paths).await?;
    for (table, rows) in &added.dims {
        match table {
            DimTable::Paths => {
                let wide = wide(connection, &added.days).await?;
                let kept = rows.iter().filter(|(key, _)| !wide.contains(&key.on_day()));
                add_dims(connection, *table, &kept.collect::<Vec<_>>()).await?;
            }
            _ => add_dims(connection, *table, &rows.iter().collect::<Vec<_>>()).await?,
        }
    }
    Ok(())
}

/// Those of some days on which a dimension has too many values to be held by path, from now on also those that have just
/// got too many.
async fn wide(
    connection: &mut PgConnection,
    days: &BTreeSet<DimDay>,
) -> Result<HashSet<DimDay>, StoreError> {
    for (project, day, dimension) in days {
        note_wide(connection, *project, (*day).into(), dimension).await?;
    }
    let found: Vec<DimDay> =
        query_as("SELECT project_id, day, dimension FROM dim_wide WHERE day = ANY($1)")
            .bind(days.iter().map(|(_, day, _)| *day).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
    Ok(found.into_iter().collect())
}

async fn add_traces(
    connection: &mut PgConnection,
    rows: &BTreeMap<(i32, TraceBucket), i64>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = || {
        rows.iter()
            .map(|((tier, bucket), traces)| (*tier, *bucket, *traces))
    };
    query(
        "INSERT INTO trace_rollups (project_id, tier, bucket_us, traces) \
         SELECT * FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::bigint[]) \
         ON CONFLICT (project_id, tier, bucket_us) DO UPDATE SET traces = trace_rollups.traces + excluded.traces",
    )
    .bind(column().map(|(_, (project, _), _)| project).collect::<Vec<_>>())
    .bind(column().map(|(tier, _, _)| tier).collect::<Vec<_>>())
    .bind(column().map(|(_, (_, bucket_us), _)| bucket_us).collect::<Vec<_>>())
    .bind(column().map(|(_, _, traces)| traces).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn add_paths(
    connection: &mut PgConnection,
    rows: &BTreeMap<(i32, PathKey), Measures>,
) -> Result<(), StoreError> {
    const KEYS: [(&str, &str); 5] = [
        ("project_id", "integer"),
        ("tier", "integer"),
        ("bucket_us", "bigint"),
        ("path_id", "bytea"),
        ("series_id", "bytea"),
    ];
    let (keys, sums): (Vec<&(i32, PathKey)>, Vec<&Measures>) = rows.iter().unzip();
    let upsert = Upsert::new("rollups", &KEYS, &sums);
    let bound = query(AssertSqlSafe(upsert.sql.as_str()))
        .bind(keys.iter().map(|(_, key)| key.project).collect::<Vec<_>>())
        .bind(keys.iter().map(|(tier, _)| *tier).collect::<Vec<_>>())
        .bind(
            keys.iter()
                .map(|(_, key)| key.bucket_us)
                .collect::<Vec<_>>(),
        )
        .bind(keys.iter().map(|(_, key)| key.path.0).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.series.0).collect::<Vec<_>>());
    upsert.execute(connection, bound, &sums).await
}

async fn add_dims(
    connection: &mut PgConnection,
    table: DimTable,
    rows: &[(&DimKey, &Measures)],
) -> Result<(), StoreError> {
    const PROJECT: (&str, &str) = ("project_id", "integer");
    const DAY: (&str, &str) = ("day", "integer");
    const DIMENSION: (&str, &str) = ("dimension", "text");
    const VALUE: (&str, &str) = ("value", "text");
    const PATH: (&str, &str) = ("path_id", "bytea");
    const SERIES: (&str, &str) = ("series_id", "bytea");
    const TIER: (&str, &str) = ("tier", "integer");
    const BUCKET: (&str, &str) = ("bucket_us", "bigint");
    let names: &[(&str, &str)] = match table {
        DimTable::Series => &[PROJECT, DIMENSION, VALUE, DAY, SERIES],
        DimTable::Paths => &[PROJECT, DIMENSION, VALUE, DAY, SERIES, PATH],
        DimTable::Totals(_) => &[PROJECT, DIMENSION, VALUE, TIER, BUCKET],
    };
    let (keys, sums): (Vec<&DimKey>, Vec<&Measures>) = rows.iter().copied().unzip();
    let days = || {
        keys.iter()
            .map(|key| day_of(key.hour_us))
            .collect::<Vec<_>>()
    };
    let series = || keys.iter().map(|key| key.series.0).collect::<Vec<_>>();
    let upsert = Upsert::new(table.name(), names, &sums);
    let bound = query(AssertSqlSafe(upsert.sql.as_str()))
        .bind(keys.iter().map(|key| key.project).collect::<Vec<_>>())
        .bind(
            keys.iter()
                .map(|key| clean_str(&key.dimension))
                .collect::<Vec<_>>(),
        )
        .bind(
            keys.iter()
                .map(|key| clean_str(&key.value))
                .collect::<Vec<_>>(),
        );
    let bound = match table {
        DimTable::Series => bound.bind(days()).bind(series()),
        DimTable::Paths => bound
            .bind(days())
            .bind(series())
            .bind(keys.iter().map(|key| key.path.0).collect::<Vec<_>>()),
        DimTable::Totals(tier) => bound
            .bind(vec![tier; keys.len()])
            .bind(keys.iter().map(|key| key.hour_us).collect::<Vec<_>>()),
    };
    upsert.execute(connection, bound, &sums).await
}

/// One statement for many rows; of the sums it names those that some row has.
struct Upsert {
    sql: String,
    used: Vec<Used>,
}

/// A sum that some row has.
struct Used {
    place: usize,
    /// Every row's fits 64 bits.
    narrow: bool,
}

impl Upsert {
    fn new(table: &str, keys: &[(&str, &str)], rows: &[&Measures]) -> Self {
        let used: Vec<Used> = used_sums(rows.iter().copied())
            .into_iter()
            .map(|place| Used {
                place,
                narrow: rows
                    .iter()
                    .all(|row| i64::try_from(row.sums[place]).is_ok()),
            })
            .collect();
        let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let sums = || used.iter().map(|used| SUMS[used.place]);
        let columns: Vec<&str> = COUNTS.into_iter().chain(sums()).collect();
        let counts = COUNTS.iter().map(|_| "bigint");
        let wide = used
            .iter()
            .map(|used| if used.narrow { "bigint" } else { "text" });
        let types = keys.iter().map(|(_, kind)| *kind).chain(counts).chain(wide);
        let parameters: Vec<String> = types
            .enumerate()
            .map(|(place, kind)| format!("${}::{kind}[]", place + 1))
            .collect();
        let unused = SUMS.iter().filter(|name| !columns.contains(*name));
        let unused: Vec<&str> = unused.copied().collect();
        let values = COUNTS.into_iter().map(str::to_owned);
        let values: Vec<String> = values
            .chain(sums().map(|name| format!("{name}::numeric")))
            .chain(unused.iter().map(|_| "0".to_owned()))
            .collect();
        let added: Vec<String> = columns
            .iter()
            .map(|column| format!("{column} = {table}.{column} + excluded.{column}"))
            .collect();
        let all: Vec<&str> = columns.iter().chain(&unused).copied().collect();
        let sql = format!(
            "INSERT INTO {table} ({names}, {}) SELECT {names}, {} FROM unnest({}) AS k ({names}, {}) \
             ON CONFLICT ({names}) DO UPDATE SET {}",
            all.join(", "),
            values.join(", "),
            parameters.join(", "),
            columns.join(", "),
            added.join(", "),
        );
        Self { sql, used }
    }

    async fn execute(
        &self,
        connection: &mut PgConnection,
        mut bound: Query<'_, sqlx::Postgres, PgArguments>,
        rows: &[&Measures],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        for place in 0..COUNTS.len() {
            bound = bound.bind(rows.iter().map(|row| row.counts[place]).collect::<Vec<_>>());
        }
        for Used { place, narrow } in &self.used {
            let sums = rows.iter().map(|row| row.sums[*place]);
            bound = match narrow {
                true => bound.bind(sums.map(|sum| sum as i64).collect::<Vec<_>>()),
                false => bound.bind(sums.map(|sum| sum.to_string()).collect::<Vec<_>>()),
            };
        }
        bound.execute(connection).await?;
        Ok(())
    }
}
