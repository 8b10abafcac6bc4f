//! Real databases for tests: a PostgreSQL server from the installed binaries, SQLite files.
//!
//! A server that is not installed is a panic, never a skipped test. Servers and folders go away
//! with the process, also when it is killed: a shell waits for the end of a pipe that only this
//! process holds, and cleans up.

use std::{
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{Options, Store};

/// Settings for speed; a crash of the machine may lose data, a crash of a process may not.
const FAST: &[&str] = &["fsync=off", "full_page_writes=off"];

const CLEAN_UP: &str = r#"trap '' INT TERM HUP
cat > /dev/null
[ -f "$0/data/postmaster.pid" ] && kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"
while [ -f "$0/data/postmaster.pid" ] && kill -0 "$(head -n 1 "$0/data/postmaster.pid")" 2> /dev/null; do sleep 0.05; done
rm -rf "$0""#;

/// A PostgreSQL server of its own, listening on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    janitor: Child,
    template: OnceCell<&'static str>,
}

impl Postgres {
    /// Starts a server that answers when this returns.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(FAST)
    }

    /// Starts a server with settings such as `fsync=on`.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Self {
        let folder = TempDir::with_prefix("costflame-pg-")
            .expect("a temporary folder")
            .keep();
        let janitor = Command::new("sh")
            .args(["-c", CLEAN_UP])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let server = Self {
            folder,
            port,
            settings,
            janitor,
            template: OnceCell::new(),
        };
        server.init();
        server.start_again();
        server
    }

    /// Its first process, the parent of all others.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process(&self) -> u32 {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let number = file
            .expect("the server runs")
            .lines()
            .next()
            .map(str::parse);
        number
            .and_then(Result::ok)
            .expect("the first line is a number")
    }

    /// URL of the server's first database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Creates a database with the newest schema and nothing in it, and returns its URL.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let template = self.template.get_or_init(|| self.create_template()).await;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.execute(format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .await;
        self.url_of(&name)
    }

    /// Copying a migrated database is quicker than migrating one.
    async fn create_template(&self) -> &'static str {
        let name = "migrated";
        self.execute(format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await;
        let store = Store::connect(&self.url_of(name), &Options::default())
            .await
            .expect("the schema");
        store.close().await;
        name
    }

    async fn execute(&self, sql: String) {
        let mut connection = PgConnection::connect(&self.url())
            .await
            .expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .expect("the server does as told");
    }

    /// Stops the server at once, as a crash would; connections break.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        self.pg_ctl(&["stop", "-m", "immediate"]);
    }

    /// Stops the server as an administrator does; connections are told.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn shut_down(&self) {
        self.pg_ctl(&["stop", "-m", "fast"]);
    }

    /// kill -9 of the server.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&self) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let file = file.expect("the server runs");
        let pid = file.lines().next().expect("its first line is the process");
        run(Command::new("kill").args(["-KILL", pid]));
    }

    /// Creates a database with nothing in it whose tables and indexes are in `folder`, and returns its URL.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn database_in(&self, folder: &Path) -> String {
        if am_root() {
            let (user, group) = postgres_ids();
            chown(folder, Some(user), Some(group)).expect("the folder can be given away");
        }
        let folder = folder.display();
        self.execute(format!("CREATE TABLESPACE elsewhere LOCATION '{folder}'"))
            .await;
        self.execute(
            "CREATE DATABASE elsewhere TEMPLATE template0 TABLESPACE elsewhere".to_owned(),
        )
        .await;
        self.url_of("elsewhere")
    }

    /// Starts it again on the same port with the same data; it answers when this returns.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        let mut options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories= -c max_connections=200",
            self.port
        );
        for setting in &self.settings {
            options.push_str(" -c ");
            options.push_str(setting);
        }
        let log = self.folder.join("log");
        let log = log.to_string_lossy();
        let start = ["start", "-t", "60", "-o", &options, "-l", &log];
        // After kill -9 its children hold on to its memory for a moment.
        for _ in 0..100 {
            if self.try_pg_ctl(&start) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the PostgreSQL server does not start; see {log}");
    }

    fn init(&self) {
        if am_root() {
            let (user, group) = postgres_ids();
            chown(&self.folder, Some(user), Some(group)).expect("the folder can be given away");
        }
        let options = [
            "-U",
            "costflame",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ];
        run(self.tool("initdb").args(options).arg("-D").arg(self.data()));
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        assert!(self.try_pg_ctl(arguments), "pg_ctl {arguments:?} failed");
    }

    fn try_pg_ctl(&self, arguments: &[&str]) -> bool {
        let mut command = self.tool("pg_ctl");
        command.arg("-D").arg(self.data()).arg("-w").args(arguments);
        succeeds(&mut command)
    }

    /// PostgreSQL refuses to run as root.
    fn tool(&self, name: &str) -> Command {
        let binary = server_binary(name);
        let mut command = if am_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(binary);
            command
        } else {
            Command::new(binary)
        };
        command.current_dir(&self.folder);
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://costflame@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

/// The URL of a database with nothing in it on a server that all tests of this process share.
///
/// # Panics
/// As [`Postgres::start`].
pub async fn postgres_database() -> String {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start).database().await
}

fn run(command: &mut Command) {
    assert!(succeeds(command), "{command:?} failed");
}

fn succeeds(command: &mut Command) -> bool {
    // The server keeps the pipes of pg_ctl open, so its output goes nowhere.
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let status = status.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    status.success()
}

fn server_binary(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    let found = debian_binaries(name)
        .into_iter()
        .chain(on_path)
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} was found neither in /usr/lib/postgresql/*/bin nor in PATH; install the PostgreSQL server (on Debian: apt-get install postgresql)")
    })
}

/// Debian keeps the servers of all versions beside PATH; the newest first.
fn debian_binaries(name: &str) -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir(Path::new("/usr/lib/postgresql")) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_key(|folder| {
        folder
            .file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    });
    folders
        .into_iter()
        .rev()
        .map(|folder| folder.join("bin").join(name))
        .collect()
}

fn am_root() -> bool {
    id(&["-u"]) == 0
}

fn postgres_ids() -> (u32, u32) {
    (id(&["-u", "postgres"]), id(&["-g", "postgres"]))
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id")
        .args(arguments)
        .output()
        .expect("id starts");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("there is no user for the PostgreSQL server: id {arguments:?}"))
}
