//! The write-ahead log as a file: what makes commits durable outside of the writer's time.
//!
//! SQLite at `synchronous = FULL` waits for the disk inside COMMIT, while nobody else may write. A commit that is not
//! synced leaves that to whoever has to know: [`Log::sync`], beside the transactions that follow. The log is written
//! from its beginning to its end, so syncing it makes every earlier commit durable too; and before SQLite copies pages out of
//! it, it syncs it itself (<https://sqlite.org/pragma.html#pragma_synchronous>, NORMAL).

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use sqlx::SqlitePool;

use crate::{StoreError, guard::Guard};

/// Begins a transaction that is durable, once committed, with the next [`Log::sync`].
pub(super) async fn begin_unsynced(writer: &SqlitePool) -> Result<Guard<sqlx::Sqlite>, StoreError> {
    Guard::begin(writer, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE").await
}

/// Commits it; the writer's next transaction is again durable by itself.
pub(super) async fn commit_unsynced(guard: Guard<sqlx::Sqlite>) -> Result<(), StoreError> {
    guard.commit_with("COMMIT; PRAGMA synchronous = FULL").await
}

/// The file beside the database's.
#[derive(Clone, Debug)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    /// The log of the database in the file at `path`.
    pub(super) fn of(path: &str) -> Self {
        Self {
            path: format!("{path}-wal").into(),
        }
    }

    /// Waits until everything committed before is on the disk.
    ///
    /// The file is opened each time: SQLite makes a new one after its last connection closed.
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || open(&path)?.sync_data())
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| self.describe(&error))
    }

    fn describe(&self, error: &io::Error) -> StoreError {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull,
            _ => StoreError::ReadOnly(format!("{}: {error}", self.path.display())),
        }
    }
}

/// Windows flushes only what is open for writing.
fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}
