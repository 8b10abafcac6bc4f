//! `cargo xtask soak`: what takes too long for every change: crashes, an upgrade beside the version before, a steady load,
//! destinations that are away, and bytes that become receipts.

use std::{path::PathBuf, process::Command};

use anyhow::Result;
use clap::Args;

use crate::{
    features,
    run::{self, cargo, root},
    tools,
};

/// How long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Crash rounds on each database
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Crash rounds of Postgres below a collector that goes on
    #[arg(long, default_value_t = 30)]
    database_rounds: u32,
    /// How long spans come at a steady rate, minutes; 0 leaves it out
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// That rate: half of what the machine settles
    #[arg(long, default_value_t = 2_500, value_name = "SPANS_PER_S")]
    rate: u32,
    /// The commit whose binary runs beside this one during an upgrade
    #[arg(long, default_value = "dc71200", value_name = "COMMIT")]
    before: String,
    /// Only the steady load
    #[arg(long)]
    only_steady: bool,
    /// Inputs from bytes to receipts
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// Seconds for which a destination is away, busy or silent most of the time
    #[arg(long, default_value_t = 600)]
    outage: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.only_steady {
        return steady(options);
    }
    features::all()?;
    clients()?;
    tools::ensure()?;
    crashes(options)?;
    upgrade(&options.before)?;
    steady(options)?;
    outage(options.outage)?;
    fuzz(options)
}

fn crashes(options: &Options) -> Result<()> {
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
    run::run(
        cargo(&test)
            .env("CRASH_ROUNDS", options.rounds.to_string())
            .env("DATABASE_CRASH_ROUNDS", options.database_rounds.to_string()),
    )
}

/// The version before, built from its commit in a folder of its own, runs beside this one.
fn upgrade(before: &str) -> Result<()> {
    let binary = build_before(before)?;
    let test = soak_test("upgrade", &[]);
    run::run(cargo(&test).env("SOAK_BEFORE", binary))
}

fn build_before(commit: &str) -> Result<PathBuf> {
    let folder = root().join("target/before").join(commit);
    if !folder.exists() {
        let mut worktree = Command::new("git");
        worktree.args(["worktree", "add", "--detach"]);
        run::run(worktree.arg(&folder).arg(commit))?;
    }
    let build = ["build", "--package", "costflame", "--no-default-features"];
    run::run(cargo(&build).current_dir(&folder))?;
    Ok(folder.join("target/debug/costflame"))
}

fn steady(options: &Options) -> Result<()> {
    if options.minutes == 0 {
        return Ok(());
    }
    run::run(
        cargo(&soak_test("endurance", &["--release"]))
            .env("SOAK_MINUTES", options.minutes.to_string())
            .env("SOAK_SPANS_PER_S", options.rate.to_string()),
    )
}

fn soak_test<'a>(name: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    let test = ["test", "--package", "costflame", "--test", "soak"];
    let rest = [name, "--", "--nocapture"];
    [&test[..], flags, &rest].concat()
}

/// A destination is away, busy or silent most of the time, and the server is killed meanwhile.
fn outage(seconds: u64) -> Result<()> {
    let test = [
        "test",
        "--workspace",
        "--test",
        "forward",
        "what_was_acknowledged",
    ];
    run::run(cargo(&test).env("OUTAGE_SECONDS", seconds.to_string()))
}

fn fuzz(options: &Options) -> Result<()> {
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

/// Clients of models whose dependencies would cost every build minutes, in a workspace of their own.
fn clients() -> Result<()> {
    let test = ["test", "--locked", "--manifest-path"];
    run::run(
        cargo(&test)
            .arg("instrumentation/clients/Cargo.toml")
            .args(["--target-dir", "target/clients"]),
    )
}
