//! Scenario: the server is killed with SIGKILL at random points while clients send and retry.
//! Guarantee: every span that was acknowledged is in the database, settled once, and nothing differs from its sources.

#![expect(
    clippy::print_stdout,
    reason = "many rounds take long and should be seen to go on"
)]

mod support;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use costflame_bench::load::{Body, CALLS_PER_TRACE, SPANS_PER_TRACE};
use costflame_profile::TraceId;
use costflame_store::{Options, Store, TraceKey, testing::Postgres};
use rand::{Rng, SeedableRng, rngs::StdRng};
use support::{Addresses, Server};

const CLIENTS: usize = 4;
const TRACES_PER_REQUEST: u64 = 5;
const PROJECT: i32 = 1;

/// Rounds on each database: 10 in every test run, more when asked for.
fn rounds() -> u32 {
    std::env::var("CRASH_ROUNDS").map_or(10, |text| text.parse().expect("CRASH_ROUNDS is a number"))
}

/// Clients that send request after request and repeat each until it is acknowledged.
struct Clients {
    acknowledged: Arc<Mutex<Vec<u64>>>,
    done: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Clients {
    fn start(url: &str, body: &Arc<Body>) -> Self {
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(1));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        let tasks = (0..CLIENTS).map(|_| {
            let (client, url, body) =
                (client.clone(), format!("{url}/v1/traces"), Arc::clone(body));
            let (acknowledged, done, next) = (
                Arc::clone(&acknowledged),
                Arc::clone(&done),
                Arc::clone(&next),
            );
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    send_until_acknowledged(&client, &url, &body, round).await;
                    acknowledged.lock().expect("no panic").push(round);
                }
            })
        });
        Self {
            acknowledged: Arc::clone(&acknowledged),
            done: Arc::clone(&done),
            tasks: tasks.collect(),
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("no panic").len()
    }

    async fn finish(self) -> Vec<u64> {
        self.done.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a client panicked");
        }
        std::mem::take(&mut *self.acknowledged.lock().expect("no panic"))
    }
}

async fn send_until_acknowledged(client: &reqwest::Client, url: &str, body: &Body, round: u64) {
    loop {
        let request = client
            .post(url)
            .header("content-type", "application/x-protobuf")
            .body(body.stamped(round));
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) => {
                let status = answer.status().as_u16();
                assert!(
                    matches!(status, 429 | 502..=504),
                    "a retrying client would drop the data: {status}"
                );
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn crash_rounds(folder: &Path, database_url: &str) {
    let body = Arc::new(Body::new(1, TRACES_PER_REQUEST, 1_795_388_725_000_000_000));
    let addresses = Addresses::free();
    let clients = Clients::start(&format!("http://{}", addresses.http), &body);
    let mut random = StdRng::seed_from_u64(2);
    for round in 0..rounds() {
        let before = clients.count();
        let server = Server::start_with(
            folder,
            database_url,
            &addresses,
            &["--settle-after", "100ms"],
        );
        // Killed at a random moment, but not before something was acknowledged, or nothing would be tested.
        support::wait_until("something is acknowledged", || {
            (clients.count() > before).then_some(())
        });
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        server.kill();
        println!("round {round}: {} requests acknowledged", clients.count());
    }
    let server = Server::start_with(
        folder,
        database_url,
        &addresses,
        &["--settle-after", "100ms"],
    );
    let acknowledged = clients.finish().await;
    let store = Store::connect(database_url, &Options::default())
        .await
        .expect("the database opens");
    wait_until_settled(&store).await;
    assert_eq!(server.terminate().code(), Some(0));

    for round in &acknowledged {
        assert_whole(&store, &body, *round).await;
    }
    let verified = store.verify().await.expect("readable");
    assert_eq!(verified.count, 0, "{:#?}", verified.differences.first());
    let traces = acknowledged.len() as u64 * TRACES_PER_REQUEST;
    assert!(
        verified.traces >= traces,
        "{} of at least {traces} traces were settled",
        verified.traces
    );
    assert!(
        verified.calls >= traces * CALLS_PER_TRACE as u64,
        "every call is settled"
    );
    println!(
        "{} requests acknowledged, all of their spans are there; {} traces settled, no difference",
        acknowledged.len(),
        verified.traces
    );
}

async fn wait_until_settled(store: &Store) {
    let deadline = std::time::Instant::now() + support::PATIENCE;
    loop {
        let status = store.status().await.expect("readable");
        if status.pending_traces == 0 && status.unfolded == 0 {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "not settled: {status:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn assert_whole(store: &Store, body: &Body, round: u64) {
    for trace_id in body.trace_ids(round) {
        let trace = TraceKey {
            project: PROJECT,
            trace_id: TraceId(trace_id),
        };
        let rows = store.landed(trace).await.expect("readable");
        let spans: std::collections::BTreeSet<_> =
            rows.iter().map(|row| row.span.span_id).collect();
        assert_eq!(
            spans.len(),
            SPANS_PER_TRACE,
            "request {round} was acknowledged and is not whole"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_acknowledged_span() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    crash_rounds(folder.path(), &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_acknowledged_span() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    crash_rounds(folder.path(), &postgres.url()).await;
}
