//! `cargo xtask bench`: what one core recognises and prices, and what the real binary acknowledges into a fresh
//! database, beside raw COPY or INSERT of the same rows in the same run.

mod figures;
mod ingest;
mod month;
mod processor;
mod raw;
mod read;
mod settle;
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
    /// Calls behind the questions about a month
    #[arg(long, default_value_t = 10_000_000)]
    month_calls: usize,
    /// Ask about the month in this database; one that is empty is filled and kept
    #[arg(long, value_name = "URL")]
    month_database: Option<String>,
    /// Measure only this
    #[arg(long, value_enum)]
    only: Option<Part>,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Receiving: decoding, pricing, acknowledging
    Ingest,
    /// Settling
    Settle,
    /// Questions about a month
    Month,
}

impl Options {
    fn seconds(&self, quick: u64, full: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { full })
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut figures = Figures::default();
    if options.wants(Part::Ingest) {
        read::measure(&mut figures, options.seconds(2, 10))?;
        for database in [Database::sqlite()?, Database::postgres()] {
            receive(&mut figures, &database, &options).await?;
        }
    }
    if options.wants(Part::Settle) {
        let traces = if options.quick { 1_000 } else { 20_000 };
        for database in [Database::sqlite()?, Database::postgres()] {
            settle::measure(&mut figures, &database, traces, options.seconds(3, 30)).await?;
        }
    }
    if options.wants(Part::Month) {
        let calls = if options.quick {
            50_000
        } else {
            options.month_calls
        };
        let repeat = if options.quick { 1 } else { 10 };
        if let Some(url) = &options.month_database {
            let name = if url.starts_with("sqlite") {
                "SQLite"
            } else {
                "Postgres"
            };
            month::measure(&mut figures, name, url, calls, repeat).await?;
        } else {
            for database in [Database::sqlite()?, Database::postgres()] {
                let url = database.url();
                month::measure(&mut figures, database.name(), &url, calls, repeat).await?;
            }
        }
    }
    figures.print();
    if let Some(path) = options.json {
        figures.write(&path)?;
    }
    Ok(())
}

async fn receive(figures: &mut Figures, database: &Database, options: &Options) -> Result<()> {
    let load = Ingest {
        connections: options.connections,
        spans_per_request: options.spans_per_request,
        time: options.seconds(5, 60),
    };
    ingest::measure(figures, database, &load)
        .await
        .with_context(|| database.name().to_owned())?;
    raw::measure(figures, database, options.seconds(2, 15)).await?;
    figures.ratio(
        database.name(),
        "acknowledged_spans_per_s",
        "raw_rows_per_s",
        "acknowledged_of_raw",
    );
    Ok(())
}
