//! What a visitor saw, owned, so that two walks can be compared.

use costflame_collector::decode::{
    Attributes, DecodeError, Limits, Outcome, Status, Value, event, walk_traces,
};
use costflame_profile::{SpanId, SpanKind, TraceId};

pub(crate) type List = Vec<(String, Owned)>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Owned {
    Str(String),
    Bool(bool),
    Int(i64),
    /// The bits, so that NaN equals NaN.
    Double(u64),
    Bytes(Vec<u8>),
    Array(Vec<Owned>),
    Map(List),
    Empty,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) resource: List,
    pub(crate) scope: (String, String, List),
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent_span_id: Option<SpanId>,
    pub(crate) trace_state: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) times_us: (i64, i64),
    pub(crate) status: Status,
    pub(crate) attributes: List,
    pub(crate) events: Vec<(String, i64, List)>,
    pub(crate) links: Vec<TraceId>,
    pub(crate) dropped_attributes: u32,
    pub(crate) flags: u32,
}

fn owned(value: Value<'_>) -> Owned {
    match value {
        Value::Str(text) => Owned::Str(text.into()),
        Value::Bool(flag) => Owned::Bool(flag),
        Value::Int(number) => Owned::Int(number),
        Value::Double(number) => Owned::Double(number.to_bits()),
        Value::Bytes(bytes) => Owned::Bytes(bytes.into()),
        Value::Array(_) => Owned::Array(value.array().map(owned).collect()),
        Value::Map(_) => Owned::Map(list(value.map())),
        Value::Empty => Owned::Empty,
    }
}

fn list<'a>(entries: impl Iterator<Item = (&'a str, Value<'a>)>) -> List {
    entries
        .map(|(key, value)| (key.into(), owned(value)))
        .collect()
}

fn all(attributes: Attributes<'_>) -> List {
    list(attributes.0.iter().copied())
}

/// Walks a body with default limits and reads every value, event and link.
pub(crate) fn walk(body: &[u8]) -> Result<(Outcome, Vec<Seen>), DecodeError> {
    let mut seen = Vec::new();
    let outcome = walk_traces(body, &Limits::default(), |resource, scope, span| {
        let events = span.events.iter().map(|bytes| {
            let (name, time, attributes) = event(bytes).expect("the walker checked the event");
            (name.to_owned(), time, list(attributes))
        });
        seen.push(Seen {
            resource: all(resource.attributes),
            scope: (
                scope.name.into(),
                scope.version.into(),
                all(scope.attributes),
            ),
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            trace_state: span.trace_state.into(),
            name: span.name.into(),
            kind: span.kind,
            times_us: (span.start_us, span.end_us),
            status: span.status,
            attributes: all(span.attributes),
            events: events.collect(),
            links: span.links.to_vec(),
            dropped_attributes: span.dropped_attributes,
            flags: span.flags,
        });
    })?;
    Ok((outcome, seen))
}
