//! `costflame audit …`, and what other commands write down there.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use costflame_store::{Act, AuditLine, DONE, Store};
use serde_json::json;

use crate::{
    database::{Database, now_us},
    terminal::{ago, one_line},
};

/// Lines read at a time.
const PAGE: usize = 1_000;

/// What to do, and with which database.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditConfig {
    #[command(subcommand)]
    command: AuditCommand,

    #[command(flatten)]
    database: Database,
}

#[derive(Clone, Debug, Subcommand)]
enum AuditCommand {
    /// Show who did what, the newest first
    List {
        /// Lines at most
        #[arg(long, value_name = "N", default_value = "100")]
        limit: usize,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
}

/// Runs one command.
pub(crate) fn run(config: &AuditConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let store = config.database.open().await?;
        let AuditCommand::List { limit, json } = config.command;
        list(&store, limit, json).await
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn list(store: &Store, limit: usize, json: bool) -> Result<()> {
    let projects = store.projects().await?;
    let (mut left, mut before) = (limit, None);
    while left > 0 {
        let lines = store.audit(None, before, left.min(PAGE)).await?;
        let Some(last) = lines.last() else { break };
        (left, before) = (left - lines.len(), Some(last.id));
        for line in &lines {
            let project = line.project.map(|id| {
                let project = projects.iter().find(|project| project.id == id);
                project.map_or_else(|| id.to_string(), |project| project.name.clone())
            });
            if json {
                println!("{}", as_json(line, project.as_deref()));
            } else {
                println!("{}", as_text(line, project.as_deref()));
            }
        }
    }
    Ok(())
}

fn as_json(line: &AuditLine, project: Option<&str>) -> serde_json::Value {
    json!({
        "at_us": line.at_us, "actor": line.actor, "peer": line.peer, "project": project,
        "act": line.act, "target": line.target, "result": line.result,
    })
}

fn as_text(line: &AuditLine, project: Option<&str>) -> String {
    let text = format!(
        "{:<22}  {:<20}  {:<20}  {:<12}  {:<18}  {}: {}",
        ago(line.at_us),
        line.actor,
        line.peer,
        project.unwrap_or("*"),
        line.act,
        line.target,
        line.result
    );
    one_line(&text)
}

/// What is about to be done on the command line.
pub(crate) fn act(project: Option<i32>, act: &'static str, target: impl Into<String>) -> Act {
    let unknown = |_| "unknown".to_owned();
    Act {
        at_us: now_us(),
        actor: format!("cli {}", whoami::username().unwrap_or_else(unknown)),
        peer: whoami::hostname().unwrap_or_else(unknown),
        project,
        act,
        target: target.into(),
    }
}

/// Does something and writes down what came of it.
pub(crate) async fn noted<T>(
    store: &Store,
    act: &Act,
    doing: impl Future<Output = Result<T>>,
) -> Result<T> {
    let done = doing.await;
    let result = if done.is_ok() { DONE } else { "failed" };
    let written = store.note(act, result).await;
    let done = done?;
    written.context("it is done, and could not be written down in the audit log")?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_typed_stays_in_its_line() {
        let line = AuditLine {
            id: 1,
            at_us: 0,
            actor: "user a\u{1b}[2J".to_owned(),
            peer: "::1".to_owned(),
            project: None,
            act: "login".to_owned(),
            target: "a\nb".to_owned(),
            result: DONE.to_owned(),
        };
        let text = as_text(&line, None);
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.ends_with("a b: done"), "{text:?}");
    }
}
