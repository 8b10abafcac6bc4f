//! `costflame project …`: tenants.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use costflame_store::{DEFAULT_PROJECT, Project, Store};

use crate::{
    audit::{self, act},
    database::{Database, now_us},
    terminal::ago,
};

/// Longest time after which running servers know that a key has ended: two rounds of looking, and a slow answer.
const KEYS_ARE_KNOWN: Duration = Duration::from_secs(5);

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectConfig {
    #[command(subcommand)]
    command: ProjectCommand,

    #[command(flatten)]
    database: Database,
}

#[derive(Clone, Debug, Subcommand)]
enum ProjectCommand {
    /// Make a project; `costflame key create` makes keys for it
    Create {
        /// 1 to 64 letters, digits, `-`, `_` or `.`
        #[arg(value_parser = name)]
        name: String,
    },
    /// Show all projects
    List,
    /// Delete a project for ever: keys, traces, calls, sums, and what waits to be forwarded
    Delete {
        /// Its name
        name: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
}

/// The project that a command is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct InProject {
    /// The project it is about
    #[arg(long, value_name = "NAME", default_value = "default")]
    project: String,
}

impl InProject {
    /// The project's id.
    pub(crate) async fn id(&self, store: &Store) -> Result<i32> {
        let projects = store.projects().await?;
        let found = projects
            .into_iter()
            .find(|project| project.name == self.project);
        let missing = || {
            format!(
                "there is no project `{}`; `costflame project list` shows them",
                self.project
            )
        };
        Ok(found.with_context(missing)?.id)
    }
}

/// Runs one command.
pub(crate) fn run(config: &ProjectConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = config.database.open().await?;
        match &config.command {
            ProjectCommand::Create { name } => create(&store, name).await,
            ProjectCommand::List => list(&store).await,
            ProjectCommand::Delete { name, yes } => delete(&store, name, *yes).await,
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn create(store: &Store, name: &str) -> Result<()> {
    let act = act(None, "project.create", name);
    if store.create_project(name, &act).await?.is_none() {
        bail!("there is a project `{name}` already");
    }
    println!("project {name} created");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn list(store: &Store) -> Result<()> {
    for project in store.projects().await? {
        match project.created_us {
            0 => println!("{}", project.name),
            created => println!("{}  created {}", project.name, ago(created)),
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn delete(store: &Store, name: &str, really: bool) -> Result<()> {
    let project = InProject {
        project: name.to_owned(),
    };
    let project = project.id(store).await?;
    if project == DEFAULT_PROJECT {
        bail!("the project `default` stays; delete its traces, or the database");
    }
    if !really {
        bail!("this deletes everything of `{name}` for ever; say --yes");
    }
    let act = act(Some(project), "project.delete", name);
    let rows = audit::noted(store, &act, erase(store, project)).await?;
    println!("project {name} deleted, {rows} rows");
    Ok(())
}

async fn erase(store: &Store, project: i32) -> Result<u64> {
    if store.revoke_keys_of(project, now_us()).await? > 0 {
        // Running servers let its programs in for that long.
        tokio::time::sleep(KEYS_ARE_KNOWN).await;
    }
    let mut rows = 0;
    loop {
        match store.delete_project(project, now_us()).await? {
            0 => return Ok(rows),
            some => rows += some,
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    if !Project::is_name(text) {
        return Err(Project::NAMES.to_owned());
    }
    Ok(text.to_owned())
}
