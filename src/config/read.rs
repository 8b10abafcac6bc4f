//! The file and the environment: checked for keys that nobody knows, and made the defaults of the flags.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Command;
use costflame_collector::forward::ForwardTable;

/// The file that is read when it exists in the working directory.
const DEFAULT_FILE: &str = "costflame.toml";

/// The key of destinations in it.
const FORWARD: &str = "forward";

/// Puts the file's values in as defaults of the `serve` command, checks the environment's keys, and returns the file's
/// `[[forward]]` tables.
pub(crate) fn with_file_and_environment(
    command: Command,
    named: Option<&Path>,
) -> Result<(Command, Vec<ForwardTable>)> {
    let keys = keys(&command);
    check_environment(&command)?;
    let path = match named {
        Some(path) => path.to_owned(),
        None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
        None => return Ok((command, Vec::new())),
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    let table: toml::Table = text
        .parse()
        .with_context(|| format!("{} is not valid TOML", path.display()))?;
    let mut command = command;
    let mut forward = Vec::new();
    for (key, value) in table {
        if key == FORWARD {
            forward = forward_tables(value).with_context(|| path.display().to_string())?;
            continue;
        }
        if !keys.contains(&key) || key == "config" {
            bail!(
                "{}: unknown key `{key}`; known keys are: {}, {FORWARD}",
                path.display(),
                keys.join(", ")
            );
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            other => bail!(
                "{}: `{key}` must be a text, a number or a boolean, got {}",
                path.display(),
                other.type_str()
            ),
        };
        command = with_default(command, &key, &text);
    }
    Ok((command, forward))
}

/// Reads `[[forward]]`; errors name the key and no header.
fn forward_tables(value: toml::Value) -> Result<Vec<ForwardTable>> {
    let toml::Value::Array(tables) = value else {
        bail!("`{FORWARD}` is a list: write [[{FORWARD}]]");
    };
    let mut read = Vec::new();
    for (number, table) in tables.into_iter().enumerate() {
        let key = format!("{FORWARD}[{number}]");
        let headers = table.get("headers").map(|headers| {
            headers
                .as_table()
                .is_some_and(|headers| headers.values().all(toml::Value::is_str))
        });
        if headers == Some(false) {
            bail!("{key}.headers must be a table of texts");
        }
        let table: Result<ForwardTable, _> = table.try_into();
        read.push(table.map_err(|error| anyhow!("{key}: {}", error.message()))?);
    }
    Ok(read)
}

/// The default of a key, in every command that has it: they all mean the same database and the same prices.
fn with_default(command: Command, key: &str, text: &str) -> Command {
    let has_key = command.get_arguments().any(|arg| arg.get_id() == key);
    let command = if has_key {
        let text = text.to_owned();
        command.mut_arg(key, |arg| arg.default_value(text))
    } else {
        command
    };
    command.mut_subcommands(|below| with_default(below, key, text))
}

/// Every key of the configuration, in the order of the struct.
fn keys(command: &Command) -> Vec<String> {
    let serve = command
        .find_subcommand("serve")
        .expect("serve is a command of this binary");
    serve
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .filter(|id| id != "help")
        .collect()
}

/// A misspelt variable is an error, or it would silently do nothing.
fn check_environment(command: &Command) -> Result<()> {
    let known = variables(command);
    for (name, _) in std::env::vars_os() {
        let Some(key) = name
            .to_str()
            .and_then(|name| name.strip_prefix("COSTFLAME_"))
        else {
            continue;
        };
        if !known.contains(&name) {
            bail!(
                "unknown environment variable COSTFLAME_{key}; `costflame serve --help` lists the known ones"
            );
        }
    }
    Ok(())
}

/// Every variable that some command reads.
fn variables(command: &Command) -> Vec<OsString> {
    let own = command.get_arguments().filter_map(|arg| arg.get_env());
    let below = command.get_subcommands().flat_map(variables);
    own.map(ToOwned::to_owned).chain(below).collect()
}
