//! What a call costs beside the request itself.

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use costflame_instrumentation::{GenAi, GenAiLayer, HttpCalls, Provider, Usage};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
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

fn tracers() -> SdkTracerProvider {
    let processor = BatchSpanProcessor::builder(Nowhere)
        .with_batch_config(
            BatchConfigBuilder::default()
                .with_max_queue_size(1 << 20)
                .build(),
        )
        .build();
    SdkTracerProvider::builder()
        .with_span_processor(processor)
        .build()
}

fn with_spans() -> GenAi {
    GenAi::builder().tracer_provider(&tracers()).build()
}

fn with_spans_and_metrics() -> GenAi {
    let meters = SdkMeterProvider::builder()
        .with_reader(ManualReader::builder().build())
        .build();
    GenAi::builder()
        .tracer_provider(&tracers())
        .meter_provider(meters)
        .build()
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

fn by_hand(c: &mut Criterion) {
    let off = GenAi::off();
    c.bench_function("by hand, without a provider", |b| {
        b.iter(|| call(black_box(&off)))
    });
    let spans = with_spans();
    c.bench_function("by hand, batch exporter", |b| b.iter(|| call(&spans)));
    let both = with_spans_and_metrics();
    c.bench_function("by hand, batch exporter and metrics", |b| {
        b.iter(|| call(&both))
    });
}

fn by_http(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let provider = service_fn(|_: Request<Full<Bytes>>| async {
        let response = Response::builder().header("content-type", "application/json");
        response.body(Full::from(ANSWER))
    });
    for (name, genai) in [
        ("by HTTP, without a provider", GenAi::off()),
        ("by HTTP, batch exporter", with_spans()),
        (
            "by HTTP, batch exporter and metrics",
            with_spans_and_metrics(),
        ),
    ] {
        let mut service = GenAiLayer::new(HttpCalls::new().genai(genai)).layer(provider);
        c.bench_function(name, |b| {
            b.iter_batched(
                || {
                    Request::post("https://api.openai.com/v1/chat/completions")
                        .body(Full::from(REQUEST))
                        .expect("a request")
                },
                |request| {
                    runtime.block_on(async {
                        let response = service.call(request).await.expect("an answer");
                        response.into_body().collect().await.expect("a body")
                    })
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn streams(c: &mut Criterion) {
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
    let mut service = GenAiLayer::new(HttpCalls::new().genai(with_spans())).layer(provider);
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
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = by_hand, by_http, streams
}
criterion_main!(benches);
