//! Connecting: version, migrations, partitions.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Openings, Postgres};
use crate::{Options, StoreError, clock, error::OLDEST_POSTGRES};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How often a migration is tried that meets the transactions of collectors at work, and the pause between two tries.
const MIGRATION_ATTEMPTS: u32 = 20;
const MIGRATION_PAUSE: Duration = Duration::from_millis(200);

/// Whoever waits for a lock, as of another program on a whole table, hears so before a sender loses patience. The server
/// would keep waiting for a client that has gone, a connection for each try. And compiling a statement takes longer than
/// any of these, whatever the planner thinks they cost.
macro_rules! patient {
    () => {
        "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL jit = off"
    };
}

macro_rules! durable {
    () => {
        "; SET LOCAL synchronous_commit = on"
    };
}

/// Keys come as short arrays; whatever the statistics say, an index is the way to them.
macro_rules! by_key {
    () => {
        "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
    };
}

impl Postgres {
    /// Connects to `url`, migrating through `options.direct_url` where given.
    pub(crate) async fn connect(url: &str, options: &Options) -> Result<Self, StoreError> {
        let direct = options.direct_url.as_deref().unwrap_or(url);
        let mut connection =
            tokio::time::timeout(options.acquire_timeout, parse(direct)?.connect())
                .await
                .map_err(|_| StoreError::Unreachable("the server does not answer".into()))??;
        check_version(&mut connection).await?;
        let begin = openings(&mut connection).await?;
        migrate(&mut connection).await?;
        let distributed = sqlx::query_scalar("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;

        let pooled = parse(url)?;
        let askers = options.askers();
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections - askers)
            .acquire_timeout(options.acquire_timeout)
            .connect_with(pooled.clone())
            .await?;
        let questions = PgPoolOptions::new()
            .max_connections(askers)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(pooled);
        let postgres = Self {
            pool,
            questions,
            distributed,
            begin,
            seen: Arc::default(),
        };
        postgres.create_partitions(clock::now_us()).await?;
        Ok(postgres)
    }
}

/// A migration locks whole tables, collectors of the version before theirs in an order of their own. Whoever of two was
/// undone tries again; every migration is one transaction.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        let migrated = MIGRATIONS.run(&mut *connection).await;
        match migrated.map_err(StoreError::from) {
            Err(StoreError::Conflict | StoreError::Locked) if attempt < MIGRATION_ATTEMPTS => {
                tracing::info!(
                    attempt,
                    "a migration met other transactions and is tried again"
                );
                tokio::time::sleep(MIGRATION_PAUSE).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::bad_url(url))?;
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

/// How transactions are opened, in one message with the settings that hold for them alone. Acknowledged is
/// durable, also where the server's default is not; stronger defaults (`remote_apply`) stay.
async fn openings(connection: &mut PgConnection) -> Result<Openings, StoreError> {
    let setting: String = sqlx::query_scalar("SHOW synchronous_commit")
        .fetch_one(connection)
        .await?;
    Ok(if setting == "off" {
        Openings {
            plain: concat!(patient!(), durable!()),
            by_key: concat!(patient!(), durable!(), by_key!()),
        }
    } else {
        Openings {
            plain: patient!(),
            by_key: concat!(patient!(), by_key!()),
        }
    })
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
