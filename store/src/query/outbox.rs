//! What waits to be delivered, and what was given up.

use super::{
    snapshot::{Row, Snapshot},
    sql::Sql,
};
use crate::{Request, StoreError};

/// How much of a destination waits, or is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its name in the configuration.
    pub destination: String,
    /// Dead letters instead of what waits.
    pub dead: bool,
    /// How many.
    pub deliveries: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// When the oldest was received, microseconds since 1970 UTC.
    pub oldest_us: i64,
}

/// Which deliveries; every condition must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// One of these; empty = any.
    pub ids: Vec<i64>,
    /// Of this destination.
    pub destination: Option<String>,
    /// Dead or waiting.
    pub dead: Option<bool>,
}

/// A delivery as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its identity.
    pub id: i64,
    /// The name of the destination.
    pub destination: String,
    /// 0 = traces, 1 = logs, 2 = metrics.
    pub signal: u8,
    /// Spans, records or points in it.
    pub items: u32,
    /// Bytes of its body.
    pub bytes: u32,
    /// When the request was received, microseconds since 1970 UTC.
    pub received_us: i64,
    /// When it may be claimed, microseconds since 1970 UTC.
    pub next_us: i64,
    /// When it was given up.
    pub dead_us: Option<i64>,
    /// Attempts that failed.
    pub attempts: u32,
    /// What the last attempt heard.
    pub error: Option<String>,
}

/// The columns of [`letter`].
const COLUMNS: &str = "SELECT id, destination, signal, items, bytes, received_us, next_us, dead_us, attempts, error \
     FROM deliveries WHERE ";

/// The body of a request.
pub(crate) async fn body(
    snapshot: &mut Snapshot,
    outbox_id: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut sql = snapshot.sql("SELECT body FROM outbox WHERE id = ");
    sql.bind(outbox_id);
    snapshot.first(sql, |row| row.bytes(0)).await
}

/// Levels of every destination that has any.
pub(crate) async fn levels(snapshot: &mut Snapshot) -> Result<Vec<Level>, StoreError> {
    let sql = snapshot.sql(
        "SELECT destination, dead_us IS NOT NULL, COUNT(*), CAST(SUM(bytes) AS bigint), MIN(received_us) \
         FROM deliveries GROUP BY destination, dead_us IS NOT NULL ORDER BY 1, 2",
    );
    let read = |row: &Row| {
        Ok(Level {
            destination: row.text(0)?,
            dead: row.flag(1)?,
            deliveries: row.count(2)?,
            bytes: row.count(3)?,
            oldest_us: row.int(4)?,
        })
    };
    snapshot.all(sql, read).await
}

/// The oldest deliveries of a destination.
pub(crate) async fn oldest(
    snapshot: &mut Snapshot,
    destination: &str,
    dead: bool,
    limit: usize,
) -> Result<Vec<Letter>, StoreError> {
    let mut sql = snapshot.sql(COLUMNS);
    sql.push("destination = ").bind(destination);
    push_dead(&mut sql, dead);
    sql.push(" ORDER BY received_us, id LIMIT ").bind(limit);
    snapshot.all(sql, letter).await
}

/// Deliveries of a selection by id, behind `after`.
pub(crate) async fn list(
    snapshot: &mut Snapshot,
    selection: &Selection,
    after: i64,
    limit: usize,
) -> Result<Vec<Letter>, StoreError> {
    let mut sql = snapshot.sql(COLUMNS);
    sql.push("id > ").bind(after);
    if !selection.ids.is_empty() {
        sql.push(" AND id IN ")
            .bind_list(selection.ids.iter().copied());
    }
    if let Some(destination) = &selection.destination {
        sql.push(" AND destination = ").bind(destination.as_str());
    }
    if let Some(dead) = selection.dead {
        push_dead(&mut sql, dead);
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit);
    snapshot.all(sql, letter).await
}

/// The requests of a project by id, behind `after`.
pub(crate) async fn requests(
    snapshot: &mut Snapshot,
    project: i32,
    after: i64,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    let mut sql = snapshot.sql(
        "SELECT o.id, d.signal, d.codec, d.raw_bytes, d.items, o.body FROM outbox o JOIN deliveries d ON d.id = \
         (SELECT MIN(id) FROM deliveries WHERE outbox_id = o.id) WHERE d.project_id = ",
    );
    sql.bind(project).push(" AND o.id > ").bind(after);
    sql.push(" ORDER BY o.id LIMIT ").bind(limit);
    let read = |row: &Row| {
        Ok(Request {
            outbox_id: row.int(0)?,
            signal: byte(row, 1)?,
            codec: byte(row, 2)?,
            raw_bytes: number(row, 3)?,
            items: number(row, 4)?,
            body: row.bytes(5)?,
        })
    };
    snapshot.all(sql, read).await
}

fn push_dead(sql: &mut Sql, dead: bool) {
    sql.push(if dead {
        " AND dead_us IS NOT NULL"
    } else {
        " AND dead_us IS NULL"
    });
}

fn letter(row: &Row) -> Result<Letter, StoreError> {
    Ok(Letter {
        id: row.int(0)?,
        destination: row.text(1)?,
        signal: byte(row, 2)?,
        items: number(row, 3)?,
        bytes: number(row, 4)?,
        received_us: row.int(5)?,
        next_us: row.int(6)?,
        dead_us: row.maybe_int(7)?,
        attempts: number(row, 8)?,
        error: row.maybe_text(9)?,
    })
}

fn number(row: &Row, column: usize) -> Result<u32, StoreError> {
    u32::try_from(row.int(column)?).map_err(|error| StoreError::corrupt("number", error))
}

fn byte(row: &Row, column: usize) -> Result<u8, StoreError> {
    u8::try_from(row.int(column)?).map_err(|error| StoreError::corrupt("byte", error))
}
