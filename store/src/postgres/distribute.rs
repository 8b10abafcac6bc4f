//! Spreading the tables over the servers of a Citus cluster.
//!
//! What lands and settles is distributed by lane, so that a lane's rows are together on one server; what every server joins
//! with is copied to all of them; the rest stays where it is, on the coordinator.

use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    Postgres,
    statement::{query_as, query_scalar},
};
use crate::{StoreError, guard::Guard, rows::LANES};

/// Tables that are distributed, and by which column. The first one's shards are those of all.
const DISTRIBUTED: [(&str, &str); 6] = [
    ("landing", "lane"),
    ("dirty", "lane"),
    ("calls", "lane"),
    ("traces", "lane"),
    ("sampled_calls", "lane"),
    ("claims", "identity_lane"),
];

/// Tables of which every server has a copy: small, or joined with the distributed ones.
const REFERENCE: [&str; 6] = [
    "paths",
    "series",
    "used_classes",
    "catalogs",
    "lanes",
    "meta",
];

/// Tables that stay on the coordinator: sums, which one folder writes; what is keyed by an id; what hardly anybody reads.
#[cfg(feature = "testing")]
const LOCAL: [&str; 23] = [
    "rollups",
    "rollup_deltas",
    "dim_rollups",
    "dim_deltas",
    "dim_paths",
    "dim_totals",
    "dim_wide",
    "trace_rollups",
    "trace_deltas",
    "settlers",
    "outbox",
    "deliveries",
    "deletions",
    "price_sources",
    "repricings",
    "projects",
    "api_keys",
    "corrections",
    "users",
    "sessions",
    "saved_views",
    "audit",
    "_sqlx_migrations",
];

/// The statements that distribute everything, in order.
pub(crate) fn statements() -> Vec<(&'static str, String)> {
    let (first, _) = DISTRIBUTED[0];
    let distributed = DISTRIBUTED.iter().map(|(table, column)| {
        let shards = if *table == first {
            format!("colocate_with => 'none', shard_count => {LANES}")
        } else {
            format!("colocate_with => '{first}'")
        };
        let sql = format!("SELECT create_distributed_table('{table}', '{column}', {shards})");
        (*table, sql)
    });
    let reference = REFERENCE
        .iter()
        .map(|table| (*table, format!("SELECT create_reference_table('{table}')")));
    distributed.chain(reference).collect()
}

impl Postgres {
    /// See [`crate::Store::distribute`].
    pub(crate) async fn distribute(&self) -> Result<Vec<String>, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        check_citus(guard.connection()).await?;
        let obstacles = obstacles(guard.connection()).await?;
        let done: Vec<String> = query_scalar("SELECT logicalrelid::text FROM pg_dist_partition")
            .fetch_all(guard.connection())
            .await?;
        guard.commit().await?;
        if !obstacles.is_empty() {
            let obstacles = obstacles.join("; ");
            return Err(StoreError::Refused(format!(
                "the tables cannot be distributed: {obstacles}"
            )));
        }
        let mut executed = Vec::new();
        for (table, sql) in statements() {
            if done.iter().any(|name| name == table) {
                continue;
            }
            // Each by itself: what is done stays done, and another run goes on behind it.
            sqlx::raw_sql(AssertSqlSafe(sql.clone()))
                .execute(&self.pool)
                .await?;
            executed.push(sql);
        }
        Ok(executed)
    }

    /// See [`crate::Store::undecided_tables`].
    #[cfg(feature = "testing")]
    pub(crate) async fn undecided_tables(&self) -> Result<Vec<String>, StoreError> {
        let decided: Vec<&str> = DISTRIBUTED
            .iter()
            .map(|(table, _)| *table)
            .chain(REFERENCE)
            .chain(LOCAL)
            .collect();
        let tables = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition \
             AND relnamespace = current_schema()::regnamespace AND relname <> ALL($1) ORDER BY 1";
        let undecided = query_scalar(tables).bind(decided);
        Ok(undecided.fetch_all(&self.pool).await?)
    }
}

/// Citus must be installed and created in this database.
async fn check_citus(connection: &mut PgConnection) -> Result<(), StoreError> {
    let (created, installed): (bool, bool) = query_as(
        "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'create_distributed_table'), \
         EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus')",
    )
    .fetch_one(connection)
    .await?;
    let missing = match (created, installed) {
        (true, _) => return Ok(()),
        (false, true) => {
            "Citus is installed, but not in this database: CREATE EXTENSION citus, add its workers, then try again"
        }
        (false, false) => {
            "Citus is not installed on this server: install it on the server and its workers (https://docs.citusdata.com), \
             then try again"
        }
    };
    Err(StoreError::Refused(missing.to_owned()))
}

/// What Citus would refuse: a unique index of a distributed table without its distribution column, and foreign keys, which
/// would have to lead to the same shard.
async fn obstacles(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let (tables, columns): (Vec<&str>, Vec<&str>) = DISTRIBUTED.iter().copied().unzip();
    let found = query_scalar(
        "WITH distributed AS (SELECT t.name::regclass AS id, t.name, t.column_name \
         FROM unnest($1::text[], $2::text[]) AS t (name, column_name)) \
         SELECT format('unique index %s of %s lacks %s', i.indexrelid::regclass, d.name, d.column_name) \
         FROM distributed d JOIN pg_index i ON i.indrelid = d.id \
         WHERE i.indisunique AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = d.id \
         AND a.attname = d.column_name AND a.attnum = ANY(i.indkey::smallint[])) \
         UNION ALL \
         SELECT format('foreign key %s of %s', c.conname, c.conrelid::regclass) FROM distributed d \
         JOIN pg_constraint c ON c.contype = 'f' AND d.id IN (c.conrelid, c.confrelid) \
         UNION ALL \
         SELECT format('%s has no column %s', d.name, d.column_name) FROM distributed d \
         WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = d.id AND a.attname = d.column_name) ORDER BY 1",
    )
    .bind(tables)
    .bind(columns)
    .fetch_all(connection)
    .await?;
    Ok(found)
}
