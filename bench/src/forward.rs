//! What forwarding costs: the same load with and without a destination, turn by turn on fresh databases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{
    figures::Figures,
    ingest::{PATIENCE, Shape, drive},
    target::{Database, Server},
    watch::Watch,
};

/// How long what was acknowledged may take to arrive once it is settled.
const ARRIVAL: Duration = Duration::from_secs(120);

/// Spans per second, summed over turns.
#[derive(Clone, Copy, Default)]
struct Rates {
    acknowledged: f64,
    /// Until all of them were settled.
    settled: f64,
}

/// Measures both, `turns` times each, and the ratios.
pub(crate) async fn measure(
    figures: &mut Figures,
    fresh: impl Fn() -> Result<Database>,
    shape: &Shape,
    time: Duration,
    turns: u32,
) -> Result<()> {
    let (mut without, mut with) = (Rates::default(), Rates::default());
    let mut late = 0.0_f64;
    let mut subject = String::new();
    for _ in 0..turns {
        let database = fresh()?;
        subject = format!("{}, forwarding", database.name());
        let server = Server::start(&database)?;
        without.add_load(&server, shape, time).await?;
        drop(server);

        let (database, sink) = (fresh()?, Sink::start().await?);
        let destination = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.url)];
        let server = Server::start_with(&database, &destination)?;
        let spans = with.add_load(&server, shape, time).await?;
        let requests = spans / shape.spans_per_request as u64;
        late = late.max(sink.has(requests).await?.as_secs_f64());
    }
    let turns = f64::from(turns);
    let mut add = |name, value| figures.add(&subject, name, value);
    add(
        "acknowledged_spans_per_s_without",
        without.acknowledged / turns,
    );
    add("acknowledged_spans_per_s_with", with.acknowledged / turns);
    add(
        "acknowledged_with_of_without",
        with.acknowledged / without.acknowledged,
    );
    add("settled_spans_per_s_without", without.settled / turns);
    add("settled_spans_per_s_with", with.settled / turns);
    add("settled_with_of_without", with.settled / without.settled);
    add("arrived_after_settling_s", late);
    Ok(())
}

impl Rates {
    /// Sends as fast as is acknowledged and waits until all is settled; the spans acknowledged.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    async fn add_load(&mut self, server: &Server, shape: &Shape, time: Duration) -> Result<u64> {
        let watch = Watch::start(&server.api);
        let start = Instant::now();
        let outcome = drive(shape, &server.http, None, time, 1).await?;
        let spans = outcome.spans as f64;
        let settled = watch.settled(spans, time * PATIENCE).await?;
        self.acknowledged += spans / outcome.seconds;
        self.settled += spans / (settled - start).as_secs_f64();
        Ok(outcome.spans)
    }
}

/// A destination that takes everything, and costs next to nothing itself.
struct Sink {
    url: String,
    taken: Arc<AtomicU64>,
}

impl Sink {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let taken = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(swallow(stream, Arc::clone(&counter)));
            }
        });
        Ok(Self { url, taken })
    }

    /// How long after now it has so many requests.
    async fn has(&self, requests: u64) -> Result<Duration> {
        let start = Instant::now();
        while self.taken.load(Ordering::Relaxed) < requests {
            ensure!(
                start.elapsed() < ARRIVAL,
                "{} of {requests} requests had arrived after {ARRIVAL:?}",
                self.taken.load(Ordering::Relaxed)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(start.elapsed())
    }
}

/// Answers requests of HTTP/1.1 with a length; `None` when the peer is gone.
async fn swallow(mut stream: TcpStream, taken: Arc<AtomicU64>) -> Option<()> {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let (_, length) = text.split_once("content-length:")?;
        let length: usize = length.lines().next()?.trim().parse().ok()?;
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        buffer.drain(..head + length);
        taken.fetch_add(1, Ordering::Relaxed);
        stream.write_all(ANSWER).await.ok()?;
    }
}
