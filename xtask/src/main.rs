//! Development tasks: `cargo xtask test`, `cargo xtask audit`, `cargo xtask soak`, `cargo xtask bench`.

mod audit;
mod bench;
mod features;
mod run;
mod soak;
mod test;
mod tools;

use anyhow::Result;
use clap::Parser;

/// Development tasks of costflame.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Install or find what the tests need, then run all of them
    Test(test::Options),
    /// Known vulnerabilities of what is depended on, where their databases answer; part of the tests
    Audit,
    /// The pages in a real browser, against the real binary
    Browser,
    /// The tests that take long: many crash rounds, a million damaged inputs
    Soak(soak::Options),
    /// Benchmarks
    Bench(bench::Options),
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Test(options) => test::run(&options),
        Task::Audit => audit::run().map(drop),
        Task::Browser => test::browser(),
        Task::Soak(options) => soak::run(&options),
        Task::Bench(options) => bench::run(&options),
    }
}
