//! What a call costs beside the request itself, in processor time of the calling thread: what other programs do on the
//! machine does not count.
//!
//! `COSTFLAME_CALLS=2000 valgrind --tool=callgrind target/release/deps/overhead-…` makes so many calls by HTTP and ends. The
//! difference of two such runs is what calls take in instructions, and the profile says where.

use std::{fs, hint::black_box, time::Duration};

use bytes::Bytes;
use costflame_instrumentation::{GenAi, GenAiLayer, HttpCalls, Provider, Usage};
use criterion::{
    BatchSize, Criterion, Throughput, criterion_group,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{ManualReader, SdkMeterProvider},
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};
use tower::{Layer, Service, service_fn};

/// Takes batches and forgets them.
#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        black_box(batch);
        Ok(())
    }
}

/// Processor time of this thread, in nanoseconds, as Linux counts it.
struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        // The kernel brings the figure up to date when a thread gives way.
        std::thread::yield_now();
        let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
        let time = text.split(' ').next().and_then(|time| time.parse().ok());
        time.expect("a number")
    }

    fn end(&self, start: u64) -> u64 {
        self.start() - start
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one + other
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Spans taken by a batch processor between two flushes: fewer than its queue holds, so that none is dropped.
const CALLS: u64 = 1000;

/// Where calls are written, and what empties it.
struct Written {
    genai: GenAi,
    tracers: SdkTracerProvider,
}

impl Written {
    fn new(meters: Option<SdkMeterProvider>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(2 * CALLS as usize)
            .build();
        let processor = BatchSpanProcessor::builder(Nowhere).with_batch_config(config);
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(processor.build())
            .build();
        let mut genai = GenAi::builder().tracer_provider(&tracers);
        if let Some(meters) = meters {
            genai = genai.meter_provider(meters);
        }
        let genai = genai.build();
        Self { genai, tracers }
    }

    fn spans() -> Self {
        Self::new(None)
    }

    fn spans_and_metrics() -> Self {
        let reader = ManualReader::builder().build();
        Self::new(Some(
            SdkMeterProvider::builder().with_reader(reader).build(),
        ))
    }

    fn off() -> Self {
        Self {
            genai: GenAi::off(),
            tracers: SdkTracerProvider::builder().build(),
        }
    }

    /// Run between the batches of calls, and not measured.
    fn flush(&self, calls: &mut u64) {
        *calls += 1;
        if *calls % CALLS == 0 {
            drop(self.tracers.force_flush());
        }
    }
}

fn call(genai: &GenAi) {
    let mut call = genai
        .chat(Provider::OPENAI, "gpt-4o")
        .server("api.openai.com", 443)
        .max_tokens(500)
        .start();
    call.response_id("chatcmpl-1")
        .response_model("gpt-4o-2024-08-06")
        .finish_reason("stop")
        .usage(Usage::new(1200, 80).cache_read(1024));
    call.end();
}

const REQUEST: &str = r#"{"model":"gpt-4o","temperature":0.2,"messages":[{"role":"system","content":"You answer in one sentence, in the language of the question, and never invent a source."},{"role":"user","content":"Why is the sky blue?"}]}"#;
const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Because air scatters short waves of light more than long ones.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,"prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp_1"}"#;

fn by_hand(c: &mut Criterion<ThreadTime>) {
    for (name, written) in [
        ("by hand, without a provider", Written::off()),
        ("by hand, batch exporter", Written::spans()),
        (
            "by hand, batch exporter and metrics",
            Written::spans_and_metrics(),
        ),
    ] {
        let mut calls = 0;
        c.bench_function(name, |b| {
            b.iter_batched(
                || written.flush(&mut calls),
                |()| call(black_box(&written.genai)),
                BatchSize::NumIterations(CALLS),
            )
        });
    }
}

fn by_http(c: &mut Criterion<ThreadTime>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let provider = service_fn(|_: Request<Full<Bytes>>| async {
        let response = Response::builder().header("content-type", "application/json");
        response.body(Full::from(ANSWER))
    });
    let request = || {
        Request::post("https://api.openai.com/v1/chat/completions")
            .body(Full::from(REQUEST))
            .expect("a request")
    };
    let mut bare = provider;
    c.bench_function("by HTTP, the bare service", |b| {
        b.iter_batched(
            request,
            |request| {
                runtime.block_on(async {
                    let response = bare.call(request).await.expect("an answer");
                    response.into_body().collect().await.expect("a body")
                })
            },
            BatchSize::NumIterations(CALLS),
        );
    });
    for (name, written) in [
        ("by HTTP, without a provider", Written::off()),
        ("by HTTP, batch exporter", Written::spans()),
        (
            "by HTTP, batch exporter and metrics",
            Written::spans_and_metrics(),
        ),
    ] {
        let genai = written.genai.clone();
        let mut service = GenAiLayer::new(HttpCalls::new().genai(genai)).layer(provider);
        let mut calls = 0;
        c.bench_function(name, |b| {
            b.iter_batched(
                || {
                    written.flush(&mut calls);
                    request()
                },
                |request| {
                    runtime.block_on(async {
                        let response = service.call(request).await.expect("an answer");
                        response.into_body().collect().await.expect("a body")
                    })
                },
                BatchSize::NumIterations(CALLS),
            );
        });
    }
}

fn streams(c: &mut Criterion<ThreadTime>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let event = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
    let body = Bytes::from(event.repeat(1000));
    let answer = body.clone();
    let provider = service_fn(move |_: Request<Full<Bytes>>| {
        let response = Response::builder().header("content-type", "text/event-stream");
        std::future::ready(response.body(Full::from(answer.clone())))
    });
    let mut group = c.benchmark_group("stream");
    group.throughput(Throughput::Bytes(body.len() as u64));
    let genai = Written::spans().genai;
    let mut service = GenAiLayer::new(HttpCalls::new().genai(genai)).layer(provider);
    group.bench_function("1000 events", |b| {
        b.iter(|| {
            let request = Request::post("https://api.openai.com/v1/chat/completions")
                .body(Full::from(REQUEST))
                .expect("a request");
            runtime.block_on(async {
                let response = service.call(request).await.expect("an answer");
                response.into_body().collect().await.expect("a body")
            })
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .with_measurement(ThreadTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = by_hand, by_http, streams
}

/// So many calls by HTTP to a batch exporter.
fn calls(count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let provider = service_fn(|_: Request<Full<Bytes>>| async {
        let response = Response::builder().header("content-type", "application/json");
        response.body(Full::from(ANSWER))
    });
    let written = Written::spans();
    let genai = written.genai.clone();
    let mut service = GenAiLayer::new(HttpCalls::new().genai(genai)).layer(provider);
    let mut made = 0;
    while made < count {
        written.flush(&mut made);
        let request = Request::post("https://api.openai.com/v1/chat/completions")
            .body(Full::from(REQUEST))
            .expect("a request");
        runtime.block_on(async {
            let response = service.call(request).await.expect("an answer");
            response.into_body().collect().await.expect("a body")
        });
    }
}

fn main() {
    match std::env::var("COSTFLAME_CALLS") {
        Ok(count) => calls(count.parse().expect("a number of calls")),
        Err(_) => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
