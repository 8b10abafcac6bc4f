//! Fetched prices on Postgres.

use sqlx::Row;

use super::{
    Postgres,
    statement::{query, query_scalar},
};
use crate::{PriceKind, PriceSourceRow, StoreError, guard::Guard};

impl Postgres {
    /// See [`crate::Store::put_prices`].
    pub(crate) async fn put_prices(&self, row: &PriceSourceRow) -> Result<(), StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        query(
            "INSERT INTO price_sources (kind, fetched_us, source, sha256, body) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(row.kind as i16)
        .bind(row.fetched_us)
        .bind(&row.source)
        .bind(&row.sha256[..])
        .bind(&row.body)
        .execute(guard.connection())
        .await?;
        guard.commit().await
    }

    /// See [`crate::Store::newest_prices`].
    pub(crate) async fn newest_prices(
        &self,
        kind: PriceKind,
    ) -> Result<Option<PriceSourceRow>, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let row = query(
            "SELECT fetched_us, source, sha256, body FROM price_sources WHERE kind = $1 ORDER BY id DESC LIMIT 1",
        )
        .bind(kind as i16)
        .fetch_optional(guard.connection())
        .await?;
        guard.commit().await?;
        row.map(|row| {
            let sha256: Vec<u8> = row.try_get(2)?;
            Ok(PriceSourceRow {
                kind,
                fetched_us: row.try_get(0)?,
                source: row.try_get(1)?,
                sha256: sha256
                    .try_into()
                    .map_err(|_| StoreError::corrupt("sha256", "not 32 bytes"))?,
                body: row.try_get(3)?,
            })
        })
        .transpose()
    }

    /// See [`crate::Store::prices_version`].
    pub(crate) async fn prices_version(&self) -> Result<i64, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let newest = query_scalar("SELECT COALESCE(MAX(id), 0) FROM price_sources");
        let newest = newest.fetch_one(guard.connection()).await?;
        guard.commit().await?;
        Ok(newest)
    }
}
