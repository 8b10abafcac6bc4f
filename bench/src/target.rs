//! A fresh database and the real binary on it.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};
use costflame_store::testing::Postgres;

use costflame_bench::processor;
use sqlx::{Connection, PgConnection};

/// Settings of a small machine; commits reach the disk.
const POSTGRES: &[&str] = &[
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "wal_compression=lz4",
];

/// Where the binary keeps its data.
pub(crate) enum Database {
    Sqlite { folder: tempfile::TempDir },
    Postgres { server: Postgres },
}

impl Database {
    pub(crate) fn sqlite() -> Result<Self> {
        Ok(Self::Sqlite {
            folder: tempfile::tempdir().context("no temporary folder")?,
        })
    }

    /// A fresh server.
    pub(crate) fn postgres() -> Self {
        Self::Postgres {
            server: Postgres::start_with(POSTGRES),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres { .. } => "Postgres",
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { folder } => format!("sqlite://{}/c.db", folder.path().display()),
            Self::Postgres { server } => server.url(),
        }
    }

    /// Processor seconds of the database's own processes so far; SQLite has none.
    pub(crate) fn cpu_seconds(&self) -> Result<Option<f64>> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres { server } => processor::seconds_of_family(server.process()).map(Some),
        }
    }

    /// Bytes of tables and indexes.
    pub(crate) async fn bytes(&self) -> Result<u64> {
        match self {
            Self::Sqlite { folder } => Ok(folder.path().join("c.db").metadata()?.len()),
            Self::Postgres { server } => {
                let mut connection = PgConnection::connect(&server.url()).await?;
                let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
                    .fetch_one(&mut connection)
                    .await?;
                Ok(u64::try_from(bytes)?)
            }
        }
    }
}

/// The running binary; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    /// Base URLs: OTLP by HTTP and by gRPC, the API.
    pub(crate) http: String,
    pub(crate) grpc: String,
    pub(crate) api: String,
}

impl Server {
    pub(crate) fn start(database: &Database) -> Result<Self> {
        Self::start_with(database, &[])
    }

    /// With variables in its environment.
    pub(crate) fn start_with(database: &Database, variables: &[(&str, &str)]) -> Result<Self> {
        let mut child = Command::new(beside("costflame")?)
            .envs(variables.iter().copied())
            .args([
                "serve",
                "--otlp-grpc-addr",
                "127.0.0.1:0",
                "--otlp-http-addr",
                "127.0.0.1:0",
            ])
            .args([
                "--http-addr",
                "127.0.0.1:0",
                "--log",
                "warn",
                "--database-url",
                &database.url(),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start costflame")?;
        let mut banner = String::new();
        for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
            let line = line?;
            banner.push_str(&line);
            banner.push('\n');
            if line.contains("OTEL_EXPORTER_OTLP_ENDPOINT=") {
                break;
            }
        }
        let address = |name: &str| {
            let line = banner.lines().find(|line| line.contains(name));
            line.and_then(|line| line.split_whitespace().last())
                .map(str::to_owned)
                .context("costflame ended before it was ready")
        };
        Ok(Self {
            http: address("OTLP/HTTP")?,
            grpc: address("OTLP/gRPC")?,
            api: address("UI and API")?,
            child,
        })
    }

    /// CPU seconds used so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        processor::seconds_of(self.child.id())
    }

    /// Resident memory now and at most so far, in MiB.
    pub(crate) fn memory_mib(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mib = |name: &str| -> Result<f64> {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .with_context(|| format!("no {name}"))?;
            let kib: f64 = line
                .split_whitespace()
                .nth(1)
                .context("no number")?
                .parse()?;
            Ok(kib / 1024.0)
        };
        Ok((mib("VmRSS:")?, mib("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!(
            "{} is missing: `cargo xtask bench` builds it",
            path.display()
        );
    }
    Ok(path)
}
