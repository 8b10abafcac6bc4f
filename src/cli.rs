//! The command line: `costflame [serve]` and the commands beside it.

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    audit::AuditConfig,
    config::ServeConfig,
    db::DbConfig,
    demo::DemoConfig,
    import::ImportConfig,
    key::KeyConfig,
    outbox::OutboxConfig,
    prices::PricesConfig,
    project::ProjectConfig,
    report::{DiffConfig, ReportConfig},
    reprice::RepriceConfig,
    user::UserConfig,
};

/// Cost profiler for LLM applications, built on OpenTelemetry.
///
/// Without a command, `serve` runs.
#[derive(Debug, Parser)]
#[command(name = "costflame", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive OTLP, price every model call, keep it, answer the API
    Serve(Box<ServeConfig>),
    /// Show what was spent, and by whom
    Report(ReportConfig),
    /// Show what changed, and fail when it is too much
    Diff(DiffConfig),
    /// Show the prices in force, compare and update catalogs, list what has no price
    Prices(PricesConfig),
    /// Price stored calls again, by the prices in force now: the difference first, then the change
    Reprice(RepriceConfig),
    /// Look after the database
    Db(DbConfig),
    /// Make and list projects, which see nothing of each other
    Project(ProjectConfig),
    /// Make, list and revoke API keys
    Key(KeyConfig),
    /// Make, list and remove users, who log in with a password
    User(UserConfig),
    /// Show who did what
    Audit(AuditConfig),
    /// Show, retry and drop what waits to be forwarded
    Outbox(OutboxConfig),
    /// Send a month of a small company's traffic to a running costflame
    Demo(DemoConfig),
    /// Load OTLP files, as the Collector's file exporter writes them, into a running costflame
    Import(ImportConfig),
}

/// Arguments with `serve` put in when no command is named, so that `costflame --http-addr …` works.
pub(crate) fn with_default_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let known = |word: &str| {
        Cli::command()
            .get_subcommands()
            .any(|command| command.get_name() == word)
    };
    let names_command = match args.get(1).and_then(|word| word.to_str()) {
        Some("help" | "--help" | "-h" | "--version" | "-V") => true,
        Some(word) => known(word) || !word.starts_with('-'),
        None => false,
    };
    if !names_command {
        args.insert(1.min(args.len()), OsString::from("serve"));
    }
    args
}

/// Where the configuration file was named on the command line or in the environment.
pub(crate) fn config_path(args: &[OsString]) -> Option<PathBuf> {
    let mut rest = args.iter().skip(1);
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        if text == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os("COSTFLAME_CONFIG").map(PathBuf::from)
}
