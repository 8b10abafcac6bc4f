//! `cargo xtask bench`: what one core recognises and prices, and what the real binary acknowledges into a fresh
//! database, beside raw COPY or INSERT of the same rows in the same run.

mod figures;
mod ingest;
mod raw;
mod read;
mod target;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;

use figures::Figures;
use ingest::Ingest;
use target::Database;

/// Benchmarks of costflame.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// Under a minute in all
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Connections of the load
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Spans per request
    #[arg(long, default_value_t = 1_000)]
    spans_per_request: usize,
}

impl Options {
    fn seconds(&self, quick: u64, full: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { full })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut figures = Figures::default();
    read::measure(&mut figures, options.seconds(2, 10))?;
    for database in [Database::sqlite()?, Database::postgres()] {
        let load = Ingest {
            connections: options.connections,
            spans_per_request: options.spans_per_request,
            time: options.seconds(6, 60),
        };
        ingest::measure(&mut figures, &database, &load)
            .await
            .with_context(|| database.name().to_owned())?;
        raw::measure(&mut figures, &database, options.seconds(3, 15)).await?;
        figures.ratio(
            database.name(),
            "acknowledged_spans_per_s",
            "raw_rows_per_s",
            "acknowledged_of_raw",
        );
    }
    figures.print();
    if let Some(path) = options.json {
        figures.write(&path)?;
    }
    Ok(())
}
