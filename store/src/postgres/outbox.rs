//! The outbox on Postgres.

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::Postgres;
use super::statement::{query, query_scalar};
use crate::{Delivery, Finish, OutboxRow, StoreError, guard::Guard, outbox::free};

/// Claims rows that nobody else is claiming at the moment.
const CLAIM: &str = concat!(
    "WITH due AS (SELECT id FROM deliveries WHERE destination = $1 AND dead_us IS NULL AND ",
    free!(),
    " ORDER BY next_us, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
     UPDATE deliveries d SET next_us = $3 FROM due WHERE d.id = due.id \
     RETURNING d.id, d.outbox_id, d.project_id, d.received_us, d.signal, d.codec, d.items, d.raw_bytes, d.attempts"
);

const INSERT: &str = "WITH request AS (INSERT INTO outbox (body) VALUES ($1) RETURNING id) \
     INSERT INTO deliveries (outbox_id, received_us, next_us, project_id, items, bytes, raw_bytes, signal, codec, destination) \
     SELECT request.id, $2, d.next_us, $3, $4, $5, $6, $7, $8, d.destination \
     FROM request, unnest($9::text[], $10::bigint[]) AS d (destination, next_us)";

impl Postgres {
    /// See [`crate::Store::outbox_claim`].
    pub(crate) async fn outbox_claim(
        &self,
        destination: &str,
        now_us: i64,
        until_us: i64,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let rows = query(CLAIM)
            .bind(destination)
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
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
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
            query(
                "UPDATE deliveries SET next_us = COALESCE($2, next_us), dead_us = $3, attempts = attempts + $4, \
                 error = COALESCE($5, error) WHERE id = $1",
            )
            .bind(id)
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
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let done = query(
            "UPDATE deliveries SET dead_us = NULL, next_us = 0, attempts = 0 \
             WHERE id = ANY($1) AND dead_us IS NOT NULL",
        )
        .bind(ids)
        .execute(guard.connection())
        .await?;
        guard.commit().await?;
        Ok(done.rows_affected())
    }

    /// Deletes deliveries.
    pub(crate) async fn outbox_delete(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let deleted = delete(guard.connection(), ids).await?;
        guard.commit().await?;
        Ok(deleted)
    }
}

/// Adds a request and its deliveries.
pub(super) async fn insert_outbox(
    connection: &mut PgConnection,
    row: &OutboxRow,
) -> Result<(), StoreError> {
    let (names, times): (Vec<&str>, Vec<i64>) = row
        .deliveries
        .iter()
        .map(|(name, next_us)| (&**name, *next_us))
        .unzip();
    query(INSERT)
        .bind(&row.body)
        .bind(row.received_us)
        .bind(row.project)
        .bind(row.items.cast_signed())
        .bind(i32::try_from(row.body.len()).unwrap_or(i32::MAX))
        .bind(row.raw_bytes.cast_signed())
        .bind(i16::from(row.signal))
        .bind(i16::from(row.codec))
        .bind(names)
        .bind(times)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes deliveries, and requests whose last delivery is among them.
async fn delete(connection: &mut PgConnection, ids: &[i64]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    // Under the lock of the request: of two who delete its last two deliveries, the later one sees both gone.
    let requests: Vec<i64> = query_scalar(
        "SELECT id FROM outbox WHERE id IN (SELECT outbox_id FROM deliveries WHERE id = ANY($1)) \
         ORDER BY id FOR UPDATE",
    )
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?;
    let deleted = query("DELETE FROM deliveries WHERE id = ANY($1)")
        .bind(ids)
        .execute(&mut *connection)
        .await?;
    query(
        "DELETE FROM outbox WHERE id = ANY($1) \
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE outbox_id = outbox.id)",
    )
    .bind(requests)
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

fn claimed(row: &PgRow) -> Result<Delivery, StoreError> {
    let small = |column: usize| -> Result<u8, StoreError> {
        u8::try_from(row.try_get::<i16, _>(column)?)
            .map_err(|error| StoreError::corrupt("delivery", error))
    };
    Ok(Delivery {
        id: row.try_get(0)?,
        outbox_id: row.try_get(1)?,
        project: row.try_get(2)?,
        received_us: row.try_get(3)?,
        signal: small(4)?,
        codec: small(5)?,
        items: row.try_get::<i32, _>(6)?.cast_unsigned(),
        raw_bytes: row.try_get::<i32, _>(7)?.cast_unsigned(),
        attempts: row.try_get::<i32, _>(8)?.cast_unsigned(),
    })
}
