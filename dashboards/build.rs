//! Builds the web UI into `OUT_DIR/ui`, where `assets` embeds it.
//!
//! npm works in `web`, where a developer's own npm works too; a lock keeps several cargo builds
//! apart. Without the feature `ui` nothing of this happens and Node is not needed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// What the pages are made of, in `web`.
const SOURCES: [&str; 8] = [
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "src",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];

/// In `node_modules`: the package-lock.json it was installed from.
const INSTALLED: &str = ".installed-package-lock.json";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_UI").is_none() {
        return ExitCode::SUCCESS;
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed=web/{source}");
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            for line in reason.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let web = folder("CARGO_MANIFEST_DIR")?.join("web");
    let out = folder("OUT_DIR")?.join("ui");
    let locked =
        fs::File::open(web.join("package-lock.json")).and_then(|file| file.lock().map(|()| file));
    let _locked =
        locked.map_err(|error| format!("cannot lock dashboards/web/package-lock.json: {error}"))?;
    install(&web)?;
    let out = out.to_str().ok_or("the path of OUT_DIR is not UTF-8")?;
    npm(
        &web,
        &["run", "build", "--", "--outDir", out, "--emptyOutDir"],
    )
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo did not set {variable}"))
}

/// Installs what package-lock.json names, unless that was done already.
fn install(web: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let wanted = read(&web.join("package-lock.json"))?;
    let installed = web.join("node_modules").join(INSTALLED);
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    npm(web, &["ci", "--no-audit", "--no-fund"])?;
    fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), String> {
    const WITHOUT: &str = "or build without it, the API alone: --no-default-features";
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(web)
        .output();
    let output = output.map_err(|error| {
        format!(
            "the web UI is built by npm, which does not start ({error})\n\
             install Node.js (^20.19 or >=22.12, https://nodejs.org), {WITHOUT}"
        )
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let command = arguments.join(" ");
    Err(format!(
        "npm {command} failed in dashboards/web; mend that, {WITHOUT}\n{}",
        said.join("\n")
    ))
}
