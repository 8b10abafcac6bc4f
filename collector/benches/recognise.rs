//! Decode, recognise and price on one core: spans per second for plain spans and for model calls.

#![allow(missing_docs, reason = "criterion generates public items")]

use costflame_collector::{
    decode::{Limits, walk_traces},
    dialect::{Lander, Slots, recognise},
};
use costflame_pricing::Catalog;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

/// As in the binary.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SPANS: u64 = 1_000;

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    }
}

/// A client request as HTTP instrumentations report it.
fn plain(at: u64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "GET"),
        text(
            "url.full",
            "http://inventory.internal:8080/items/17?expand=all",
        ),
        text("server.address", "inventory.internal"),
        number("server.port", 8080),
        number("http.response.status_code", 200),
        text("network.protocol.version", "1.1"),
        text("user_agent.original", "python-httpx/0.28.1"),
        number("thread.id", i64::try_from(at % 16).unwrap_or(0)),
        text("thread.name", "worker"),
        text("code.function.name", "fetch_item"),
    ]
}

/// A chat with cached tokens, as the current conventions report it.
fn call(at: u64) -> Vec<KeyValue> {
    let count = i64::try_from(at).unwrap_or(0);
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        text("gen_ai.response.model", "gpt-4o-2024-08-06"),
        text("gen_ai.response.id", &format!("chatcmpl-{at:032x}")),
        text("server.address", "api.openai.com"),
        number("server.port", 443),
        number("gen_ai.request.max_tokens", 1_000),
        text("openai.response.service_tier", "default"),
        text("gen_ai.conversation.id", "conversation-17"),
        number("gen_ai.usage.input_tokens", 5_000 + count),
        number("gen_ai.usage.output_tokens", 700 + count),
        number("gen_ai.usage.cache_read.input_tokens", 1_024),
        number("gen_ai.usage.reasoning.output_tokens", 64),
    ]
}

fn body(name: &str, scope: &str, attributes: impl Fn(u64) -> Vec<KeyValue>) -> Vec<u8> {
    let span = |at: u64| Span {
        trace_id: (u128::from(at / 10) + 1).to_be_bytes().to_vec(),
        span_id: (at + 1).to_be_bytes().to_vec(),
        parent_span_id: vec![7; 8],
        name: name.to_owned(),
        kind: 3,
        start_time_unix_nano: 1_795_000_000_000_000_000 + at * 1_000_000,
        end_time_unix_nano: 1_795_000_000_500_000_000 + at * 1_000_000,
        attributes: attributes(at),
        ..Span::default()
    };
    let scope = InstrumentationScope {
        name: scope.to_owned(),
        version: "1.0.0".to_owned(),
        ..InstrumentationScope::default()
    };
    let resource = Resource {
        attributes: vec![
            text("service.name", "shop"),
            text("deployment.environment.name", "production"),
            text("host.name", "shop-7d9f"),
            number("process.pid", 17),
            text("telemetry.sdk.language", "python"),
        ],
        ..Resource::default()
    };
    let scope_spans = ScopeSpans {
        scope: Some(scope),
        spans: (0..SPANS).map(span).collect(),
        ..ScopeSpans::default()
    };
    let resource_spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    }
    .encode_to_vec()
}

fn benchmark(criterion: &mut Criterion) {
    let catalog = Catalog::embedded();
    let limits = Limits::default();
    let bodies = [
        (
            "plain",
            body("GET", "opentelemetry.instrumentation.httpx", plain),
        ),
        (
            "calls",
            body(
                "chat gpt-4o",
                "opentelemetry.instrumentation.genai.openai",
                call,
            ),
        ),
    ];
    for (name, body) in bodies {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(SPANS));
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                walk_traces(&body, &limits, |_, _, span| {
                    std::hint::black_box(*span);
                })
            });
        });
        group.bench_function("decode, recognise", |bencher| {
            bencher.iter(|| {
                walk_traces(&body, &limits, |_, scope, span| {
                    let slots = Slots::read(span.attributes);
                    std::hint::black_box(recognise(scope, span, &slots));
                })
            });
        });
        group.bench_function("decode, recognise, price, land", |bencher| {
            bencher.iter(|| {
                let mut lander = Lander::new(&catalog);
                walk_traces(&body, &limits, |resource, scope, span| {
                    drop(std::hint::black_box(
                        lander.land(resource, scope, span, 1, 0),
                    ));
                })
            });
        });
        group.finish();
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
