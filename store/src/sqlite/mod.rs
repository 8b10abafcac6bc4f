//! SQLite, embedded: one writer, a few readers.

mod connect;
mod landing;
mod misc;
mod multi_row;

use sqlx::SqlitePool;

/// WAL lets readers see the last commit while the writer works; SQLite has one writer at a time,
/// so the writer's pool has one connection, and waiting for it is a queue instead of a busy loop.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
}
