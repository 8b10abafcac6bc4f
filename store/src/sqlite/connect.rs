//! Opening the file: pragmas, migrations.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use sqlx::{
    ConnectOptions,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Sqlite, checkpoint::Checkpoints, log::Log};
use crate::{Options, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Two processes that start at once may both try the same migration; the later one tries again.
const MIGRATION_ATTEMPTS: u32 = 5;

/// Rows that a connection's thread reads ahead: few would have the two threads wake each other all the time.
const ROWS: usize = 512;

impl Sqlite {
    /// Opens or creates the file at `path`.
    pub(crate) async fn connect(path: &str, options: &Options) -> Result<Self, StoreError> {
        check_folder(Path::new(path))?;
        let file = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .row_buffer_size(ROWS)
            .page_size(8192) // of a new file: fewer pages change than by 4096
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-32768") // 32 MiB
            .pragma("wal_autocheckpoint", "32000") // pages: what `Checkpoints` leaves
            .disable_statement_logging();
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(file.clone())
            .await
            .map_err(|error| describe(path, error.into()))?;
        migrate(&writer)
            .await
            .map_err(|error| describe(path, error))?;
        let file = file.pragma("query_only", "on");
        let askers = options.askers();
        let reader = readers(options.max_connections - askers, options.acquire_timeout);
        let reader = reader.connect_with(file.clone().pragma("cache_size", "-2048")); // 2 MiB
        let reader = reader.await?;
        let questions = readers(askers, options.acquire_timeout);
        let questions = questions.connect_with(file.pragma("cache_size", "-4096")); // 4 MiB
        Ok(Self {
            checkpoints: Checkpoints::start(reader.clone()),
            log: Log::of(path),
            reader,
            questions: questions.await?,
            writer,
            seen: Arc::default(),
            settling: Arc::default(),
            turn: Arc::default(),
            claims_dropped_before: Arc::new(AtomicI64::new(i64::MIN)),
        })
    }
}

fn readers(count: u32, wait: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(count)
        .acquire_timeout(wait)
        // The time limit of a snapshot ends with it.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.lock_handle().await?.remove_progress_handler();
                Ok(true)
            })
        })
}

async fn migrate(writer: &sqlx::SqlitePool) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match MIGRATIONS.run(writer).await {
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))
                if attempt < MIGRATION_ATTEMPTS =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
                attempt += 1;
            }
            result => return Ok(result?),
        }
    }
}

fn check_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        return Ok(());
    }
    Err(StoreError::Unreachable(format!(
        "the folder {} does not exist",
        folder.display()
    )))
}

/// Names the file: SQLite's own texts do not.
fn describe(path: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Unreachable(text) => StoreError::Unreachable(format!("{path}: {text}")),
        StoreError::ReadOnly(text) => StoreError::ReadOnly(format!("{path}: {text}")),
        StoreError::Corrupt(text) => StoreError::Corrupt(format!("{path}: {text}")),
        other => other,
    }
}
