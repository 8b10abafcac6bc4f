//! Small statements: reachability, catalogs.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::Postgres;
use super::statement::{query, query_scalar};
use crate::{CatalogRow, StoreError, correction::MOST, guard::Guard};

/// How long a ping waits for a free connection.
const LONGEST_PING: Duration = Duration::from_secs(1);

impl Postgres {
    /// See [`crate::Store::ping`]. A connection that does not become free says nothing: all may be at work, or none can
    /// be opened. One more tells which, and why.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let pooled = sqlx::raw_sql("SELECT 1").execute(&self.pool);
        if let Ok(answer) = tokio::time::timeout(LONGEST_PING, pooled).await {
            answer?;
            return Ok(());
        }
        let options = self.pool.connect_options();
        let connection = options.connect().await?;
        Ok(connection.close().await?)
    }

    /// See [`crate::Store::now_us`].
    pub(crate) async fn now_us(&self) -> Result<i64, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let now = query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        let now_us = now.fetch_one(guard.connection()).await?;
        guard.commit().await?;
        Ok(now_us)
    }

    /// See [`crate::Store::take_corrections`].
    pub(crate) async fn take_corrections(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let taken = query_scalar(
            "DELETE FROM corrections WHERE id IN (\
             SELECT id FROM corrections ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING body",
        )
        .bind(MOST)
        .fetch_all(guard.connection())
        .await?;
        guard.commit().await?;
        Ok(taken)
    }

    /// See [`crate::Store::put_catalog`].
    pub(crate) async fn put_catalog(&self, catalog: &CatalogRow) -> Result<(), StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        query(
            "INSERT INTO catalogs (catalog_id, fetched_us, source, sha256, body) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (catalog_id) DO NOTHING",
        )
        .bind(&catalog.id.0[..])
        .bind(catalog.fetched_us)
        .bind(&catalog.source)
        .bind(&catalog.sha256[..])
        .bind(&catalog.body)
        .execute(guard.connection())
        .await?;
        guard.commit().await
    }

    /// See [`crate::Store::add_reader`].
    pub(crate) async fn add_reader(&self, role: &str) -> Result<(), StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let exists: bool =
            query_scalar("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)")
                .bind(role)
                .fetch_one(guard.connection())
                .await?;
        // Names cannot be bound; format() quotes them.
        let create = if exists {
            ""
        } else {
            "CREATE ROLE %1$I LOGIN; "
        };
        let grant = "GRANT USAGE ON SCHEMA %2$I TO %1$I; GRANT SELECT ON call_costs, daily_costs, trace_costs TO %1$I";
        let sql: String = query_scalar("SELECT format($1, $2, current_schema())")
            .bind(format!("{create}{grant}"))
            .bind(role)
            .fetch_one(guard.connection())
            .await?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(guard.connection())
            .await?;
        guard.commit().await
    }
}
