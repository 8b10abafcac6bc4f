//! `cargo xtask test`: everything that CI checks.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{
    audit, features,
    run::{self, cargo, linting_cargo, root},
    tools,
};

/// What to leave out while working on something; CI runs everything.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only the checks and tests of the Rust code
    #[arg(long)]
    rust_only: bool,
    /// Do not build the OpenTelemetry Collector; the test of a pipeline around costflame then proves nothing
    #[arg(long)]
    without_collector: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    tools::ensure()?;
    let python = tools::python_environment()?;
    let go = tools::go()?;
    if !options.without_collector {
        tools::otelcol(&go)?;
    }
    run::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run::run(&mut cargo(&[
        "deny",
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))?;
    let unchecked = audit::run()?;
    if !options.rust_only {
        web_checks()?;
    }
    run::run(&mut linting_cargo(&["build", "--all-targets"]))?;
    features::pairs()?;
    for folder in ["examples/vercel-ai-sdk", "tests/openid"] {
        npm(
            folder,
            &["ci", "--no-audit", "--no-fund", "--prefer-offline"],
        )?;
    }
    let mut tests = linting_cargo(&["test"]);
    tests
        .env("TEST_PYTHON", python.join("bin/python"))
        .env("TEST_GO", go);
    if options.without_collector {
        tests.env("WITHOUT_COLLECTOR", "1");
    }
    run::run(&mut tests)?;
    run::run(&mut linting_cargo(&["test", "--doc"]))?;
    if !options.rust_only {
        browser_tests()?;
    }
    unchecked.tell();
    Ok(())
}

fn web_checks() -> Result<()> {
    let web = "dashboards/web";
    npm(web, &["ci", "--no-audit", "--no-fund", "--prefer-offline"])?;
    npm(web, &["run", "lint"])?;
    npm(web, &["run", "check"])?;
    npm(web, &["test"])
}

fn npm(folder: &str, args: &[&str]) -> Result<()> {
    run::run(
        Command::new("npm")
            .args(args)
            .current_dir(root().join(folder)),
    )
}

/// The pages in Chromium, against the real binary with a month of traffic.
pub(crate) fn browser() -> Result<()> {
    tools::ensure()?;
    browser_tests()
}

/// Built as for the other tests, so that the binary they ran is the one that runs.
fn browser_tests() -> Result<()> {
    let mut tests = linting_cargo(&["test", "--test", "browser"]);
    run::run(tests.args(["--", "--nocapture"]))
}
