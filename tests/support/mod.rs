//! The real binary, started and stopped by tests.

#![allow(
    dead_code,
    reason = "every test binary uses its own part of the harness"
)]

pub(crate) mod api;
pub(crate) mod clients;
pub(crate) mod provider;

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A command that sees none of this machine's own settings.
pub(crate) fn costflame(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_costflame"));
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COSTFLAME_") {
            command.env_remove(name);
        }
    }
    command
}

/// Three addresses that were free a moment ago, so that a restarted server can be found again.
pub(crate) struct Addresses {
    pub(crate) grpc: String,
    pub(crate) http: String,
    pub(crate) api: String,
}

impl Addresses {
    pub(crate) fn free() -> Self {
        // Held together, so that the three differ.
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [grpc, http, api] = listeners
            .each_ref()
            .map(|listener| listener.local_addr().expect("bound").to_string());
        Self { grpc, http, api }
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    /// What it printed until it was ready.
    pub(crate) banner: String,
    pub(crate) grpc: String,
    pub(crate) http: String,
    pub(crate) api: String,
}

impl Server {
    /// Starts `costflame serve` on free ports.
    pub(crate) fn start(folder: &Path, database_url: &str) -> Self {
        Self::start_with(folder, database_url, &Addresses::free(), &[])
    }

    /// Starts it on given addresses with more flags.
    pub(crate) fn start_with(
        folder: &Path,
        database_url: &str,
        at: &Addresses,
        flags: &[&str],
    ) -> Self {
        Self::start_as(costflame(folder), folder, database_url, at, flags)
    }

    /// Starts it by a command of its own: another binary, another environment.
    pub(crate) fn start_as(
        mut command: Command,
        folder: &Path,
        database_url: &str,
        at: &Addresses,
        flags: &[&str],
    ) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .expect("a log");
        let mut child = command
            .args([
                "serve",
                "--otlp-grpc-addr",
                &at.grpc,
                "--otlp-http-addr",
                &at.http,
                "--http-addr",
                &at.api,
            ])
            .args(["--database-url", database_url])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut banner = String::new();
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).expect("readable") == 0 {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!("the server ended before it was ready:\n{banner}\n{log}");
            }
            banner.push_str(&line);
            if line.contains("OTEL_EXPORTER_OTLP_ENDPOINT") {
                break;
            }
        }
        Self {
            child,
            _stdout: stdout,
            banner,
            grpc: format!("http://{}", at.grpc),
            http: format!("http://{}", at.http),
            api: format!("http://{}", at.api),
        }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it is gone");
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM.
    pub(crate) fn send_term(&self) {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for the end after SIGTERM.
    pub(crate) fn wait(mut self) -> ExitStatus {
        wait_until("the server has ended", || {
            self.child.try_wait().expect("a child of ours")
        })
    }

    /// SIGTERM, then waits.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.send_term();
        self.wait()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        memory_line(self.child.id(), "VmRSS:")
    }

    /// The highest resident memory so far in bytes.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        memory_line(self.child.id(), "VmHWM:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after kill or wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn memory_line(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find(|line| line.starts_with(key))
        .expect("Linux says so");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    kib * 1024
}

/// Runs a command that should end by itself: exit code, standard output, standard error.
pub(crate) fn output(command: &mut Command) -> (Option<i32>, String, String) {
    // Without a terminal at any of the three, whose width would wrap the help.
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let status = wait_until("the command has ended", || {
        child.try_wait().expect("a child of ours")
    });
    let text = |pipe: &mut dyn Read| {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("UTF-8");
        text
    };
    let (mut out, mut err) = (
        child.stdout.take().expect("piped"),
        child.stderr.take().expect("piped"),
    );
    (status.code(), text(&mut out), text(&mut err))
}

/// Polls until there is a value; panics when patience ends.
pub(crate) fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
