//! A fresh database and the real binary on it.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};
use costflame_store::testing::Postgres;

use crate::processor;

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

    /// A server with the settings of a small machine; commits reach the disk.
    pub(crate) fn postgres() -> Self {
        Self::Postgres {
            server: Postgres::start_with(&["shared_buffers=512MB", "max_wal_size=4GB"]),
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
}

/// The running binary; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) http: String,
}

impl Server {
    pub(crate) fn start(database: &Database) -> Result<Self> {
        let mut child = Command::new(binary()?)
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
        let lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut http = String::new();
        for line in lines {
            let line = line?;
            if let Some((_, address)) = line.split_once("OTEL_EXPORTER_OTLP_ENDPOINT=") {
                http = address.to_owned();
                break;
            }
        }
        if http.is_empty() {
            bail!("costflame ended before it was ready");
        }
        Ok(Self { child, http })
    }

    /// CPU seconds used so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        processor::seconds_of(self.child.id())
    }

    /// Highest resident memory so far, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .context("no VmHWM")?;
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .context("no number")?
            .parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The release binary, beside this program.
fn binary() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("costflame");
    if !path.exists() {
        bail!(
            "{} is missing: `cargo xtask bench` builds it",
            path.display()
        );
    }
    Ok(path)
}
