//! Who may do what with the real binary: programs by keys, people by logins, each in their project and role.

mod crossing;
mod document;
mod hosts;
mod login;
mod openid;
mod roles;
#[path = "../support/mod.rs"]
mod support;

use std::{io::Write as _, path::Path, process::Stdio};

use support::{costflame, output};

/// Runs a command that must succeed; its output.
fn run(folder: &Path, database: &str, args: &[&str]) -> String {
    let (code, out, err) = output(
        costflame(folder)
            .args(args)
            .args(["--database-url", database]),
    );
    assert_eq!(code, Some(0), "{args:?}: {err}");
    out.trim().to_owned()
}

/// Makes a key.
fn key(folder: &Path, database: &str, project: &str, scope: &str) -> String {
    let args = ["key", "create", "--project", project, "--scope", scope];
    run(folder, database, &args)
}

/// Runs a command that asks for a password: whether it succeeds, and what it says.
fn run_with_password(
    folder: &Path,
    database: &str,
    args: &[&str],
    password: &str,
) -> (bool, String) {
    let mut child = costflame(folder)
        .args(args)
        .args(["--database-url", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    writeln!(stdin, "{password}").expect("it reads");
    drop(stdin);
    let done = child.wait_with_output().expect("ends");
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Makes a user with the password `NAME's password`; without a project, of all of them.
fn user(folder: &Path, database: &str, name: &str, role: &str, project: Option<&str>) {
    let mut args = vec!["user", "create", name, "--role", role];
    match project {
        Some(project) => args.extend(["--project", project]),
        None => args.push("--all-projects"),
    }
    let (ok, said) = run_with_password(folder, database, &args, &password(name));
    assert!(ok, "{said}");
}

fn password(name: &str) -> String {
    format!("{name}'s password")
}
