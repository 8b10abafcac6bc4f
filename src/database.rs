//! The database that a command works on.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use costflame_store::{Options, Store};

/// Which one.
#[derive(Clone, Debug, Args)]
pub(crate) struct Database {
    /// `sqlite://PATH` or `postgres://…`; a costflame may be running on it
    #[arg(
        long,
        global = true,
        env = "COSTFLAME_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://costflame.db"
    )]
    database_url: String,
}

impl Database {
    /// Opens it, and makes one of a file that is not there.
    pub(crate) async fn open(&self) -> Result<Store> {
        let store = Store::connect(&self.database_url, &Options::default()).await;
        store.context("cannot open the database")
    }

    /// Opens it; a missing file is an error, and not made.
    pub(crate) async fn open_existing(&self) -> Result<Store> {
        if !self.exists() {
            bail!("there is no database {}", self.database_url);
        }
        self.open().await
    }

    /// Whether there may be one: false where its file is missing.
    pub(crate) fn exists(&self) -> bool {
        let path = self.database_url.strip_prefix("sqlite://");
        path.is_none_or(|path| Path::new(path).exists())
    }
}

/// The time, microseconds since 1970 UTC.
pub(crate) fn now_us() -> i64 {
    micros(SystemTime::now())
}

/// Microseconds since 1970 UTC.
pub(crate) fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
