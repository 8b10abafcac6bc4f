//! `cargo xtask audit`: known vulnerabilities of what is depended on, where their databases answer.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    run::{self, cargo, root},
    tools,
};

/// Folders with a lock file of npm.
const NPM: [&str; 3] = ["dashboards/web", "examples/vercel-ai-sdk", "tests/openid"];

/// What could not be looked up, because nobody answered. Not the same as nothing found.
#[must_use]
pub(crate) struct Unchecked(Vec<String>);

impl Unchecked {
    /// Says so, loudly.
    #[expect(clippy::print_stderr, reason = "a task talks to a terminal")]
    pub(crate) fn tell(&self) {
        for what in &self.0 {
            eprintln!("==> NOT CHECKED for known vulnerabilities: {what}");
        }
    }
}

/// Looks everything up; a vulnerability that is found is an error.
pub(crate) fn run() -> Result<Unchecked> {
    tools::ensure_cargo_tool("deny")?;
    let mut unchecked = Vec::new();
    // Fetching first tells a database that does not answer from one that knows something.
    match run::run(&mut cargo(&["deny", "--log-level", "error", "fetch", "db"])) {
        Ok(()) => run::run(&mut cargo(&["deny", "check", "advisories"]))?,
        Err(error) => unchecked.push(format!("Rust crates ({error:#})")),
    }
    for folder in NPM {
        if let Some(why) = npm(folder)? {
            unchecked.push(format!("{folder} ({why})"));
        }
    }
    let unchecked = Unchecked(unchecked);
    unchecked.tell();
    Ok(unchecked)
}

/// Why the registry did not answer; an error if it knows a vulnerability.
fn npm(folder: &str) -> Result<Option<String>> {
    let output = Command::new("npm")
        .args([
            "audit",
            "--json",
            "--fetch-retries=1",
            "--fetch-timeout=20000",
        ])
        .current_dir(root().join(folder))
        .output()
        .context("cannot start npm")?;
    let text = String::from_utf8_lossy(&output.stdout);
    read_answer(&text).map_err(|found| anyhow::anyhow!("{folder}: {found}"))
}

/// Reads what `npm audit --json` wrote.
fn read_answer(text: &str) -> Result<Option<String>> {
    let Ok(answer) = serde_json::from_str::<Value>(text) else {
        return Ok(Some("no answer".to_owned()));
    };
    let Some(total) = answer["metadata"]["vulnerabilities"]["total"].as_u64() else {
        let why = answer["message"].as_str().unwrap_or("no answer");
        return Ok(Some(why.to_owned()));
    };
    if total == 0 {
        return Ok(None);
    }
    let names = answer["vulnerabilities"].as_object().into_iter().flatten();
    let names: Vec<_> = names
        .map(|(name, what)| format!("{name} ({})", what["severity"].as_str().unwrap_or("?")))
        .collect();
    bail!("{total} vulnerabilities: {}", names.join(", "));
}

#[cfg(test)]
mod tests {
    use super::read_answer;

    #[test]
    fn nobody_answering_is_not_nothing_found() {
        let found = |text: &str| read_answer(text).map_err(|error| error.to_string());
        let clean = r#"{"vulnerabilities":{},"metadata":{"vulnerabilities":{"total":0}}}"#;
        assert_eq!(found(clean), Ok(None));
        let bad = r#"{"vulnerabilities":{"left-pad":{"severity":"high"}},"metadata":{"vulnerabilities":{"total":1}}}"#;
        assert_eq!(
            found(bad),
            Err("1 vulnerabilities: left-pad (high)".to_owned())
        );
        let down = r#"{"message":"405 Method Not Allowed","error":{"summary":""}}"#;
        assert_eq!(found(down), Ok(Some("405 Method Not Allowed".to_owned())));
        assert_eq!(found(""), Ok(Some("no answer".to_owned())));
    }
}
