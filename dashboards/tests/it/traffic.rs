//! Made-up traffic: every kind of frame and value, hostile names, times on and off the edges of buckets.

use std::sync::Arc;

use costflame_pricing::{Catalog, Flag, PriceRequest, TokenClass, Usage};
use costflame_profile::{
    Attribution, Call, FrameKind, Role, Signal, Span, SpanId, SpanKind, Text, TraceId,
};
use costflame_store::{Due, LandingRow, MarkId, Sent, Store};

/// 2026-11-20T00:00:00Z.
pub(crate) const START_US: i64 = 1_795_132_800_000_000;
pub(crate) const DAY_US: i64 = 86_400_000_000;
pub(crate) const DAYS: i64 = 5;

/// Names that break what is careless with quotes, markup, wildcards, length or direction.
pub(crate) const HOSTILE: [&str; 6] = [
    "'; DROP TABLE calls; --",
    "<img src=x onerror=alert(1)>",
    "100%_of \\ \"them\"",
    "\u{202e}txet desrever\u{202c}",
    "🔥\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{7}\u{1b}[31m",
    "$.a[0]&b=c",
];

const MODELS: [(&str, &str); 5] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("acme", "unheard-of-1"),
    ("openai", "text-embedding-3-small"),
];

/// A small generator, so that a seed is enough to get the same traffic again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// Spans of `traces` traces.
pub(crate) fn traffic(seed: u64, traces: u64) -> Vec<LandingRow> {
    let mut random = Random(seed);
    let mut rows = Vec::new();
    for number in 0..traces {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&seed.to_be_bytes());
        id[8..].copy_from_slice(&(number + 1).to_be_bytes());
        rows.extend(trace(&mut random, TraceId(id)));
    }
    rows
}

fn trace(random: &mut Random, trace: TraceId) -> Vec<LandingRow> {
    let quarter = 900_000_000;
    let mut start_us = START_US + i64::try_from(random.below(DAYS as u64 * 96)).unwrap() * quarter;
    if random.chance(80) {
        start_us += i64::try_from(random.below(900_000_000)).unwrap();
    }
    let service = random.pick(&["web", "agents", "", HOSTILE[1]]);
    let mut spans = vec![Span {
        kind: FrameKind::Request,
        label: random
            .pick(&["POST /chat", "GET /search", HOSTILE[0]])
            .into(),
        attribution: Arc::new(root_attribution(random)),
        ..span(trace, 1, None, service, start_us)
    }];
    for number in 2..3 + random.below(9) {
        let above = usize::try_from(random.below(spans.len() as u64)).unwrap();
        let parent = &spans[above];
        let at = parent.start_us
            + i64::try_from(random.below(400_000_000)).unwrap() * i64::from(random.chance(90));
        let new = span(
            trace,
            number,
            Some(parent.span_id),
            random.pick(&[service, "tools"]),
            at,
        );
        spans.push(match random.below(10) {
            0 | 1 => agent(random, new),
            2 | 3 => tool(random, new),
            _ => call(random, new),
        });
    }
    // Every other trace was sampled as a whole, and in some of them one span says otherwise.
    if trace.0[15].is_multiple_of(2) {
        spans[0].weight_milli = 3_333;
        spans[1].weight_milli = [0, 1_000, 12_500][usize::from(trace.0[15] % 3)];
    }
    spans.into_iter().map(|span| landed(random, span)).collect()
}

fn span(trace: TraceId, number: u64, parent: Option<SpanId>, service: &str, start_us: i64) -> Span {
    Span {
        trace_id: trace,
        span_id: SpanId(number.to_be_bytes()),
        parent_span_id: parent,
        service: service.into(),
        kind: FrameKind::Step,
        label: "step".into(),
        span_kind: SpanKind::Internal,
        start_us,
        end_us: start_us + 500_000,
        error: false,
        role: Role::Plain,
        call: None,
        attribution: Arc::default(),
        above: Vec::new(),
        signal: Signal::Span,
        emitter: "test@1.0".into(),
        instance: None,
        links: Vec::new(),
        attribute_count: 1,
        content_hash: number,
        weight_milli: 0,
    }
}

fn root_attribution(random: &mut Random) -> Attribution {
    let mut maybe = |values: &[&str]| random.chance(60).then(|| Text::from(random.pick(values)));
    Attribution {
        environment: maybe(&["prod", "test"]),
        feature: maybe(&["chat", "search", HOSTILE[3]]),
        user: maybe(&["ann", "bob", "", HOSTILE[0], HOSTILE[4]]),
        session: maybe(&["s1", "s2", "s3"]),
        prompt: maybe(&["greet", HOSTILE[2]]),
        prompt_version: maybe(&["1", "2"]),
        tags: [
            ("team", maybe(&["blue", "red", HOSTILE[5]])),
            (HOSTILE[5], maybe(&["x", "y"])),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((Text::from(key), value?)))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_iter()
        .collect(),
        ..Attribution::default()
    }
}

/// An agent; sometimes it repeats what its calls used.
fn agent(random: &mut Random, span: Span) -> Span {
    let span = Span {
        kind: FrameKind::Agent,
        label: random.pick(&["planner", "writer"]).into(),
        ..span
    };
    if random.chance(50) {
        return span;
    }
    Span {
        role: Role::Aggregate,
        call: Some(usage(random, &span)),
        ..span
    }
}

fn tool(random: &mut Random, span: Span) -> Span {
    Span {
        kind: FrameKind::Tool,
        label: random.pick(&["search", "fetch", HOSTILE[2]]).into(),
        ..span
    }
}

fn call(random: &mut Random, span: Span) -> Span {
    let call = usage(random, &span);
    let label = call
        .request_model
        .clone()
        .unwrap_or_else(|| "unknown".into());
    Span {
        kind: FrameKind::Model,
        label,
        span_kind: SpanKind::Client,
        role: Role::Call,
        error: random.chance(10),
        call: Some(call),
        ..span
    }
}

fn usage(random: &mut Random, span: &Span) -> Call {
    let (provider, model) = MODELS[usize::try_from(random.below(MODELS.len() as u64)).unwrap()];
    let mut usage = Usage::default();
    usage.set(TokenClass::Input, 1 + random.below(100_000));
    usage.set(TokenClass::Output, random.below(3_000));
    if random.chance(40) {
        usage.set(TokenClass::CacheRead, random.below(50_000));
    }
    let named =
        |percent, name: &str, random: &mut Random| random.chance(percent).then(|| Text::from(name));
    let elsewhere = random.chance(5);
    let response = if elsewhere {
        format!("chatcmpl-9a8b7c6d5e4f3a2b1c0d{:04}", random.below(4))
    } else {
        format!("chatcmpl-{}{}", span.trace_id, span.span_id)
    };
    Call {
        operation: named(90, "chat", random),
        provider: named(95, provider, random),
        request_model: Some(model.into()),
        response_model: named(30, model, random),
        response_id: named(70, &response, random),
        usage,
        cost: None,
    }
}

fn landed(random: &mut Random, mut span: Span) -> LandingRow {
    let receipt = span.call.as_mut().map(|call| {
        let request = PriceRequest {
            provider: call.provider.as_deref(),
            request_model: call.request_model.as_deref(),
            response_model: call.response_model.as_deref(),
            ..PriceRequest::default()
        };
        let normal = costflame_pricing::Normal {
            usage: call.usage,
            ..costflame_pricing::Normal::default()
        };
        let mut receipt = Catalog::embedded().price(&request, Some(&normal));
        if random.chance(20) {
            receipt.flags.insert(Flag::Estimated);
        }
        call.cost = receipt.cost;
        receipt
    });
    LandingRow {
        project: 1,
        received_us: START_US + DAYS * DAY_US,
        span,
        receipt,
        sent: Sent::default(),
    }
}

/// Lands rows and settles everything that is dirty.
pub(crate) async fn land_and_settle(store: &Store, rows: &[LandingRow]) {
    store.commit(rows, &[]).await.unwrap();
    let now_us = START_US + DAYS * DAY_US + 60_000_000;
    let leases = store.lease_lanes("test", now_us, 60_000_000).await.unwrap();
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let page = store
        .marks_after(&lanes, MarkId::default(), 1_000_000)
        .await
        .unwrap();
    store.settle(&leases, &Due::of(&page.marks)).await.unwrap();
}
