//! `costflame key …`: what programs show to be let in.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use costflame_access::key;
use costflame_store::{ApiKey, KeyScope, Store};

use crate::{
    audit::act,
    database::{Database, now_us},
    project::InProject,
    terminal::{ago, one_line},
};

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyConfig {
    #[command(subcommand)]
    command: KeyCommand,

    #[command(flatten)]
    database: Database,
}

#[derive(Clone, Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it, this once
    Create {
        #[command(flatten)]
        project: InProject,
        /// What it allows
        #[arg(long, value_name = "SCOPE")]
        scope: Scope,
        /// What it is for, shown in the list
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
    },
    /// Show all keys, without what opens
    List,
    /// End a key for ever; running servers follow within seconds
    Revoke {
        /// As listed
        id: String,
    },
}

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// Sending telemetry to the project
    Ingest,
    /// Reading everything of the project
    Read,
    /// Reading /metrics, which is of all projects
    Metrics,
}

impl From<Scope> for KeyScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Ingest => Self::Ingest,
            Scope::Read => Self::Read,
            Scope::Metrics => Self::Metrics,
        }
    }
}

/// Runs one command.
pub(crate) fn run(config: &KeyConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = config.database.open().await?;
        match &config.command {
            KeyCommand::Create {
                project,
                scope,
                label,
            } => create(&store, project.id(&store).await?, (*scope).into(), label).await,
            KeyCommand::List => list(&store).await,
            KeyCommand::Revoke { id } => revoke(&store, id).await,
        }
    })
}

/// Prints the key alone, for scripts.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn create(store: &Store, project: i32, scope: KeyScope, label: &str) -> Result<()> {
    let (text, row) = key::create(project, scope, label, now_us());
    // One for counters is of all projects.
    let realm = (scope != KeyScope::Metrics).then_some(project);
    let target = format!("{} {}", scope.name(), row.id);
    let act = act(realm, "key.create", target);
    store.put_key(&row, &act).await?;
    println!("{text}");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn list(store: &Store) -> Result<()> {
    let projects = store.projects().await?;
    println!(
        "{:<16}  {:<7}  {:<16}  {:<24}  state",
        "id", "scope", "project", "last used"
    );
    for key in store.api_keys().await? {
        let project = projects.iter().find(|project| project.id == key.project);
        let project = project.map_or("?", |project| &project.name);
        println!(
            "{:<16}  {:<7}  {project:<16}  {:<24}  {}",
            key.id,
            key.scope.name(),
            key.used_us.map_or_else(|| "never".to_owned(), ago),
            state(&key)
        );
    }
    Ok(())
}

fn state(key: &ApiKey) -> String {
    let state = match key.revoked_us {
        Some(revoked) => format!("revoked {}", ago(revoked)),
        None => format!("created {}", ago(key.created_us)),
    };
    match &*key.label {
        "" => state,
        label => format!("{state}: {}", one_line(label)),
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn revoke(store: &Store, id: &str) -> Result<()> {
    let keys = store.api_keys().await?;
    let key = keys.into_iter().find(|key| key.id == id);
    let realm = key.filter(|key| key.scope != KeyScope::Metrics);
    let realm = realm.map(|key| key.project);
    let act = act(realm, "key.revoke", id);
    if !store.revoke_key(id, &act).await? {
        bail!("no valid key has the id `{id}`; `costflame key list` shows them");
    }
    println!("key {id} revoked");
    Ok(())
}
