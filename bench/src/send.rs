//! Sends the load and notes how long each acknowledgement took.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use tonic::{
    Code, Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};

use crate::load::{Body, SPANS_PER_TRACE};

/// How the load looks.
#[derive(Clone, Debug)]
pub struct Load {
    /// Base URL, such as `http://127.0.0.1:4318`.
    pub url: String,
    /// OTLP/gRPC instead of OTLP/HTTP.
    pub grpc: bool,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Spans per request; whole traces of ten.
    pub spans_per_request: usize,
    /// Spans per second over all connections; as fast as it goes if `None`.
    pub rate: Option<f64>,
    /// How long.
    pub time: Duration,
    /// Of the traces; two loads with the same seed send the same ids.
    pub seed: u64,
}

/// What became of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Spans acknowledged.
    pub spans: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Median time to the acknowledgement, in milliseconds. With a rate it counts from when the request was due.
    pub ack_p50_ms: f64,
    /// 99th percentile of the same.
    pub ack_p99_ms: f64,
    /// Requests that were told to come again.
    pub retried: u64,
    /// Processor time of the generator.
    pub cpu_seconds: f64,
}

/// What the connections share.
struct Shared {
    body: Body,
    first: u64,
    next: AtomicU64,
    start: Instant,
    end: Instant,
    /// Between two requests of all connections.
    interval: Option<Duration>,
}

/// Times of acknowledged requests in milliseconds, and how many were asked to retry.
#[derive(Default)]
struct Seen {
    times: Vec<f64>,
    retried: u64,
}

/// Sends the load.
///
/// # Errors
/// When the endpoint refuses it for good, or acknowledges nothing.
pub async fn send(load: &Load) -> Result<Outcome> {
    let traces = (load.spans_per_request / SPANS_PER_TRACE).max(1) as u64;
    let start_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let body = Body::new(load.seed, traces, u64::try_from(start_ns.as_nanos())?);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let interval = |rate: f64| Duration::from_secs_f64(body.spans() as f64 / rate);
    let start = Instant::now();
    let shared = Arc::new(Shared {
        interval: load.rate.map(interval),
        body,
        first: load.seed.rotate_left(20),
        next: AtomicU64::new(0),
        start,
        end: start + load.time,
    });
    let mut senders = Vec::new();
    for _ in 0..load.connections {
        let client = Client::connect(load).await?;
        senders.push(tokio::spawn(send_on(client, Arc::clone(&shared))));
    }
    let mut seen = Seen::default();
    for sender in senders {
        let part = sender.await.context("a sender failed")??;
        seen.times.extend(part.times);
        seen.retried += part.retried;
    }
    ensure!(!seen.times.is_empty(), "nothing was acknowledged");
    seen.times.sort_by(f64::total_cmp);
    Ok(Outcome {
        spans: (seen.times.len() * shared.body.spans()) as u64,
        seconds: shared.start.elapsed().as_secs_f64(),
        ack_p50_ms: quantile(&seen.times, 50),
        ack_p99_ms: quantile(&seen.times, 99),
        retried: seen.retried,
        cpu_seconds: 0.0,
    })
}

/// One connection's part: it takes the next request of all, waits until it is due, and sends it.
async fn send_on(mut client: Client, shared: Arc<Shared>) -> Result<Seen> {
    let mut seen = Seen::default();
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let mut due = Instant::now();
        if let Some(interval) = shared.interval {
            due = shared.start + interval.mul_f64(number as f64);
            sleep_until(due.min(shared.end)).await;
        }
        if due >= shared.end {
            return Ok(seen);
        }
        let bytes = shared.body.stamped(shared.first + number);
        if client.export(bytes).await? {
            seen.times.push(due.elapsed().as_secs_f64() * 1e3);
        } else {
            seen.retried += 1;
        }
    }
}

/// The value below which so many hundredths of sorted values lie.
#[must_use]
pub fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

enum Client {
    Http(reqwest::Client, String),
    Grpc(Box<tonic::client::Grpc<Channel>>),
}

impl Client {
    /// A client each, or they would share one connection.
    async fn connect(load: &Load) -> Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(60);
        if load.grpc {
            let endpoint = Endpoint::from_shared(load.url.clone())?.timeout(PATIENCE);
            let channel = endpoint.connect().await?;
            return Ok(Self::Grpc(Box::new(tonic::client::Grpc::new(channel))));
        }
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let url = format!("{}/v1/traces", load.url.trim_end_matches('/'));
        Ok(Self::Http(client, url))
    }

    /// True when acknowledged, false when asked to retry.
    async fn export(&mut self, body: Bytes) -> Result<bool> {
        match self {
            Self::Http(client, url) => {
                let request = client
                    .post(url.as_str())
                    .header("content-type", "application/x-protobuf")
                    .body(body);
                match request.send().await?.status().as_u16() {
                    200..=299 => Ok(true),
                    429 | 502 | 503 | 504 => Ok(false),
                    other => bail!("the load was refused: {other}"),
                }
            }
            Self::Grpc(client) => {
                let path = PathAndQuery::from_static(
                    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                );
                client.ready().await?;
                match client.unary(Request::new(body), path, AsIs).await {
                    Ok(_) => Ok(true),
                    Err(status) if is_retryable(status.code()) => Ok(false),
                    Err(status) => bail!("the load was refused: {status}"),
                }
            }
        }
    }
}

fn is_retryable(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted
    )
}

/// Messages that are serialised already.
#[derive(Clone, Copy)]
struct AsIs;

impl Codec for AsIs {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsIs {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for AsIs {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
