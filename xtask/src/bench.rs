//! `cargo xtask bench`: the benchmarks, their figures as text and as JSON.

use std::{path::PathBuf, process::Command};

use anyhow::Result;
use clap::Args;

use crate::run::{self, cargo, root};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Under a minute in all
    #[arg(long)]
    quick: bool,
    /// Write every figure to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Drive this OTLP endpoint with the same load instead
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// What else the benchmark is told, behind `--`; see `-- --help`
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    run::run(&mut cargo(&[
        "build",
        "--release",
        "--bins",
        "--package",
        "costflame",
        "--package",
        "costflame-bench",
    ]))?;
    let mut bench = Command::new(root().join("target/release/costflame-bench"));
    if options.quick {
        bench.arg("--quick");
    }
    if let Some(path) = &options.json {
        bench.arg("--json").arg(std::path::absolute(path)?);
    }
    if let Some(url) = &options.compare {
        bench.arg("--compare").arg(url);
    }
    run::run(bench.args(&options.rest))
}
