//! A decoded span: borrowed from the request's bytes, attributes in the order received.

use costflame_profile::{SpanId, SpanKind, TraceId};

/// One attribute value. Arrays and maps stay undecoded until somebody asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// UTF-8 text.
    Str(&'a str),
    /// Boolean.
    Bool(bool),
    /// Signed integer.
    Int(i64),
    /// Double.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Protobuf bytes of an `ArrayValue`, nesting already checked.
    Array(&'a [u8]),
    /// Protobuf bytes of a `KeyValueList`, nesting already checked.
    Map(&'a [u8]),
    /// An `AnyValue` without a value.
    Empty,
}

/// Attributes of a resource, scope or span. The first of equal keys wins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attributes<'a>(pub &'a [(&'a str, Value<'a>)]);

impl<'a> Attributes<'a> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.0
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| *value)
    }

    /// The value of a key if it is text that is not empty.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        match self.get(key) {
            Some(Value::Str(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// The resource a span was emitted from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resource<'a> {
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// The instrumentation scope that emitted a span.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scope<'a> {
    /// Name; empty if none.
    pub name: &'a str,
    /// Version; empty if none.
    pub version: &'a str,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// Status code of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not set.
    #[default]
    Unset,
    /// Explicitly fine.
    Ok,
    /// Failed.
    Error,
}

/// One span, checked: ids are not zero, the end is not before the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// `None` = a root.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state; empty if none.
    pub trace_state: &'a str,
    /// Name as sent.
    pub name: &'a str,
    /// OTLP kind.
    pub kind: SpanKind,
    /// Start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// End, microseconds since 1970 UTC, never before the start.
    pub end_us: i64,
    /// Status code.
    pub status: Status,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// Protobuf bytes of each event.
    pub events: &'a [&'a [u8]],
    /// Trace ids of the links.
    pub links: &'a [TraceId],
    /// Attributes the emitter says it dropped.
    pub dropped_attributes: u32,
    /// OTLP flags.
    pub flags: u32,
}

/// One point of a counter: what was counted from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point<'a> {
    /// Name of the metric.
    pub metric: &'a str,
    /// Points of one stream repeat their start and what was counted since; otherwise each says what came after the one before.
    pub cumulative: bool,
    /// Microseconds since 1970 UTC; 0 = not known.
    pub start_us: i64,
    /// Microseconds since 1970 UTC.
    pub end_us: i64,
    /// An integer or a double.
    pub value: Value<'a>,
    /// Attributes.
    pub attributes: Attributes<'a>,
}

/// One log record: a trace or span id that is missing, zero or of another length is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogRecord<'a> {
    /// The trace it was written in.
    pub trace_id: Option<TraceId>,
    /// The span it was written in.
    pub span_id: Option<SpanId>,
    /// When it happened, else when it was observed; microseconds since 1970 UTC.
    pub time_us: i64,
    /// Name of the event; empty if none.
    pub event_name: &'a str,
    /// Attributes, then the entries of a body that is a map.
    pub attributes: Attributes<'a>,
}
