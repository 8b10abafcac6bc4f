//! `costflame user …`: who logs in with a password.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use costflame_access::password;
use costflame_store::{Role, Store, User};

use crate::{
    audit::act,
    database::{Database, now_us},
    terminal::ago,
};

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct UserConfig {
    #[command(subcommand)]
    command: UserCommand,

    #[command(flatten)]
    database: Database,
}

#[derive(Clone, Debug, Subcommand)]
enum UserCommand {
    /// Make a user; the password is asked for, or read from standard input
    Create {
        /// 1 to 64 letters, digits, `-`, `_`, `.`, `@` or `+`
        #[arg(value_parser = name)]
        name: String,
        #[command(flatten)]
        rights: Rights,
    },
    /// Show all users
    List,
    /// Give a user another password, which ends their sessions
    SetPassword {
        /// As listed
        name: String,
    },
    /// Give a user another role or project
    SetRole {
        /// As listed
        name: String,
        #[command(flatten)]
        rights: Rights,
    },
    /// Remove a user, which ends their sessions
    Remove {
        /// As listed
        name: String,
    },
}

/// What a user may do, and where.
#[derive(Clone, Debug, Args)]
struct Rights {
    /// What they may do
    #[arg(long, value_name = "ROLE")]
    role: RoleName,
    /// The project they are confined to
    #[arg(long, value_name = "NAME", conflicts_with = "all_projects")]
    project: Option<String>,
    /// They may enter all projects
    #[arg(long, required_unless_present = "project")]
    all_projects: bool,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Reading
    Viewer,
    /// Keeping views for others, too
    Editor,
    /// Looking after users, keys and projects, too
    Admin,
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Viewer => Self::Viewer,
            RoleName::Editor => Self::Editor,
            RoleName::Admin => Self::Admin,
        }
    }
}

impl Rights {
    /// The project they name; `None` = all.
    async fn project(&self, store: &Store) -> Result<Option<i32>> {
        let Some(name) = &self.project else {
            return Ok(None);
        };
        let projects = store.projects().await?;
        let found = projects.into_iter().find(|project| project.name == *name);
        let missing =
            || format!("there is no project `{name}`; `costflame project list` shows them");
        Ok(Some(found.with_context(missing)?.id))
    }
}

/// Runs one command.
pub(crate) fn run(config: &UserConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = config.database.open().await?;
        match &config.command {
            UserCommand::Create { name, rights } => create(&store, name, rights).await,
            UserCommand::List => list(&store).await,
            UserCommand::SetPassword { name } => set_password(&store, name).await,
            UserCommand::SetRole { name, rights } => set_role(&store, name, rights).await,
            UserCommand::Remove { name } => remove(&store, name).await,
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn create(store: &Store, name: &str, rights: &Rights) -> Result<()> {
    let project = rights.project(store).await?;
    if store.user(name).await?.is_some() {
        bail!("there is a user `{name}` already");
    }
    let user = User {
        name: name.to_owned(),
        password: new_password()?,
        role: rights.role.into(),
        project,
        created_us: now_us(),
    };
    let act = act(project, "user.create", name);
    if !store.create_user(&user, &act).await? {
        bail!("there is a user `{name}` already");
    }
    println!("user {name} created");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn list(store: &Store) -> Result<()> {
    let projects = store.projects().await?;
    println!("{:<24}  {:<6}  {:<16}  created", "name", "role", "project");
    for user in store.users().await? {
        let project = match user.project {
            None => "(all)",
            Some(id) => projects
                .iter()
                .find(|project| project.id == id)
                .map_or("?", |project| &project.name),
        };
        println!(
            "{:<24}  {:<6}  {project:<16}  {}",
            user.name,
            user.role.name(),
            ago(user.created_us)
        );
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn set_password(store: &Store, name: &str) -> Result<()> {
    let user = existing(store, name).await?;
    let act = act(user.project, "user.set-password", name);
    let hash = new_password()?;
    if !store.set_password(name, &hash, None, &act).await? {
        return Err(missing(name));
    }
    println!("user {name} has another password, and no session");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn set_role(store: &Store, name: &str, rights: &Rights) -> Result<()> {
    let user = existing(store, name).await?;
    let project = rights.project(store).await?;
    let act = act(user.project, "user.set-role", name);
    let role = rights.role.into();
    if !store.set_role(name, role, project, &act).await? {
        return Err(missing(name));
    }
    println!("user {name} is {} now", role.name());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn remove(store: &Store, name: &str) -> Result<()> {
    let user = existing(store, name).await?;
    let act = act(user.project, "user.remove", name);
    if !store.remove_user(name, &act).await? {
        return Err(missing(name));
    }
    println!("user {name} removed");
    Ok(())
}

async fn existing(store: &Store, name: &str) -> Result<User> {
    store.user(name).await?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> anyhow::Error {
    anyhow::anyhow!("there is no user `{name}`; `costflame user list` shows them")
}

/// Asks for a password twice, or reads one line of standard input; never from an argument, which others see.
fn new_password() -> Result<String> {
    let password = if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("password: ").context("no password")?;
        if rpassword::prompt_password("again: ").context("no password")? != password {
            bail!("the two passwords differ");
        }
        password
    } else {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.context("no password on standard input")?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    };
    Ok(password::new_hash(&password)?)
}

fn name(text: &str) -> Result<String, String> {
    if !password::is_user_name(text) {
        return Err(password::USER_NAMES.to_owned());
    }
    Ok(text.to_owned())
}
