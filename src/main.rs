//! The costflame binary: command line, configuration, wiring; nothing else.

mod audit;
mod cli;
mod config;
mod database;
mod db;
mod demo;
mod doors;
mod figures;
mod https;
mod import;
mod key;
mod log;
mod oidc;
mod outbox;
mod prices;
mod project;
mod report;
mod reprice;
mod serve;
mod terminal;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use cli::{Cli, Command};

/// It takes less time and memory than glibc's (`docs/performance.md`). SQLite keeps the system's: in its place, jemalloc waits for itself under
/// libraries that are preloaded, as libfaketime is.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = cli::with_default_command(std::env::args_os().collect());
    let file = cli::config_path(&args);
    let (command, forward) =
        match config::with_file_and_environment(Cli::command(), file.as_deref()) {
            Ok(read) => read,
            Err(error) => return fail(&error),
        };
    let cli = match command
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => return answer(&error),
    };
    let done = |()| ExitCode::SUCCESS;
    let result = match cli.command {
        Command::Serve(mut config) => {
            config.forward = forward;
            serve::run(&config).map(done)
        }
        Command::Report(config) => report::report(&config).map(done),
        Command::Diff(config) => report::diff(&config),
        Command::Prices(config) => prices::run(&config).map(done),
        Command::Reprice(config) => reprice::run(&config).map(done),
        Command::Db(config) => db::run(&config).map(done),
        Command::Project(config) => project::run(&config).map(done),
        Command::Key(config) => key::run(&config).map(done),
        Command::User(config) => user::run(&config).map(done),
        Command::Audit(config) => audit::run(&config).map(done),
        Command::Outbox(config) => outbox::run(&config).map(done),
        Command::Demo(config) => demo::run(&config).map(done),
        Command::Import(config) => import::run(&config).map(done),
    };
    result.unwrap_or_else(|error| fail(&error))
}

/// Help and version go to standard output with code 0, mistakes to standard error with code 1.
fn answer(error: &clap::Error) -> ExitCode {
    // Nothing sensible is left to do when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the log may not be set up when this runs"
)]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("costflame: {error:#}");
    ExitCode::FAILURE
}
