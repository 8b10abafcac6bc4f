//! `costflame db …`: looking after the database.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use costflame_store::{Options, Status, Store, Verified};

/// Differences that are printed one by one.
const SHOWN: usize = 50;

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct DbConfig {
    #[command(subcommand)]
    command: DbCommand,

    /// `sqlite://PATH` or `postgres://…`
    #[arg(
        long,
        global = true,
        env = "COSTFLAME_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://costflame.db"
    )]
    database_url: String,
}

#[derive(Clone, Debug, Subcommand)]
enum DbCommand {
    /// Recompute calls, traces, claims and rollups from their sources and report every difference
    Verify,
    /// Show what waits to be settled and folded, and who settles
    Status,
}

/// Runs one command.
pub(crate) fn run(config: &DbConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = Store::connect(&config.database_url, &Options::default()).await;
        let store = store.context("cannot open the database")?;
        match config.command {
            DbCommand::Verify => report(&store.verify().await?),
            DbCommand::Status => {
                show(&store.status().await?);
                Ok(())
            }
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn report(found: &Verified) -> Result<()> {
    for difference in found.differences.iter().take(SHOWN) {
        println!("{} {}", difference.table, difference.key);
        println!("  stored   {}", difference.stored);
        println!("  computed {}", difference.computed);
    }
    println!(
        "{} traces, {} calls and {} claims recomputed; {} traces left out that wait to be settled",
        found.traces, found.calls, found.claims, found.pending
    );
    if found.count > 0 {
        bail!("{} rows differ from their sources", found.count);
    }
    println!("no difference");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn show(status: &Status) {
    println!("pending traces      {}", status.pending_traces);
    println!("pending calls       {}", status.pending_calls);
    println!("pending cost, most  ${}", status.pending_cost);
    println!("unfolded            {}", status.unfolded);
    println!("outbox              {}", status.outbox);
    println!("bytes on disk       {}", status.bytes);
    for (owner, lanes) in &status.owners {
        println!("settler             {owner}: {lanes} lanes");
    }
}
