//! The published crates with every set of features, and with the oldest Rust they promise.

use anyhow::Result;

use crate::{
    run::{self, cargo},
    tools,
};

/// Sets of up to two features, for which only one crate is built anew, and the documentation of all of them.
pub(crate) fn pairs() -> Result<()> {
    lint(&["--feature-powerset", "--depth", "2"])?;
    let doc = [
        "doc",
        "--package",
        "costflame-instrumentation",
        "--all-features",
        "--no-deps",
    ];
    run::run(cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every set, and all features with the oldest Rust, which rustup installs.
pub(crate) fn all() -> Result<()> {
    tools::ensure_cargo_tool("hack")?;
    lint(&["--feature-powerset"])?;
    let check = ["hack", "check", "--rust-version", "--all-features"];
    // Its dependencies are picked for that Rust in a lock file of their own.
    let manifest = "instrumentation/oldest/Cargo.toml";
    let target = ["--target-dir", "target/oldest"];
    run::run(
        cargo(&check)
            .args(["--manifest-path", manifest])
            .args(target),
    )?;
    run::run(cargo(&check).args(["--package", "costflame-instrumentation-bedrock"]))?;
    Ok(())
}

fn lint(sets: &[&str]) -> Result<()> {
    let clippy = ["hack", "clippy", "--package", "costflame-instrumentation"];
    run::run(cargo(&clippy).args(sets).args(["--", "-D", "warnings"]))
}
