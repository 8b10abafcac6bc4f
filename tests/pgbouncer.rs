//! Scenario: two collectors reach Postgres through PgBouncer in transaction mode, with fewer server connections than
//! they hold themselves; one of them is stopped and started again.
//! Guarantee: what arrives is settled, counted once and answered as without it; migrations go straight to Postgres.

mod support;

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command},
    time::Instant,
};

use costflame_bench::load::Body;
use costflame_store::{Options, Store, testing::Postgres};
use support::{Addresses, PATIENCE, Server, wait_until};

const TRACES: u64 = 40;

/// A running PgBouncer. Dropping it kills it.
struct PgBouncer {
    child: Child,
    port: u16,
}

impl PgBouncer {
    /// In transaction mode, with three connections to the server on `port`, taken in turn: what is no transaction loses its
    /// connection in the middle.
    fn start(folder: &Path, port: &str) -> Self {
        let listen = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listen_port = listen.local_addr().expect("bound").port();
        drop(listen);
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={port} user=costflame\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {listen_port}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n\
             server_round_robin = 1\nignore_startup_parameters = extra_float_digits\nunix_socket_dir =\n"
        );
        let file = folder.join("pgbouncer.ini");
        fs::write(&file, settings).expect("writable");
        // It refuses to run as root, and must be able to read its file then. What starts it becomes it, so that killing it ends it.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("ours");
        let mut command =
            match fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)) {
                Ok(0) => {
                    let mut command = Command::new("setpriv");
                    command.args([
                        "--reuid=postgres",
                        "--regid=postgres",
                        "--init-groups",
                        "pgbouncer",
                    ]);
                    command
                }
                _ => Command::new("pgbouncer"),
            };
        let child = command
            .arg("-q")
            .arg(&file)
            .spawn()
            .expect("PgBouncer is installed");
        wait_until("PgBouncer listens", || {
            TcpStream::connect(("127.0.0.1", listen_port)).ok()
        });
        Self {
            child,
            port: listen_port,
        }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn send(to: &Server, body: &Body, round: u64) {
    let request = reqwest::Client::new().post(format!("{}/v1/traces", to.http));
    let request = request.header("content-type", "application/x-protobuf");
    let response = request
        .body(body.stamped(round))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
}

async fn summary(server: &Server) -> serde_json::Value {
    let question = "summary?from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z";
    let answer = reqwest::get(format!("{}/api/v1/{question}", server.api)).await;
    let body = answer.expect("an answer").bytes().await.expect("whole");
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn transaction_pooling_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let postgres = Postgres::start();
    let direct = postgres.url();
    let port = direct
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.split('/').next());
    let port = port.expect("the URL names a port");
    let bouncer = PgBouncer::start(folder.path(), port);
    let pooled = direct.replace(&format!(":{port}/"), &format!(":{}/", bouncer.port));
    assert_ne!(pooled, direct);

    let flags = ["--settle-after", "100ms", "--database-direct-url", &direct];
    let start = || Server::start_with(folder.path(), &pooled, &Addresses::free(), &flags);
    let (one, other) = (start(), start());
    let body = Body::new(7, TRACES, 1_795_388_725_000_000_000);
    for round in 1..=5 {
        send(&one, &body, round).await;
        send(&other, &body, 100 + round).await;
    }
    assert!(one.terminate().success());
    let one = start();
    send(&one, &body, 6).await;

    let store = Store::connect(&direct, &Options::default())
        .await
        .expect("the database");
    let start = Instant::now();
    loop {
        let status = store.status().await.expect("a status");
        if status.pending_traces == 0 && status.unfolded == 0 {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "not settled: {status:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let answer = summary(&one).await;
    assert_eq!(answer["traces"], 11 * TRACES);
    assert_eq!(summary(&other).await, answer);
    assert!(one.terminate().success() && other.terminate().success());
    let verified = store.verify().await.expect("a check");
    assert_eq!(verified.differences, []);
    assert_eq!(verified.traces, 11 * TRACES);
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert!(
        !log.contains("ERROR") && !log.contains("prepared statement"),
        "{log}"
    );
}
