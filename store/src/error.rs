//! What can go wrong with the database, in one sentence each.

use std::borrow::Cow;

use sqlx::{error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError};

/// Oldest PostgreSQL major version that has what the schema uses.
pub const OLDEST_POSTGRES: u32 = 15;

/// An error of the database. The texts are for users: one sentence, no internals.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither `sqlite://PATH` nor `postgres://…`.
    #[error("`{0}` is not a database URL; use sqlite://PATH or postgres://USER@HOST/DATABASE")]
    BadUrl(String),
    /// No connection, or none within the time limit. May be retried.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The file, its folder, its disk or the server accepts no writes. May be retried: a standby becomes primary.
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    /// No space left. May be retried.
    #[error("the disk of the database is full")]
    DiskFull,
    /// Another process or transaction is in the way. May be retried.
    #[error("the database is locked by another process")]
    Locked,
    /// Two transactions met; the one that got this was undone. May be retried.
    #[error("the transaction met another one and was undone")]
    Conflict,
    /// The server is older than [`OLDEST_POSTGRES`].
    #[error("the database server is PostgreSQL {0}, costflame needs {OLDEST_POSTGRES} or newer")]
    TooOld(String),
    /// A newer costflame has migrated this database.
    #[error("the database has schema version {0} of a newer costflame; please update costflame")]
    NewerSchema(i64),
    /// A migration failed.
    #[error("the database schema cannot be brought up to date: {0}")]
    Migration(String),
    /// The file is not a database, or a stored value cannot be read.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// The lane belongs to another collector now; lease again.
    #[error("lane {0} is settled by another collector now")]
    Fenced(i16),
    /// A value that the database will never take: the rows are to blame, not its state.
    #[error("the database cannot hold a value: {0}")]
    BadValue(String),
    /// The database refused a statement, as when a table, a partition or a permission is missing. It may take the same rows
    /// once an operator has mended that.
    #[error("the database refused a statement: {0}")]
    Refused(String),
}

impl StoreError {
    /// True when the same request may succeed later without any change to it.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::ReadOnly(_)
            | Self::DiskFull
            | Self::Locked
            | Self::Conflict => true,
            Self::BadUrl(_)
            | Self::TooOld(_)
            | Self::NewerSchema(_)
            | Self::Migration(_)
            | Self::Corrupt(_)
            | Self::Fenced(_)
            | Self::BadValue(_)
            | Self::Refused(_) => false,
        }
    }

    /// A URL that is none; passwords do not belong in messages.
    pub(crate) fn bad_url(url: &str) -> Self {
        let shown = url.split_once("://").and_then(|(scheme, rest)| {
            let (user, host) = rest.rsplit_once('@')?;
            let (user, _) = user.split_once(':')?;
            Some(format!("{scheme}://{user}:***@{host}"))
        });
        Self::BadUrl(shown.unwrap_or_else(|| url.to_owned()))
    }

    /// A stored value that does not fit its type.
    pub(crate) fn corrupt(what: &str, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what}: {reason}"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => from_database(&*error),
            E::PoolTimedOut => Self::Unreachable("no connection became free in time".into()),
            E::Io(error) => Self::Unreachable(error.to_string()),
            E::Tls(error) => Self::Unreachable(format!("TLS: {error}")),
            E::PoolClosed | E::WorkerCrashed => {
                Self::Unreachable("the connection is closed".into())
            }
            // A connection cut in the middle of a message shows up as a protocol error.
            E::Protocol(text) => Self::Unreachable(text),
            E::Configuration(error) => Self::BadUrl(error.to_string()),
            E::ColumnDecode { index, source } => Self::corrupt(&index, source),
            E::Encode(error) => Self::BadValue(error.to_string()),
            E::Decode(error) => Self::Corrupt(error.to_string()),
            E::Migrate(error) => Self::from(*error),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::NewerSchema(version),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                match Self::from(error) {
                    Self::Refused(text) => Self::Migration(text),
                    other => other,
                }
            }
            other => Self::Migration(other.to_string()),
        }
    }
}

fn from_database(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or(Cow::Borrowed(""));
    let text = error.message().to_owned();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        from_postgres(&code, text)
    } else {
        from_sqlite(&code, text)
    }
}

/// SQLSTATE classes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn from_postgres(code: &str, text: String) -> StoreError {
    match code {
        "40001" | "40P01" => StoreError::Conflict,
        "55P03" => StoreError::Locked,
        "53100" => StoreError::DiskFull,
        "25006" => StoreError::ReadOnly(text),
        "XX001" | "XX002" => StoreError::Corrupt(text),
        // Also what a row hears that no partition takes, which a check of a column never is: the schema has none.
        "23514" => StoreError::Refused(text),
        // Connections, authorization, missing database, lack of resources, shutdown, system errors.
        _ if matches!(code.get(..2), Some("08" | "28" | "3D" | "53" | "57" | "58")) => {
            StoreError::Unreachable(text)
        }
        // Data exceptions, integrity constraints, limits of a row or an index entry.
        _ if matches!(code.get(..2), Some("22" | "23" | "54")) => StoreError::BadValue(text),
        _ => StoreError::Refused(text),
    }
}

/// Result codes: <https://www.sqlite.org/rescode.html>.
fn from_sqlite(code: &str, text: String) -> StoreError {
    let code = code.parse::<u32>().unwrap_or_default();
    // The disk failed to write, sync, sync a folder, truncate, grow the log's index: it may well be read.
    if matches!(code, 778 | 1034 | 1290 | 1546 | 4874) {
        return StoreError::ReadOnly(text);
    }
    match code & 0xff {
        5 | 6 => StoreError::Locked,
        3 | 8 => StoreError::ReadOnly(text),
        // 9: interrupted, since it took too long.
        9 | 10 | 14 => StoreError::Unreachable(text),
        11 | 26 => StoreError::Corrupt(text),
        13 => StoreError::DiskFull,
        // Too big, constraint, mismatch.
        18..=20 => StoreError::BadValue(text),
        _ => StoreError::Refused(text),
    }
}
