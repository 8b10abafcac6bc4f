//! What the tests need beside Rust: found, or installed where that is possible, or a clear error.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, root, run};

/// Of the same release as the components in the manifest.
const OTELCOL_BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder@v0.161.0";

/// Finds or installs every tool the tests use.
pub(crate) fn ensure() -> Result<()> {
    ensure_debian(
        "postgresql",
        "Postgres server binaries (15 or newer)",
        postgres_server,
    )?;
    ensure_debian("pgbouncer", "PgBouncer", || {
        on_path("pgbouncer")
            .or_else(|| Some(PathBuf::from("/usr/sbin/pgbouncer")).filter(|file| file.exists()))
    })?;
    ensure_debian("faketime", "libfaketime", faketime)?;
    ensure_debian("chromium", "Chromium", || on_path("chromium"))?;
    ensure_debian("python3-venv", "Python 3 with venv", python_venv)?;
    ensure_debian("make", "make, by which jemalloc is built", || {
        on_path("make")
    })?;
    for (tool, hint) in [
        ("node", "Node ^20.19 or >=22.12"),
        ("npm", "npm, which comes with Node"),
    ] {
        if on_path(tool).is_none() {
            bail!("`{tool}` is missing: install {hint} from https://nodejs.org");
        }
    }
    ensure_cargo_tool("deny")?;
    ensure_cargo_tool("hack")
}

/// A Python environment with the OpenTelemetry packages that the end-to-end tests send with.
pub(crate) fn python_environment() -> Result<PathBuf> {
    let environment = root().join("target/python");
    let requirements = root().join("tests/python/requirements.txt");
    let stamp = environment.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(environment);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment))?;
    run(Command::new(environment.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&requirements))?;
    std::fs::write(stamp, wanted)?;
    Ok(environment)
}

/// The Go toolchain: its pprof reads our exports, and the Collector is built with it.
pub(crate) fn go() -> Result<PathBuf> {
    let usual = PathBuf::from("/usr/local/go/bin/go");
    on_path("go")
        .or_else(|| usual.exists().then_some(usual))
        .context("`go` is missing: install Go from https://go.dev/dl")
}

/// The OpenTelemetry Collector, built by its own builder from the manifest of the pipeline test: once, and again when the manifest changes.
pub(crate) fn otelcol(go: &Path) -> Result<()> {
    let manifest = "tests/collector/builder.yaml";
    let stamp = root().join("target/otelcol/builder.yaml");
    let wanted = std::fs::read_to_string(root().join(manifest))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    run(Command::new(go)
        .args(["run", OTELCOL_BUILDER, "--config", manifest])
        .current_dir(root()))?;
    std::fs::write(stamp, wanted)?;
    Ok(())
}

fn ensure_debian(package: &str, what: &str, find: impl Fn() -> Option<PathBuf>) -> Result<()> {
    if find().is_some() {
        return Ok(());
    }
    let apt = on_path("apt-get").filter(|_| is_root());
    if apt.is_none() {
        bail!("{what} not found: install it (on Debian: `apt-get install {package}`)");
    }
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    if find().is_none() {
        bail!("{what} not found although `{package}` is installed");
    }
    Ok(())
}

/// Finds or installs `cargo NAME`.
pub(crate) fn ensure_cargo_tool(name: &str) -> Result<()> {
    if succeeds(cargo(&[name, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    // Not optimised: it runs for seconds, and optimising it takes minutes.
    run(&mut cargo(&[
        "install", &package, "--locked", "--debug", "--quiet",
    ]))
}

fn postgres_server() -> Option<PathBuf> {
    let versioned = std::fs::read_dir("/usr/lib/postgresql").ok();
    versioned
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin/postgres"))
        .find(|path| path.exists())
        .or_else(|| on_path("postgres"))
}

fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    folders
        .flatten()
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists())
}

fn python_venv() -> Option<PathBuf> {
    let mut probe = Command::new("python3");
    probe.args(["-c", "import venv, ensurepip"]);
    if succeeds(probe) {
        on_path("python3")
    } else {
        None
    }
}

fn succeeds(mut command: Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn on_path(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(tool))
        .find(|file| file.exists())
}

fn is_root() -> bool {
    // The owner of our own /proc entry is our user, without a dependency for it.
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|entry| entry.uid() == 0)
}
