//! Calls priced per second on one core, and how long the catalog takes to load.

use std::hint::black_box;

use costflame_pricing::{Accounting, Catalog, PriceRequest, ReportedUsage, normalise};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const AT_US: i64 = 1_795_000_000_000_000;

/// Provider, model, service tier and usage as they come together in the field.
fn mix() -> Vec<(PriceRequest<'static>, ReportedUsage)> {
    let usage = |input, output| ReportedUsage {
        input: Some(input),
        output: Some(output),
        ..ReportedUsage::default()
    };
    let call = |provider, model| PriceRequest {
        provider: Some(provider),
        request_model: Some(model),
        response_model: Some(model),
        at_us: AT_US,
        ..PriceRequest::default()
    };
    let cached = ReportedUsage {
        cache_read: Some(90_000),
        cache_write: Some(4_000),
        ..usage(100_000, 1_200)
    };
    vec![
        (call("openai", "gpt-4o-2024-08-06"), usage(1_234, 567)),
        (
            call("openai", "gpt-5.4"),
            ReportedUsage {
                reasoning: Some(800),
                cache_read: Some(256_000),
                ..usage(300_000, 2_000)
            },
        ),
        (
            PriceRequest {
                service_tier: Some("flex"),
                ..call("openai", "gpt-5")
            },
            usage(9_000, 700),
        ),
        (call("openai", "text-embedding-3-small"), usage(8_191, 0)),
        (call("azure.ai.openai", "gpt-4o-mini"), usage(1_000, 100)),
        (call("anthropic", "claude-sonnet-4-5-20250929"), cached),
        (call("anthropic", "claude-opus-5-5"), cached),
        (
            call(
                "aws.bedrock",
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ),
            cached,
        ),
        (
            call("gcp.gemini", "gemini-2.5-pro"),
            ReportedUsage {
                total: Some(6_000),
                ..usage(4_000, 1_000)
            },
        ),
        (
            call("openrouter", "anthropic/claude-sonnet-4.5"),
            usage(4_000, 900),
        ),
        (
            call("litellm", "groq/llama-3.3-70b-versatile"),
            usage(4_000, 900),
        ),
        (call("openai", "a-model-nobody-knows"), usage(10, 10)),
    ]
}

fn benches(criterion: &mut Criterion) {
    let catalog = Catalog::embedded();
    let mix = mix();
    let mut group = criterion.benchmark_group("pricing");
    group.throughput(Throughput::Elements(mix.len() as u64));
    group.bench_function("normalise and price", |bencher| {
        bencher.iter(|| {
            for (request, reported) in &mix {
                let normal = normalise(reported, Accounting::Spec, request.provider);
                black_box(catalog.price(black_box(request), normal.as_ref()));
            }
        });
    });
    group.bench_function("normalise, price and pack", |bencher| {
        bencher.iter(|| {
            for (request, reported) in &mix {
                let normal = normalise(reported, Accounting::Spec, request.provider);
                black_box(catalog.price(black_box(request), normal.as_ref()).pack());
            }
        });
    });
    let mut fresh = 0_u64;
    let names: Vec<String> = (0..10_000).map(|n| format!("model-{n}")).collect();
    group.throughput(Throughput::Elements(1));
    group.bench_function("look up a name not seen before", |bencher| {
        let normal = normalise(&mix[0].1, Accounting::Spec, None);
        bencher.iter(|| {
            fresh += 1;
            let name = names[usize::try_from(fresh).unwrap_or(0) % names.len()].as_str();
            let request = PriceRequest {
                provider: Some("openrouter"),
                response_model: Some(name),
                ..PriceRequest::default()
            };
            black_box(catalog.price(&request, normal.as_ref()))
        });
    });
    group.finish();
    criterion.bench_function("catalog/load the embedded catalog", |bencher| {
        bencher.iter(|| {
            let catalog = Catalog::from_json(black_box(Catalog::embedded_json()));
            catalog.map(|catalog| catalog.with_corrections())
        });
    });
}

criterion_group!(price, benches);
criterion_main!(price);
