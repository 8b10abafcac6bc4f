//! Clients that repeat each request until it is acknowledged, and what must then be in the database.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use costflame_bench::load::{Body, CALLS_PER_TRACE, SPANS_PER_TRACE};
use costflame_profile::TraceId;
use costflame_store::{Options, Store, TraceKey};

use super::PATIENCE;

const CLIENTS: usize = 4;
const TRACES_PER_REQUEST: u64 = 5;
const PROJECT: i32 = 1;

/// Clients that send request after request, in turn to each of some collectors.
pub(crate) struct Clients {
    body: Arc<Body>,
    acknowledged: Arc<Mutex<Vec<u64>>>,
    done: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Clients {
    /// To collectors on addresses such as `127.0.0.1:4318`.
    pub(crate) fn start(addresses: &[&str]) -> Self {
        let body = Arc::new(Body::new(1, TRACES_PER_REQUEST, 1_795_388_725_000_000_000));
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(1));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        let urls: Arc<[String]> = addresses
            .iter()
            .map(|address| format!("http://{address}/v1/traces"))
            .collect();
        let tasks = (0..CLIENTS).map(|_| {
            let (client, urls, body) = (client.clone(), Arc::clone(&urls), Arc::clone(&body));
            let (acknowledged, done, next) = (
                Arc::clone(&acknowledged),
                Arc::clone(&done),
                Arc::clone(&next),
            );
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    send_until_acknowledged(&client, &urls, &body, round).await;
                    acknowledged.lock().expect("no panic").push(round);
                }
            })
        });
        let tasks = tasks.collect();
        Self {
            body,
            acknowledged,
            done,
            tasks,
        }
    }

    /// Requests acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().expect("no panic").len()
    }

    /// The first request, which was acknowledged long ago.
    pub(crate) fn first(&self) -> impl Into<reqwest::Body> + use<> {
        self.body.stamped(1)
    }

    /// Waits until something more is acknowledged.
    pub(crate) fn wait_for_more(&self) {
        let before = self.count();
        super::wait_until("something is acknowledged", || {
            (self.count() > before).then_some(())
        });
    }

    /// Stops them; everything they sent is acknowledged then.
    pub(crate) async fn finish(self) -> Sent {
        self.done.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a client panicked");
        }
        let acknowledged = std::mem::take(&mut *self.acknowledged.lock().expect("no panic"));
        Sent {
            body: self.body,
            acknowledged,
        }
    }
}

async fn send_until_acknowledged(
    client: &reqwest::Client,
    urls: &[String],
    body: &Body,
    round: u64,
) {
    for turn in 0.. {
        let url = &urls[(round as usize + turn) % urls.len()];
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

/// What was acknowledged.
pub(crate) struct Sent {
    body: Arc<Body>,
    pub(crate) acknowledged: Vec<u64>,
}

impl Sent {
    /// Every acknowledged span is there, settled once, and nothing differs from its sources.
    pub(crate) async fn assert_settled(&self, database_url: &str) {
        let store = Store::connect(database_url, &Options::default())
            .await
            .expect("the database opens");
        wait_until_settled(&store).await;
        for round in &self.acknowledged {
            self.assert_whole(&store, *round).await;
        }
        let verified = store.verify().await.expect("readable");
        assert_eq!(verified.count, 0, "{:#?}", verified.differences.first());
        let traces = self.acknowledged.len() as u64 * TRACES_PER_REQUEST;
        assert!(
            verified.traces >= traces,
            "{} of at least {traces} traces were settled",
            verified.traces
        );
        assert_eq!(
            verified.calls,
            verified.traces * CALLS_PER_TRACE as u64,
            "every call is settled, once"
        );
        store.close().await;
    }

    async fn assert_whole(&self, store: &Store, round: u64) {
        for trace_id in self.body.trace_ids(round) {
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
}

/// Waits until nothing is left to settle or to fold.
pub(crate) async fn wait_until_settled(store: &Store) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = store.status().await.expect("readable");
        if status.pending_traces == 0 && status.unfolded == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "not settled: {status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
