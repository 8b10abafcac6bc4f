//! The outbox on SQLite.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::Sqlite;
use crate::{Delivery, Finish, OutboxRow, StoreError, guard::Guard, outbox::free};

/// Whether a claim would find anything; asked without keeping commits waiting.
const DUE: &str = concat!(
    "SELECT 1 FROM deliveries WHERE destination = $1 AND dead_us IS NULL AND ",
    free!(),
    " LIMIT 1"
);

const CLAIM: &str = concat!(
    "UPDATE deliveries SET next_us = $3 WHERE id IN (SELECT id FROM deliveries WHERE destination = $1 AND dead_us IS NULL AND ",
    free!(),
    " ORDER BY next_us, id LIMIT $4) \
     RETURNING id, outbox_id, project_id, received_us, signal, codec, items, raw_bytes, attempts"
);

const INSERT: &str = "INSERT INTO deliveries \
     (outbox_id, received_us, next_us, project_id, items, bytes, raw_bytes, signal, codec, destination) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl Sqlite {
    /// See [`crate::Store::outbox_claim`].
    pub(crate) async fn outbox_claim(
        &self,
        destination: &str,
        now_us: i64,
        until_us: i64,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let due = sqlx::query(DUE)
            .bind(destination.to_owned())
            .bind(now_us)
            .bind(until_us)
            .fetch_optional(&self.reader)
            .await?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut guard = Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        let rows = sqlx::query(CLAIM)
            .bind(destination.to_owned())
            .bind(now_us)
            .bind(until_us)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(guard.connection())
            .await?;
        guard.commit().await?;
        rows.iter().map(claimed).collect()
    }

    /// See [`crate::Store::outbox_finish`].
    pub(crate) async fn outbox_finish(&self, finished: &[(i64, Finish)]) -> Result<(), StoreError> {
        let mut guard = Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        let mut delivered = Vec::new();
        for (id, finish) in finished {
            let (next_us, dead_us, attempts, error) = match finish {
                Finish::Delivered => {
                    delivered.push(*id);
                    continue;
                }
                Finish::Later { next_us } => (Some(*next_us), None, 0, None),
                Finish::Again { next_us, error } => (Some(*next_us), None, 1, Some(error)),
                Finish::Dead { at_us, error } => (None, Some(*at_us), 1, Some(error)),
            };
            sqlx::query(
                "UPDATE deliveries SET next_us = COALESCE($2, next_us), dead_us = $3, attempts = attempts + $4, \
                 error = COALESCE($5, error) WHERE id = $1",
            )
            .bind(*id)
            .bind(next_us)
            .bind(dead_us)
            .bind(attempts)
            .bind(error.map(|error| Finish::clean_error(error)))
            .execute(guard.connection())
            .await?;
        }
        delete(guard.connection(), &delivered).await?;
        guard.commit().await
    }

    /// Makes dead deliveries wait again.
    pub(crate) async fn outbox_revive(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET dead_us = NULL, next_us = 0, attempts = 0 \
             WHERE id IN (SELECT value FROM json_each($1)) AND dead_us IS NOT NULL",
        )
        .bind(list(ids))
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes deliveries.
    pub(crate) async fn outbox_delete(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let mut guard = Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        let deleted = delete(guard.connection(), ids).await?;
        guard.commit().await?;
        Ok(deleted)
    }
}

/// Adds a request and its deliveries.
pub(super) async fn insert_outbox(
    connection: &mut SqliteConnection,
    row: &OutboxRow,
) -> Result<(), StoreError> {
    let request = sqlx::query("INSERT INTO outbox (body) VALUES ($1)")
        .bind(row.body.clone())
        .execute(&mut *connection)
        .await?;
    for (destination, next_us) in &row.deliveries {
        sqlx::query(INSERT)
            .bind(request.last_insert_rowid())
            .bind(row.received_us)
            .bind(*next_us)
            .bind(row.project)
            .bind(row.items)
            .bind(i32::try_from(row.body.len()).unwrap_or(i32::MAX))
            .bind(row.raw_bytes)
            .bind(row.signal)
            .bind(row.codec)
            .bind(destination.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Deletes deliveries, and requests whose last delivery is among them.
async fn delete(connection: &mut SqliteConnection, ids: &[i64]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let requests: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each($1)) RETURNING outbox_id",
    )
    .bind(list(ids))
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each($1)) \
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE outbox_id = outbox.id)",
    )
    .bind(list(&requests))
    .execute(connection)
    .await?;
    Ok(requests.len() as u64)
}

/// Ids as SQLite takes a list.
fn list(ids: &[i64]) -> String {
    serde_json::to_string(ids).unwrap_or_default()
}

fn claimed(row: &SqliteRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.try_get(0)?,
        outbox_id: row.try_get(1)?,
        project: row.try_get(2)?,
        received_us: row.try_get(3)?,
        signal: row.try_get(4)?,
        codec: row.try_get(5)?,
        items: row.try_get(6)?,
        raw_bytes: row.try_get(7)?,
        attempts: row.try_get(8)?,
    })
}
