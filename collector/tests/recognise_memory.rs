//! Plain spans, nearly all there are, take no memory. A binary of its own, since all allocations are counted.

use costflame_collector::{
    decode::{
        Attributes, Resource, Scope, Span, Status,
        Value::{self, Int, Str},
    },
    dialect::{Lander, Slots, recognise},
};
use costflame_pricing::Catalog;
use costflame_profile::{SpanId, SpanKind, TraceId};
use dhat::{HeapStats, Profiler};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const SPANS: u64 = 1_000;

/// Far less than one allocation per span; the test harness allocates a little meanwhile.
const NOISE: u64 = 50;

const ATTRIBUTES: [(&str, Value<'_>); 5] = [
    ("http.request.method", Str("GET")),
    ("url.full", Str("http://inventory.internal:8080/items/17")),
    ("http.response.status_code", Int(200)),
    ("server.address", Str("inventory.internal")),
    ("thread.id", Int(4)),
];

fn span(kind: SpanKind) -> Span<'static> {
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([2; 8]),
        parent_span_id: None,
        trace_state: "",
        name: "GET /items/17",
        kind,
        start_us: 1_795_000_000_000_000,
        end_us: 1_795_000_000_500_000,
        status: Status::Unset,
        attributes: Attributes(&ATTRIBUTES),
        events: &[],
        links: &[],
        dropped_attributes: 0,
        flags: 0,
    }
}

/// Allocations of a thousand runs after one that fills what is kept.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    let profiler = Profiler::builder().testing().build();
    (0..SPANS).for_each(|_| run());
    let stats = HeapStats::get();
    drop(profiler);
    stats.total_blocks
}

#[test]
fn plain_spans_are_recognised_and_landed_without_allocation() {
    let scope = Scope {
        name: "opentelemetry.instrumentation.httpx",
        version: "0.66b2",
        ..Scope::default()
    };
    let service = [("service.name", Str("shop")), ("user.id", Str("u"))];
    let resource = Resource {
        attributes: Attributes(&service),
    };
    let catalog = Catalog::embedded();
    let mut lander = Lander::new(&catalog);
    for kind in [SpanKind::Client, SpanKind::Server] {
        let span = span(kind);
        let recognised = allocations(|| {
            let slots = Slots::read(span.attributes);
            assert!(recognise(&scope, &span, &slots).call.is_none());
        });
        assert!(
            recognised < NOISE,
            "{recognised} allocations to recognise {SPANS} spans"
        );
        let landed = allocations(|| {
            assert!(
                lander
                    .land(&resource, &scope, &span, 1, 0)
                    .receipt
                    .is_none()
            )
        });
        assert!(landed < NOISE, "{landed} allocations to land {SPANS} spans");
    }
}
