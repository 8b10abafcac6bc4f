//! Speed of settling and of building trees, on one core.

use std::{hint::black_box, sync::Arc};

use costflame_pricing::{TokenClass, Usage, Usd, UsdSum};
use costflame_profile::{
    Attribution, Call, Frame, FrameKind, Metric, Metrics, PathId, PathRow, Role, Signal, Span,
    SpanId, SpanKind, TraceId, Tree, elect, settle,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn span(number: u64, parent: Option<u64>) -> Span {
    let attribution = Attribution {
        environment: Some("production".into()),
        ..Attribution::default()
    };
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId(number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()),
        parent_span_id: parent.map(|n| SpanId(n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())),
        service: "checkout".into(),
        kind: FrameKind::Step,
        label: "retrieve documents".into(),
        span_kind: SpanKind::Internal,
        start_us: number as i64,
        end_us: number as i64 + 1_000,
        error: false,
        role: Role::Plain,
        call: None,
        attribution: Arc::new(attribution),
        above: Vec::new(),
        signal: Signal::Span,
        emitter: "opentelemetry.instrumentation.openai.v1@0.62.4".into(),
        instance: Some("3f2504e0-4f89-11d3-9a0c-0305e82c3301".into()),
        links: Vec::new(),
        attribute_count: 20,
        content_hash: number,
        weight_milli: 1000,
    }
}

fn call(number: u64, parent: u64) -> Span {
    let mut usage = Usage::default();
    usage.set(TokenClass::Input, 1_000 + number);
    usage.set(TokenClass::Output, 100);
    Span {
        kind: FrameKind::Model,
        label: "gpt-4o".into(),
        role: Role::Call,
        call: Some(Call {
            operation: Some("chat".into()),
            request_model: Some("gpt-4o".into()),
            response_model: Some("gpt-4o-2024-08-06".into()),
            response_id: Some(format!("chatcmpl-{number:032x}").into()),
            usage,
            cost: Some(Usd(1_000_000)),
            ..Call::default()
        }),
        ..span(number, Some(parent))
    }
}

/// 10 spans: a request, two agents, two tools, five calls.
fn trace() -> Vec<Span> {
    let kind = |kind, span| Span { kind, ..span };
    vec![
        call(9, 6),
        kind(FrameKind::Request, span(1, None)),
        kind(FrameKind::Agent, span(2, Some(1))),
        call(3, 2),
        kind(FrameKind::Tool, span(4, Some(2))),
        call(5, 2),
        kind(FrameKind::Agent, span(6, Some(4))),
        call(7, 6),
        kind(FrameKind::Tool, span(8, Some(6))),
        call(10, 2),
    ]
}

/// A trace of `spans` spans, every other one a call, below 100 steps.
fn large_trace(spans: u64) -> Vec<Span> {
    let steps = (1..=100).map(|n| span(n, (n > 1).then_some(n / 2)));
    steps
        .chain((101..=spans).map(|n| {
            if n % 2 == 0 {
                call(n, n % 100 + 1)
            } else {
                span(n, Some(n % 100 + 1))
            }
        }))
        .collect()
}

/// Paths with fan-out 10, so about as deep as real ones, and self values on all of them.
fn rows(count: usize) -> (Vec<PathRow>, Vec<(PathId, Metrics)>) {
    let mut rows: Vec<PathRow> = Vec::with_capacity(count);
    for n in 0..count {
        let parent = (n > 0).then(|| rows[(n - 1) / 10].id);
        let frame = Frame {
            service: "checkout".into(),
            kind: FrameKind::Step,
            label: format!("step {}", n % 97).into(),
        };
        let id = PathId::of(1, parent, &frame);
        rows.push(PathRow {
            id: if parent == Some(id) {
                PathId([n as u8; 16])
            } else {
                id
            },
            parent,
            frame,
        });
    }
    let value = |n: usize| Metrics {
        cost: UsdSum(n as i128 * 1_000),
        calls: 1,
        ..Metrics::default()
    };
    let own = rows
        .iter()
        .enumerate()
        .map(|(n, row)| (row.id, value(n)))
        .collect();
    (rows, own)
}

fn settling(c: &mut Criterion) {
    let mut group = c.benchmark_group("settle");
    group.throughput(Throughput::Elements(1));
    let small = trace();
    group.bench_function("trace of 10 spans with 5 calls", |b| {
        b.iter_batched(
            || small.clone(),
            |spans| settle(1, black_box(spans)),
            BatchSize::SmallInput,
        );
    });
    let large = large_trace(100_000);
    group
        .throughput(Throughput::Elements(large.len() as u64))
        .sample_size(10);
    group.bench_function("trace of 100,000 spans", |b| {
        b.iter_batched(
            || large.clone(),
            |spans| settle(1, black_box(spans)),
            BatchSize::PerIteration,
        );
    });
    let claims: Vec<_> = settle(1, large)
        .calls
        .into_iter()
        .flat_map(|call| call.claims)
        .collect();
    group.throughput(Throughput::Elements(claims.len() as u64));
    group.bench_function("elect among 100,000 claims", |b| {
        b.iter(|| elect(black_box(&claims)))
    });
    group.finish();
}

fn trees(c: &mut Criterion) {
    let mut group = c.benchmark_group("flamegraph");
    let (paths, own) = rows(100_000);
    group
        .throughput(Throughput::Elements(paths.len() as u64))
        .sample_size(10);
    group.bench_function("tree from 100,000 rows", |b| {
        b.iter_batched(
            || (paths.clone(), own.clone()),
            |(paths, own)| Tree::from_rows(paths, own),
            BatchSize::PerIteration,
        );
    });
    let tree = Tree::from_rows(paths, own);
    group.bench_function("prune 100,000 nodes to 2,000", |b| {
        b.iter_batched(
            || tree.clone(),
            |tree| tree.prune(2_000, Metric::Cost),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("diff of two trees of 100,000 nodes", |b| {
        b.iter_batched(
            || (tree.clone(), tree.clone()),
            |(now, base)| now.diff(base),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, settling, trees);
criterion_main!(benches);
