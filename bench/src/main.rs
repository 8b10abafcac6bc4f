//! `cargo xtask bench`: what one core recognises and prices, and what the real binary acknowledges into a fresh
//! database, beside raw COPY or INSERT of the same rows in the same run.

mod crowd;
mod figures;
mod forward;
mod ingest;
mod month;
mod raw;
mod read;
mod settle;
mod target;
mod watch;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;

use figures::Figures;
use ingest::{Shape, Times};
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
    /// Send by OTLP/gRPC instead of OTLP/HTTP
    #[arg(long)]
    grpc: bool,
    /// Seconds of the load that has to be settled as it comes; 300 unless --quick
    #[arg(long)]
    sustained: Option<u64>,
    /// Drive this OTLP endpoint with the same load and measure nothing else
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// Connections that misbehave
    #[arg(long, default_value_t = 1_000)]
    crowd: usize,
    /// Calls behind the questions about a month
    #[arg(long, default_value_t = 10_000_000)]
    month_calls: usize,
    /// Ask about the month in this database; one that is empty is filled and kept
    #[arg(long, value_name = "URL")]
    month_database: Option<String>,
    /// Measure only this
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Only on this database
    #[arg(long, value_enum)]
    database: Option<Kind>,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Receiving: decoding, pricing, acknowledging
    Ingest,
    /// Settling
    Settle,
    /// Receiving with a destination that everything is forwarded to, beside receiving without
    Forward,
    /// Connections that misbehave, beside a client that does not
    Crowd,
    /// Questions about a month
    Month,
}

/// What is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A fresh file
    Sqlite,
    /// A fresh server of the installed version
    Postgres,
}

type Fresh = fn() -> Result<Database>;

impl Options {
    /// How to make a fresh database of each kind.
    fn fresh(&self) -> impl Iterator<Item = Fresh> {
        let kinds: [(Kind, Fresh); 2] = [
            (Kind::Sqlite, Database::sqlite),
            (Kind::Postgres, || Ok(Database::postgres())),
        ];
        let only = self.database;
        let wanted = kinds
            .into_iter()
            .filter(move |(kind, _)| only.is_none_or(|only| only == *kind));
        wanted.map(|(_, fresh)| fresh)
    }

    /// Fresh databases.
    fn databases(&self) -> Result<Vec<Database>> {
        self.fresh().map(|fresh| fresh()).collect()
    }

    fn shape(&self) -> Shape {
        Shape {
            grpc: self.grpc,
            connections: self.connections,
            spans_per_request: self.spans_per_request,
        }
    }

    fn seconds(&self, quick: u64, full: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { full })
    }

    fn wants(&self, part: Part) -> bool {
        let is_long = matches!(part, Part::Forward | Part::Crowd);
        self.only
            .map_or(!(self.quick && is_long), |only| only == part)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut figures = Figures::default();
    if let Some(url) = &options.compare {
        let time = options.seconds(5, 60);
        ingest::compare(&mut figures, url, &options.shape(), time).await?;
    } else {
        measure(&mut figures, &options).await?;
    }
    figures.print();
    if let Some(path) = options.json {
        figures.write(&path)?;
    }
    Ok(())
}

async fn measure(figures: &mut Figures, options: &Options) -> Result<()> {
    if options.wants(Part::Ingest) {
        read::measure(figures, options.seconds(1, 10))?;
        for database in options.databases()? {
            receive(figures, &database, options).await?;
        }
    }
    if options.wants(Part::Settle) {
        let traces = if options.quick { 1_000 } else { 20_000 };
        for database in options.databases()? {
            settle::measure(figures, &database, traces, options.seconds(3, 30)).await?;
        }
    }
    if options.wants(Part::Forward) {
        let (time, turns) = (options.seconds(2, 15), if options.quick { 1 } else { 3 });
        for fresh in options.fresh() {
            forward::measure(figures, fresh, &options.shape(), time, turns).await?;
        }
    }
    if options.wants(Part::Crowd) {
        for database in options.databases()? {
            crowd::measure(figures, &database, options.crowd, options.seconds(3, 60)).await?;
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
            month::measure(figures, name, url, calls, repeat).await?;
        } else {
            for database in options.databases()? {
                let url = database.url();
                month::measure(figures, database.name(), &url, calls, repeat).await?;
            }
        }
    }
    Ok(())
}

async fn receive(figures: &mut Figures, database: &Database, options: &Options) -> Result<()> {
    let times = Times {
        burst: options.seconds(2, 20),
        sustained: match options.sustained {
            Some(seconds) => Duration::from_secs(seconds),
            None => options.seconds(6, 300),
        },
        share: options.seconds(4, 30),
    };
    let name = database.name();
    ingest::measure(figures, database, &options.shape(), times)
        .await
        .with_context(|| name.to_owned())?;
    raw::measure(figures, database, options.seconds(1, 15)).await?;
    for (rate, share) in [
        ("acknowledged_spans_per_s", "acknowledged_of_raw"),
        ("settled_spans_per_s", "settled_of_raw"),
    ] {
        figures.ratio(name, rate, "raw_spans_per_s", share);
    }
    Ok(())
}
