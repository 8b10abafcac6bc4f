//! Short spellings for spans and calls.

use std::sync::Arc;

use costflame_pricing::{TokenClass, Usage, Usd};
use costflame_profile::{
    Attribution, Call, FrameKind, Role, Rule, Settled, Signal, Span, SpanId, SpanKind, Step,
    TraceId, settle,
};

pub(crate) const PROJECT: i32 = 1;

pub(crate) fn id(n: u64) -> SpanId {
    SpanId(n.to_be_bytes())
}

pub(crate) fn trace(n: u64) -> TraceId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    TraceId(bytes)
}

/// Input and output tokens.
pub(crate) fn tokens(input: u64, output: u64) -> Usage {
    classes(&[(TokenClass::Input, input), (TokenClass::Output, output)])
}

pub(crate) fn classes(tokens: &[(TokenClass, u64)]) -> Usage {
    let mut usage = Usage::default();
    tokens.iter().for_each(|(class, n)| usage.set(*class, *n));
    usage
}

/// A plain span `step` of trace 1 at the time of its id, 10 µs long.
pub(crate) fn span(number: u64) -> Span {
    Span {
        trace_id: trace(1),
        span_id: id(number),
        parent_span_id: None,
        service: "app".into(),
        kind: FrameKind::Step,
        label: "step".into(),
        span_kind: SpanKind::Internal,
        start_us: number as i64,
        end_us: number as i64 + 10,
        error: false,
        role: Role::Plain,
        call: None,
        attribution: Arc::default(),
        above: Vec::new(),
        signal: Signal::Span,
        emitter: "".into(),
        instance: None,
        links: Vec::new(),
        attribute_count: 0,
        content_hash: 0,
        weight_milli: 1000,
    }
}

/// A chat call to `gpt-4o`; its cost is 1 pico-dollar per token, unknown without any.
pub(crate) fn call(number: u64, usage: Usage) -> Span {
    let cost = (!usage.is_zero()).then(|| Usd(usage.total() as i64));
    Span {
        kind: FrameKind::Model,
        label: "gpt-4o".into(),
        role: Role::Call,
        call: Some(Call {
            operation: Some("chat".into()),
            request_model: Some("gpt-4o".into()),
            usage,
            cost,
            ..Call::default()
        }),
        ..span(number)
    }
}

/// An agent that sums `usage`.
pub(crate) fn aggregate(number: u64, usage: Usage) -> Span {
    Span {
        kind: FrameKind::Agent,
        label: "agent".into(),
        role: Role::Aggregate,
        ..call(number, usage)
    }
}

pub(crate) trait With: Sized {
    fn under(self, parent: u64) -> Self;
    fn kind(self, kind: FrameKind, label: &str) -> Self;
    fn response(self, id: &str) -> Self;
    fn emitter(self, scope: &str) -> Self;
    fn client(self) -> Self;
    fn at(self, start_us: i64, end_us: i64) -> Self;
    fn attributed(self, set: impl FnOnce(&mut Attribution)) -> Self;
    /// Agents that it says lie above it.
    fn said_below(self, agents: &[&str]) -> Self;
}

impl With for Span {
    fn under(mut self, parent: u64) -> Self {
        self.parent_span_id = Some(id(parent));
        self
    }

    fn kind(mut self, kind: FrameKind, label: &str) -> Self {
        (self.kind, self.label) = (kind, label.into());
        self
    }

    fn response(mut self, id: &str) -> Self {
        self.call.as_mut().expect("a call").response_id = Some(id.into());
        self
    }

    fn emitter(mut self, scope: &str) -> Self {
        self.emitter = scope.into();
        self
    }

    fn client(mut self) -> Self {
        self.span_kind = SpanKind::Client;
        self
    }

    fn at(mut self, start_us: i64, end_us: i64) -> Self {
        (self.start_us, self.end_us) = (start_us, end_us);
        self
    }

    fn attributed(mut self, set: impl FnOnce(&mut Attribution)) -> Self {
        set(Arc::make_mut(&mut self.attribution));
        self
    }

    fn said_below(mut self, agents: &[&str]) -> Self {
        let step = |label: &&str| Step {
            kind: FrameKind::Agent,
            label: (*label).into(),
        };
        self.above = agents.iter().map(step).collect();
        self
    }
}

/// Span numbers of the calls that count.
pub(crate) fn counted(settled: &Settled<Span>) -> Vec<u64> {
    let of = |call| u64::from_be_bytes(settled.span(call).span_id.0);
    let mut numbers: Vec<u64> = settled
        .calls
        .iter()
        .filter(|call| call.counted())
        .map(of)
        .collect();
    numbers.sort_unstable();
    numbers
}

/// (span, rule, span that stands for it) of the calls that do not.
pub(crate) fn excluded(settled: &Settled<Span>) -> Vec<(u64, Rule, u64)> {
    let mut excluded: Vec<_> = settled
        .calls
        .iter()
        .filter_map(|call| {
            let why = call.excluded?;
            let number = u64::from_be_bytes(settled.span(call).span_id.0);
            Some((number, why.rule, u64::from_be_bytes(why.by.0)))
        })
        .collect();
    excluded.sort_unstable();
    excluded
}

pub(crate) fn settled(spans: Vec<Span>) -> Settled<Span> {
    settle(PROJECT, spans)
}

/// The labels on the way to a call, outermost first.
pub(crate) fn path(settled: &Settled<Span>, number: u64) -> Vec<String> {
    let call = settled
        .calls
        .iter()
        .find(|call| settled.span(call).span_id == id(number));
    let mut at = call.map(|call| call.path);
    let mut labels = Vec::new();
    while let Some(path) = at {
        let row = settled
            .paths
            .iter()
            .find(|row| row.id == path)
            .expect("every path has its row");
        labels.push(row.frame.label.to_string());
        at = row.parent;
    }
    labels.reverse();
    labels
}
