//! Small statements: reachability, catalogs.

use sqlx::{ConnectOptions, Connection};

use super::Sqlite;
use crate::{CatalogRow, StoreError, correction::MOST};

impl Sqlite {
    /// See [`crate::Store::close`].
    pub(crate) async fn close(&self) {
        self.questions.close().await;
        self.reader.close().await;
        // The last connection to close checkpoints the write-ahead log.
        self.writer.close().await;
    }

    /// See [`crate::Store::backup`]. On a connection of its own: copying takes long.
    pub(crate) async fn backup(&self, file: &str) -> Result<(), StoreError> {
        let options = self.writer.connect_options();
        let mut connection = options.as_ref().clone().connect().await?;
        sqlx::query("VACUUM INTO $1")
            .bind(file.to_owned())
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }

    /// Looks at a sample of every table whose size has changed much.
    pub(crate) async fn optimize(&self) -> Result<(), StoreError> {
        sqlx::raw_sql("PRAGMA analysis_limit = 1000; PRAGMA optimize")
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// See [`crate::Store::take_corrections`].
    pub(crate) async fn take_corrections(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        // Asked without keeping commits waiting.
        let some = sqlx::query("SELECT 1 FROM corrections LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        if some.is_none() {
            return Ok(Vec::new());
        }
        let taken = sqlx::query_scalar(
            "DELETE FROM corrections WHERE id IN (SELECT id FROM corrections ORDER BY id LIMIT $1) RETURNING body",
        )
        .bind(MOST)
        .fetch_all(&self.writer)
        .await?;
        Ok(taken)
    }

    /// See [`crate::Store::ping`].
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// See [`crate::Store::put_catalog`].
    pub(crate) async fn put_catalog(&self, catalog: &CatalogRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO catalogs (catalog_id, fetched_us, source, sha256, body) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (catalog_id) DO NOTHING",
        )
        .bind(catalog.id.0.to_vec())
        .bind(catalog.fetched_us)
        .bind(catalog.source.clone())
        .bind(catalog.sha256.to_vec())
        .bind(catalog.body.clone())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
