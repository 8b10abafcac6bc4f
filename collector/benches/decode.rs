//! Decoding alone: spans per second and core, from the bytes of a request to visited spans.

use std::hint::black_box;

use costflame_collector::decode::{Limits, json_to_protobuf, walk_traces};
use costflame_profile::Signal;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

/// As in the binary.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SPANS: usize = 1_000;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// A chat span as the OpenTelemetry instrumentation of the OpenAI client writes it.
fn chat_span(index: usize) -> Span {
    let tokens = |key: &str, count: usize| attribute(key, Value::IntValue(count as i64));
    let start = 1_795_389_520_442_000_000 + index as u64 * 1_000;
    Span {
        trace_id: (index as u128 / 10 + 1).to_be_bytes().to_vec(),
        span_id: (index as u64 + 1).to_be_bytes().to_vec(),
        parent_span_id: (index as u64 + 9).to_be_bytes().to_vec(),
        name: "chat gpt-4o".into(),
        kind: 3,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_500_000_000,
        flags: 257,
        attributes: vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o"),
            text("gen_ai.response.model", "gpt-4o-2024-08-06"),
            text("gen_ai.response.id", &format!("chatcmpl-{index:024}")),
            text("server.address", "api.openai.com"),
            tokens("server.port", 443),
            tokens("gen_ai.usage.input_tokens", 7_205 + index),
            tokens("gen_ai.usage.output_tokens", 1_099),
            tokens("gen_ai.usage.cache_read.input_tokens", 512),
            tokens("gen_ai.request.max_tokens", 4_096),
            attribute("gen_ai.request.temperature", Value::DoubleValue(0.7)),
            text("user.id", "user-1234"),
        ],
        ..Span::default()
    }
}

fn request() -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![
            text("service.name", "shop"),
            text("telemetry.sdk.language", "python"),
        ],
        ..Resource::default()
    };
    let scope_spans = ScopeSpans {
        spans: (0..SPANS).map(chat_span).collect(),
        ..ScopeSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        }],
    }
}

fn decode(criterion: &mut Criterion) {
    let body = request().encode_to_vec();
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(SPANS as u64));
    group.bench_function("protobuf", |bencher| {
        bencher.iter(|| {
            walk_traces(black_box(&body), &limits, |_, _, span| {
                black_box(span);
            })
        });
    });
    let json = serde_json::to_vec(&request()).expect("a request has a JSON form");
    group.bench_function("JSON to protobuf", |bencher| {
        bencher.iter(|| json_to_protobuf(Signal::Span, black_box(&json), &limits));
    });
    group.bench_function("protobuf with prost, for comparison", |bencher| {
        bencher.iter(|| ExportTraceServiceRequest::decode(black_box(body.as_slice())));
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
