//! Landing and settling rates on real databases, next to the raw COPY and INSERT of the same rows.
//!
//! `cargo bench -p costflame-store` measures for some seconds per figure, `-- --quick` for less,
//! `-- --only WORD` only the figures whose name contains the word. One line per figure:
//! name, rate, unit.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use costflame_pricing::{Receipt, TokenClass, Unpriced, Usage, Usd};
use costflame_profile::{
    Attribution, Call, FrameKind, Role, Signal, Span, SpanId, SpanKind, TraceId,
};
use costflame_store::{Due, LandingRow, Lease, MarkId, Options, Sent, Store, testing};

const SPANS_PER_TRACE: u64 = 10;
const TRACES_PER_COMMIT: u64 = 500;
const CONNECTIONS: u64 = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments
        .iter()
        .position(|argument| argument == "--only")
        .and_then(|place| arguments.get(place + 1));
    let bench = Bench {
        time: if quick {
            Duration::from_secs(2)
        } else {
            Duration::from_secs(10)
        },
        only: only.cloned().unwrap_or_default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let server = testing::Postgres::start_with(&["shared_buffers=512MB", "max_wal_size=4GB"]);
        bench.database("postgres", &server.url()).await;
        let folder = tempfile::TempDir::new().expect("a folder");
        bench
            .database(
                "sqlite",
                &format!("sqlite://{}", folder.path().join("bench.db").display()),
            )
            .await;
    });
}

struct Bench {
    time: Duration,
    only: String,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    async fn database(&self, kind: &str, url: &str) {
        let store = Store::connect(url, &Options::default())
            .await
            .expect("a database");
        let name = format!("{kind}/raw");
        if self.wants(&name) {
            self.rate(&name, "rows/s", async |batch| {
                let rows = batch_of(batch + 1_000_000);
                store.raw_landing(&rows).await.expect("raw rows");
                rows.len() as u64
            })
            .await;
        }
        for connections in [1, CONNECTIONS] {
            let name = format!("{kind}/commit/{connections}");
            if !self.wants(&name) {
                continue;
            }
            self.rate(&name, "spans/s", async |round| {
                let commits = (0..connections).map(|n| {
                    let rows = batch_of(round * connections + n);
                    let store = store.clone();
                    async move {
                        store.commit(&rows, &[]).await.expect("a commit");
                        rows.len() as u64
                    }
                });
                futures::future::join_all(commits).await.into_iter().sum()
            })
            .await;
        }
        if self.wants(&format!("{kind}/settle")) {
            self.settle(kind, &store).await;
        }
    }

    async fn settle(&self, kind: &str, store: &Store) {
        for batch in 0..40 {
            store
                .commit(&batch_of(5_000_000 + batch), &[])
                .await
                .expect("a commit");
        }
        let leases: Vec<Lease> = store
            .lease_lanes("bench", 0, i64::MAX / 2)
            .await
            .expect("lanes");
        let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
        let page = store
            .marks_after(&lanes, MarkId::default(), 10_000_000)
            .await
            .expect("marks");
        let due = Due::of(&page.marks);
        let mut chunks = due.chunks(256);
        self.rate(&format!("{kind}/settle"), "traces/s", async |_| {
            let Some(some) = chunks.next() else { return 0 };
            store.settle(&leases, some).await.expect("settled").traces as u64
        })
        .await;
        let mut folded = 0;
        let start = Instant::now();
        loop {
            match store.fold(50_000).await.expect("folded") {
                0 => break,
                some => folded += some,
            }
        }
        report(
            &format!("{kind}/fold"),
            folded,
            start.elapsed(),
            "differences/s",
        );
    }

    /// Repeats until the time is up or there is nothing left to do.
    async fn rate(&self, name: &str, unit: &str, mut work: impl AsyncFnMut(u64) -> u64) {
        let start = Instant::now();
        let (mut done, mut round) = (0, 0);
        while start.elapsed() < self.time {
            let some = work(round).await;
            if some == 0 {
                break;
            }
            done += some;
            round += 1;
        }
        report(name, done, start.elapsed(), unit);
    }
}

#[expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a figure for the reader"
)]
fn report(name: &str, done: u64, time: Duration, unit: &str) {
    println!(
        "{name:<24} {:>12.0} {unit}",
        done as f64 / time.as_secs_f64()
    );
}

/// Traces of ten spans: an agent, tools and steps, and four calls.
fn batch_of(number: u64) -> Vec<LandingRow> {
    let attribution = Arc::new(Attribution {
        session: Some("s".into()),
        ..Attribution::default()
    });
    let traces = number * TRACES_PER_COMMIT..(number + 1) * TRACES_PER_COMMIT;
    traces
        .flat_map(|trace| (0..SPANS_PER_TRACE).map(move |span| (trace, span)))
        .map(|(trace, span)| row(trace, span, &attribution))
        .collect()
}

fn row(trace: u64, span: u64, attribution: &Arc<Attribution>) -> LandingRow {
    let mut trace_id = [7; 16];
    trace_id[..8].copy_from_slice(
        &(trace + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes(),
    );
    let start_us = 1_795_000_000_000_000 + i64::try_from(trace % 100_000).unwrap_or(0) * 20_000;
    let is_call = span % 5 > 2;
    let call = is_call.then(|| {
        let mut usage = Usage::default();
        usage.set(TokenClass::Input, 1000 + span);
        usage.set(TokenClass::Output, 200);
        Call {
            operation: Some("chat".into()),
            provider: Some("openai".into()),
            request_model: Some("gpt-4o".into()),
            response_model: Some("gpt-4o-2024-08-06".into()),
            response_id: Some(format!("chatcmpl-x{trace:016x}{span}").into()),
            usage,
            cost: Some(Usd(4_500_000_000)),
        }
    });
    let receipt = call.as_ref().map(|call| Receipt {
        usage: call.usage,
        cost: call.cost,
        unpriced: call.cost.is_none().then_some(Unpriced::NoModel),
        ..Receipt::default()
    });
    let span = Span {
        trace_id: TraceId(trace_id),
        span_id: SpanId((span + 1).to_be_bytes()),
        parent_span_id: (span > 0).then(|| SpanId((span / 2 + 1).to_be_bytes())),
        service: "frontend".into(),
        kind: if is_call {
            FrameKind::Model
        } else {
            FrameKind::Step
        },
        label: if is_call {
            "gpt-4o-2024-08-06".into()
        } else {
            format!("step {span}").into()
        },
        span_kind: if is_call {
            SpanKind::Client
        } else {
            SpanKind::Internal
        },
        start_us,
        end_us: start_us + 1_000_000,
        error: false,
        role: if is_call { Role::Call } else { Role::Plain },
        call,
        attribution: Arc::clone(attribution),
        above: Vec::new(),
        signal: Signal::Span,
        emitter: "opentelemetry.instrumentation.openai_v2@2.1b0".into(),
        instance: Some("host-1/4711".into()),
        links: Vec::new(),
        attribute_count: 13,
        content_hash: trace ^ span,
        weight_milli: 1000,
    };
    LandingRow {
        project: 1,
        received_us: start_us,
        span,
        receipt,
        sent: Sent::default(),
    }
}
