//! A running receiver in front of a ledger instead of a database, and requests to send to it.
#![allow(dead_code, unreachable_pub)] // each test program uses its part

pub mod certificates;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use costflame_collector::{
    Collector, Listeners, ReceiverConfig, commit::Landing, forward::Outgoing, listen::Tls,
};
use costflame_pricing::Catalog;
use costflame_store::{LandingRow, OutboxRow, StoreError};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prometheus_client::registry::Registry;
use prost::Message as _;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// How the ledger behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Takes everything.
    Works,
    /// Answers every call with a retryable error.
    Down,
    /// Answers pings, but takes nothing.
    Full,
    /// Refuses any transaction with a span of this name, for good.
    Poison(&'static str),
}

/// Remembers what was committed.
pub struct Ledger {
    mode: Mutex<Mode>,
    transactions: Mutex<Vec<Vec<LandingRow>>>,
    /// Requests to be forwarded.
    pub outbox: Mutex<Vec<OutboxRow>>,
    /// A commit takes one permit and gives it back; tests hold them to keep commits waiting.
    pub turns: Semaphore,
    pub attempts: AtomicUsize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            mode: Mutex::new(Mode::Works),
            transactions: Mutex::default(),
            outbox: Mutex::default(),
            turns: Semaphore::new(64),
            attempts: AtomicUsize::new(0),
        }
    }
}

impl Ledger {
    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    pub fn rows(&self) -> Vec<LandingRow> {
        self.transactions.lock().unwrap().concat()
    }

    pub fn names(&self) -> Vec<String> {
        self.rows()
            .iter()
            .map(|row| row.span.label.to_string())
            .collect()
    }

    /// Rows of each transaction.
    pub fn sizes(&self) -> Vec<usize> {
        self.transactions
            .lock()
            .unwrap()
            .iter()
            .map(Vec::len)
            .collect()
    }
}

impl Landing for Ledger {
    async fn commit(&self, rows: &[LandingRow], outbox: &[OutboxRow]) -> Result<(), StoreError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let _turn = self.turns.acquire().await.unwrap();
        match *self.mode.lock().unwrap() {
            Mode::Down => return Err(StoreError::Unreachable("connection refused".into())),
            Mode::Full => return Err(StoreError::DiskFull),
            Mode::Poison(name) if rows.iter().any(|row| &*row.span.label == name) => {
                return Err(StoreError::BadValue("invalid value".into()));
            }
            _ => {}
        }
        self.transactions.lock().unwrap().push(rows.to_vec());
        self.outbox.lock().unwrap().extend_from_slice(outbox);
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        match *self.mode.lock().unwrap() {
            Mode::Down => Err(StoreError::Unreachable("connection refused".into())),
            _ => Ok(()),
        }
    }
}

/// A receiver that runs.
pub struct Rig<L = Ledger> {
    pub ledger: Arc<L>,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub registry: Arc<Registry>,
    pub commits: Arc<costflame_collector::commit::Gate>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<()>,
}

pub async fn start(config: ReceiverConfig) -> Rig {
    start_before(Arc::new(Ledger::default()), config).await
}

/// Starts in front of any database.
pub async fn start_before<L: Landing>(ledger: Arc<L>, config: ReceiverConfig) -> Rig<L> {
    let registry = Registry::with_prefix("costflame");
    start_with(ledger, config, Arc::default(), registry).await
}

/// Starts behind TLS.
pub async fn start_encrypted(tls: Arc<Tls>) -> Rig {
    let registry = Registry::with_prefix("costflame");
    let (ledger, config) = (Arc::new(Ledger::default()), ReceiverConfig::default());
    launch(ledger, config, Arc::default(), registry, Some(tls)).await
}

/// Starts with something to forward to.
pub async fn start_with<L: Landing>(
    ledger: Arc<L>,
    config: ReceiverConfig,
    outgoing: Arc<Outgoing>,
    registry: Registry,
) -> Rig<L> {
    launch(ledger, config, outgoing, registry, None).await
}

async fn launch<L: Landing>(
    ledger: Arc<L>,
    config: ReceiverConfig,
    outgoing: Arc<Outgoing>,
    mut registry: Registry,
    tls: Option<Arc<Tls>>,
) -> Rig<L> {
    let collector = Collector::start(config, ledger.clone(), catalog(), outgoing, &mut registry);
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (grpc_addr, http_addr) = (grpc.local_addr().unwrap(), http.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let commits = collector.commits();
    let serving = tokio::spawn(collector.serve(Listeners { grpc, http, tls }, shutdown.clone()));
    Rig {
        ledger,
        grpc: grpc_addr,
        http: http_addr,
        registry: Arc::new(registry),
        commits,
        shutdown,
        serving,
    }
}

pub fn catalog() -> Arc<ArcSwap<Catalog>> {
    Arc::new(ArcSwap::new(Catalog::embedded()))
}

impl<L> Rig<L> {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// What /metrics shows.
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// The value of one line of the exposition.
    pub fn metric(&self, line: &str) -> u64 {
        let text = self.exposition();
        let found = text
            .lines()
            .find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().unwrap())
    }
}

/// Polls until a condition holds; the test runner's time limit is the only clock.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

pub fn text(value: &str) -> Value {
    Value::StringValue(value.into())
}

/// A span that every receiver accepts, the `index`-th of its trace.
pub fn span(index: u64, name: &str) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: (index + 1).to_be_bytes().to_vec(),
        name: name.into(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_000_000_000,
        ..Default::default()
    }
}

pub fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![attribute("service.name", text("shop"))],
        ..Default::default()
    };
    let scope = InstrumentationScope {
        name: "tests".into(),
        version: "1".into(),
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans {
        scope: Some(scope),
        spans,
        ..Default::default()
    }];
    let resource_spans = ResourceSpans {
        resource: Some(resource),
        scope_spans,
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    }
}

/// Spans `0..count` named `step 0`, `step 1`, … as one encoded request.
pub fn body(names: &[&str]) -> Vec<u8> {
    let spans = names
        .iter()
        .zip(0..)
        .map(|(name, index)| span(index, name))
        .collect();
    request(spans).encode_to_vec()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
