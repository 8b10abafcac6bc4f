//! Connecting: version, migrations, partitions.

use std::{str::FromStr, sync::Arc, time::SystemTime};

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::Postgres;
use crate::{Options, StoreError, error::OLDEST_POSTGRES};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

impl Postgres {
    /// Connects to `url`, migrating through `options.direct_url` where given.
    pub(crate) async fn connect(url: &str, options: &Options) -> Result<Self, StoreError> {
        let direct = options.direct_url.as_deref().unwrap_or(url);
        let mut connection =
            tokio::time::timeout(options.acquire_timeout, parse(direct)?.connect())
                .await
                .map_err(|_| StoreError::Unreachable("the server does not answer".into()))??;
        check_version(&mut connection).await?;
        let begin = begin(&mut connection).await?;
        MIGRATIONS.run(&mut connection).await?;
        connection.close().await?;

        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .connect_with(parse(url)?)
            .await?;
        let postgres = Self {
            pool,
            begin,
            seen: Arc::default(),
        };
        postgres.create_partitions(now_us()).await?;
        Ok(postgres)
    }
}

fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options =
        PgConnectOptions::from_str(url).map_err(|_| StoreError::BadUrl(url.to_owned()))?;
    Ok(options
        .application_name("costflame")
        .disable_statement_logging())
}

async fn check_version(connection: &mut PgConnection) -> Result<(), StoreError> {
    let (number, text): (String, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num'), current_setting('server_version')",
    )
    .fetch_one(connection)
    .await?;
    if is_recent(&number) {
        Ok(())
    } else {
        Err(StoreError::TooOld(text))
    }
}

/// Whether a `server_version_num` is of [`OLDEST_POSTGRES`] or newer.
fn is_recent(number: &str) -> bool {
    number.parse::<u32>().unwrap_or_default() / 10_000 >= OLDEST_POSTGRES
}

/// How to open a transaction. Acknowledged is durable, also where the server's default is not;
/// stronger defaults (`remote_apply`) stay.
async fn begin(connection: &mut PgConnection) -> Result<&'static str, StoreError> {
    let setting: String = sqlx::query_scalar("SHOW synchronous_commit")
        .fetch_one(connection)
        .await?;
    Ok(if setting == "off" {
        "BEGIN; SET LOCAL synchronous_commit = on"
    } else {
        "BEGIN"
    })
}

fn now_us() -> i64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_server_is_postgres_15() {
        assert!(is_recent("150004"));
        assert!(is_recent("180000"));
        assert!(!is_recent("140019"));
        assert!(!is_recent("90624"));
        assert!(!is_recent(""));
    }
}
