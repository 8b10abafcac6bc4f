//! Copying the write-ahead log back into the file, beside the writer instead of in its time.

use std::{sync::Arc, time::Duration};

use sqlx::SqlitePool;
use tokio::{sync::Notify, task::AbortHandle};

/// Between two copies: pages that change again and again are copied once.
const PAUSE: Duration = Duration::from_millis(200);

/// Ends when the last clone is dropped. Where it falls behind, and to begin the log anew, the writer copies what is left
/// itself once the log has grown to `wal_autocheckpoint`.
#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    wanted: Arc<Notify>,
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Checkpoints {
    /// Copies by a connection of `readers`.
    pub(super) fn start(readers: SqlitePool) -> Self {
        let wanted = Arc::new(Notify::new());
        let task = tokio::spawn(copy(readers, Arc::clone(&wanted)));
        Self {
            wanted,
            _task: Arc::new(Task(task.abort_handle())),
        }
    }

    /// Something has been committed.
    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }
}

async fn copy(readers: SqlitePool, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        // What keeps it from copying is told to the writer as well, which then fails and says so.
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(&readers)
            .await
        {
            tracing::debug!(%error, "the write-ahead log is copied a little later");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
