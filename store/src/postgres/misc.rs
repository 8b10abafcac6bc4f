//! Small statements: reachability, catalogs.

use super::Postgres;
use crate::{CatalogRow, StoreError};

impl Postgres {
    /// See [`crate::Store::ping`].
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// See [`crate::Store::put_catalog`].
    pub(crate) async fn put_catalog(&self, catalog: &CatalogRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO catalogs (catalog_id, fetched_us, source, sha256, body) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (catalog_id) DO NOTHING",
        )
        .bind(&catalog.id.0[..])
        .bind(catalog.fetched_us)
        .bind(&catalog.source)
        .bind(&catalog.sha256[..])
        .bind(&catalog.body)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
