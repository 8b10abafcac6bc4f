//! The contract of the database.

use std::time::Duration;

use crate::{
    CatalogRow, LandingRow, OutboxRow, StoreError, TraceKey, postgres::Postgres, sqlite::Sqlite,
};

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections to Postgres, or readers of SQLite.
    pub max_connections: u32,
    /// How long a request waits for a connection before it fails as unreachable.
    pub acquire_timeout: Duration,
    /// Where to migrate, if `url` leads through a pooler in transaction mode.
    pub direct_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            direct_url: None,
        }
    }
}

/// The database. Cloning shares the connections.
///
/// Every method is one transaction: after `Ok` its effect is durable; after `Err`, or when the
/// future is dropped, all of it took place or nothing. Every method may be repeated: landing the
/// same span twice settles as once. Both databases give the same answers.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Runs the same method on whichever database it is.
macro_rules! dispatch {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match &$store.backend {
            Backend::Sqlite(database) => database.$method($($argument),*).await,
            Backend::Postgres(database) => database.$method($($argument),*).await,
        }
    };
}

impl Store {
    /// Opens `sqlite://PATH` (created if missing) or `postgres://…` and brings the schema up to
    /// date; several programs may do so at once.
    ///
    /// # Errors
    /// [`StoreError`] says in one sentence what is wrong with the URL, the file or the server.
    pub async fn connect(url: &str, options: &Options) -> Result<Self, StoreError> {
        let backend = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Backend::Postgres(Postgres::connect(url, options).await?)
        } else if let Some(path) = url
            .strip_prefix("sqlite://")
            .filter(|path| !path.is_empty())
        {
            Backend::Sqlite(Sqlite::connect(path, options).await?)
        } else {
            return Err(StoreError::BadUrl(url.to_owned()));
        };
        Ok(Self { backend })
    }

    /// Asks the database whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        dispatch!(self, ping())
    }

    /// Appends spans, one mark per trace among them, and outbox rows: all of them or none.
    ///
    /// Spans may be repeated, in any order and any split. NUL in texts becomes U+FFFD.
    ///
    /// # Errors
    /// After a retryable error the same rows may be committed again.
    pub async fn commit(
        &self,
        rows: &[LandingRow],
        outbox: &[OutboxRow],
    ) -> Result<(), StoreError> {
        if rows.is_empty() && outbox.is_empty() {
            return Ok(());
        }
        dispatch!(self, commit(rows, outbox))
    }

    /// Every landed version of every span of a trace that has not been dropped yet, in no order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn landed(&self, trace: TraceKey) -> Result<Vec<LandingRow>, StoreError> {
        dispatch!(self, landed(trace))
    }

    /// Keeps a price snapshot; one that is there already stays.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_catalog(&self, catalog: &CatalogRow) -> Result<(), StoreError> {
        dispatch!(self, put_catalog(catalog))
    }
}
