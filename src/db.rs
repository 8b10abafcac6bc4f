//! `costflame db …`: looking after the database.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use costflame_collector::forward::{Doomed, Left};
use costflame_profile::TraceId;
use costflame_store::{Status, Store, Verified, query};

use crate::{
    audit,
    database::{Database, now_us},
    project::InProject,
};

/// Traces deleted in one transaction.
const TRACES: usize = 200;

/// Requests of the outbox read at once; each may be as large as a request can be.
const REQUESTS: usize = 4;

/// Differences that are printed one by one.
const SHOWN: usize = 50;

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct DbConfig {
    #[command(subcommand)]
    command: DbCommand,

    #[command(flatten)]
    database: Database,
}

#[derive(Clone, Debug, Subcommand)]
enum DbCommand {
    /// Recompute calls, traces, claims and rollups from their sources and report every difference
    Verify,
    /// Show what waits to be settled and folded, and who settles
    Status,
    /// Copy a SQLite database to a new file while costflame goes on
    Backup {
        /// The file to write; must not exist
        file: String,
    },
    /// Delete traces, or all traces of a user, with their calls, what they add to every sum, and what waits to be forwarded
    Delete {
        /// Trace ids, 32 hex digits
        #[arg(long, value_name = "ID", required_unless_present = "user", value_parser = trace_id)]
        trace: Vec<TraceId>,
        /// A user id, as it is shown
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        #[command(flatten)]
        project: InProject,
    },
    /// Spread the tables over the servers of a Citus cluster; nobody else can write meanwhile
    Distribute {
        /// Print the statements instead
        #[arg(long)]
        dry_run: bool,
    },
    /// Let a role of Postgres, created if missing, read the views `call_costs`, `daily_costs` and `trace_costs`
    Reader {
        /// Name of the role
        role: String,
    },
}

/// Runs one command.
pub(crate) fn run(config: &DbConfig) -> Result<()> {
    if let DbCommand::Distribute { dry_run: true } = config.command {
        print_statements(&Store::distribute_statements());
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = config.database.open().await?;
        match &config.command {
            DbCommand::Verify => report(&store.verify().await?),
            DbCommand::Status => {
                show(&store.status().await?);
                Ok(())
            }
            DbCommand::Backup { file } => Ok(store.backup(file).await?),
            DbCommand::Delete {
                trace,
                user,
                project,
            } => {
                let project = project.id(&store).await?;
                // Who is to be forgotten is not remembered here.
                let whose = if user.is_some() { ", a user" } else { "" };
                let target = format!("{} traces{whose}", trace.len());
                let act = audit::act(Some(project), "db.delete", target);
                let deleting = delete(&store, project, trace, user.as_deref());
                audit::noted(&store, &act, deleting).await
            }
            DbCommand::Reader { role } => {
                let act = audit::act(None, "db.reader", &**role);
                let adding = async { Ok(store.add_reader(role).await?) };
                audit::noted(&store, &act, adding).await
            }
            DbCommand::Distribute { .. } => {
                let act = audit::act(None, "db.distribute", "");
                let distributing = async { Ok(store.distribute().await?) };
                print_statements(&audit::noted(&store, &act, distributing).await?);
                Ok(())
            }
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn print_statements(statements: &[String]) {
    for sql in statements {
        println!("{sql};");
    }
}

fn trace_id(text: &str) -> Result<TraceId, String> {
    let id = u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| text.len() == 32);
    id.map(|id| TraceId(id.to_be_bytes()))
        .ok_or_else(|| "a trace id has 32 hex digits".to_owned())
}

/// Deletes what is asked for and says how much it was: first where it waits to be forwarded, since its traces tell what to look for.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn delete(store: &Store, project: i32, traces: &[TraceId], user: Option<&str>) -> Result<()> {
    let now = now_us();
    let of_user = match user {
        Some(user) => {
            let mut snapshot = store.snapshot().await?;
            query::traces_of_user(&mut snapshot, project, user, usize::MAX).await?
        }
        None => Vec::new(),
    };
    let doomed = Doomed {
        traces: traces.iter().chain(&of_user).copied().collect(),
        user: user.map(str::to_owned),
    };
    let why = if user.is_some() { "user" } else { "trace" };
    let cut = cut(store, project, &doomed, why).await?;
    let mut gone = (0, 0);
    for (some, why) in [(traces, "trace"), (&of_user, "user")] {
        for some in some.chunks(TRACES) {
            let forgotten = store.forget(project, some, why, now).await?;
            gone = (gone.0 + forgotten.traces, gone.1 + forgotten.calls);
        }
    }
    println!(
        "{} traces and {} calls deleted, {cut} spans and log records cut out of what waits to be forwarded",
        gone.0, gone.1
    );
    Ok(())
}

/// Cuts out of every request that waits to be forwarded, or was refused; returns how many spans and log records.
async fn cut(store: &Store, project: i32, doomed: &Doomed, why: &str) -> Result<u64> {
    let (mut cut, mut after) = (0, 0);
    loop {
        let requests = store.outbox_requests(project, after, REQUESTS).await?;
        let Some(last) = requests.last() else { break };
        after = last.outbox_id;
        for request in requests {
            match doomed.cut(&request)? {
                Left::Everything => {}
                Left::Some(left, items) => {
                    store.outbox_rewrite(&left).await?;
                    cut += items;
                }
                Left::Nothing(items) => {
                    store.outbox_remove(request.outbox_id).await?;
                    cut += items;
                }
            }
        }
    }
    if cut > 0 {
        store.note_cut(why, cut, now_us()).await?;
    }
    Ok(cut)
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
