//! `costflame outbox …`: what waits to be forwarded, and what was refused for good.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use costflame_store::{Letter, Selection, Store};

use crate::{
    audit,
    database::Database,
    terminal::{ago, one_line},
};

/// Rows read at once.
const PAGE: usize = 500;

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutboxConfig {
    #[command(subcommand)]
    command: OutboxCommand,

    #[command(flatten)]
    database: Database,
}

#[derive(Clone, Debug, Subcommand)]
enum OutboxCommand {
    /// Show what waits and what is dead, oldest first
    List {
        /// Only of this destination
        #[arg(long, value_name = "NAME")]
        destination: Option<String>,
        /// Only dead letters
        #[arg(long)]
        dead: bool,
        /// Rows at most
        #[arg(long, value_name = "N", default_value = "100")]
        limit: usize,
    },
    /// Let dead letters wait again, as if never tried
    Retry(Which),
    /// Delete dead letters, or with --waiting what waits
    Drop {
        #[command(flatten)]
        which: Which,
        /// Also what has not been refused
        #[arg(long)]
        waiting: bool,
    },
}

/// Which letters.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
struct Which {
    /// By number, as listed
    #[arg(long, value_name = "N")]
    id: Vec<i64>,
    /// Of this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// All
    #[arg(long, conflicts_with_all = ["id", "destination"])]
    all: bool,
}

impl Which {
    /// For the audit log.
    fn shown(&self) -> String {
        let ids = self.id.iter().map(ToString::to_string);
        let destination = self.destination.clone();
        let parts: Vec<String> = ids.chain(destination).collect();
        if parts.is_empty() {
            return "all".to_owned();
        }
        parts.join(" ")
    }

    fn select(&self, dead: Option<bool>) -> Selection {
        Selection {
            ids: self.id.clone(),
            destination: self.destination.clone(),
            dead,
        }
    }
}

/// Runs one command.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
pub(crate) fn run(config: &OutboxConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = config.database.open().await?;
        match &config.command {
            OutboxCommand::List {
                destination,
                dead,
                limit,
            } => {
                let selection = Selection {
                    ids: Vec::new(),
                    destination: destination.clone(),
                    dead: dead.then_some(true),
                };
                list(&store, &selection, *limit).await
            }
            OutboxCommand::Retry(which) => {
                let act = audit::act(None, "outbox.retry", which.shown());
                let retrying = async { Ok(store.outbox_retry(&which.select(Some(true))).await?) };
                let count = audit::noted(&store, &act, retrying).await?;
                println!("{count} letters wait again");
                Ok(())
            }
            OutboxCommand::Drop { which, waiting } => {
                let dead = (!waiting).then_some(true);
                let waiting = if *waiting { ", also waiting" } else { "" };
                let act = audit::act(None, "outbox.drop", which.shown() + waiting);
                let dropping = async { Ok(store.outbox_drop(&which.select(dead)).await?) };
                let count = audit::noted(&store, &act, dropping).await?;
                println!("{count} letters deleted");
                Ok(())
            }
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn list(store: &Store, selection: &Selection, limit: usize) -> Result<()> {
    let mut left = limit;
    let mut after = 0;
    println!("{}", HEAD);
    while left > 0 {
        let letters = store.outbox_list(selection, after, left.min(PAGE)).await?;
        let Some(last) = letters.last() else { break };
        after = last.id;
        left -= letters.len();
        for letter in &letters {
            println!("{}", line(letter));
        }
    }
    println!();
    for level in store.outbox_levels().await? {
        println!(
            "{}: {} {}, {} bytes",
            level.destination,
            level.deliveries,
            if level.dead { "dead" } else { "waiting" },
            level.bytes
        );
    }
    Ok(())
}

const HEAD: &str =
    "      id  destination       signal     items      bytes  received          attempts  state";

fn line(letter: &Letter) -> String {
    let signal = ["traces", "logs", "metrics"]
        .get(usize::from(letter.signal))
        .unwrap_or(&"?");
    let error = letter.error.as_deref().unwrap_or_default();
    let state = match letter.dead_us {
        Some(_) => format!("dead: {error}"),
        None if error.is_empty() => "waiting".to_owned(),
        None => format!("waiting: {error}"),
    };
    format!(
        "{:>8}  {:<16}  {signal:<7}  {:>7}  {:>9}  {:<16}  {:>8}  {}",
        letter.id,
        letter.destination,
        letter.items,
        letter.bytes,
        ago(letter.received_us),
        letter.attempts,
        one_line(&state)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_destination_says_stays_in_its_line() {
        let letter = Letter {
            id: 7,
            destination: "a".to_owned(),
            signal: 0,
            items: 1,
            bytes: 2,
            received_us: 0,
            next_us: 0,
            dead_us: Some(1),
            attempts: 1,
            error: Some("HTTP 400: \u{1b}[2J\nowned\r".to_owned()),
        };
        let line = line(&letter);
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.ends_with("dead: HTTP 400:  [2J owned "), "{line:?}");
    }
}
