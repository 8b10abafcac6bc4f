//! `cargo xtask soak`: what takes too long for every change: crashes, and bytes that become receipts.

use anyhow::Result;
use clap::Args;

use crate::{
    features,
    run::{self, cargo},
    tools,
};

/// How long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Crash rounds on each database
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Inputs from bytes to receipts
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    features::all()?;
    let test = [
        "test",
        "--workspace",
        "--test",
        "crash",
        "--",
        "--nocapture",
        "--test-threads",
        "1",
    ];
    run::run(cargo(&test).env("CRASH_ROUNDS", options.rounds.to_string()))?;
    let api = ["test", "--workspace", "--test", "api_fuzz"];
    run::run(cargo(&api).env("FUZZ_EXAMPLES", "500").env(
        "TEST_PYTHON",
        tools::python_environment()?.join("bin/python"),
    ))?;
    let fuzz = [
        "test",
        "--release",
        "--package",
        "costflame-collector",
        "--test",
        "fuzz",
    ];
    run::run(cargo(&fuzz).env("FUZZ_INPUTS", options.inputs.to_string()))
}
