//! A span as the cost tree sees it: its place, its frame, and the call it may be.

use std::{fmt, sync::Arc};

use costflame_pricing::{Usage, Usd};
use serde::{Deserialize, Serialize};

use crate::{Attribution, FrameKind};

/// Shared immutable text; most texts repeat over many spans.
pub type Text = Arc<str>;

/// 16 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TraceId(pub [u8; 16]);

/// 8 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpanId(pub [u8; 8]);

macro_rules! hex_text {
    ($id:ty) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
hex_text!(TraceId);
hex_text!(SpanId);

/// Whether a span is a model call, repeats the usage of others, or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Role {
    /// No usage of its own.
    #[default]
    Plain = 0,
    /// One model call.
    Call = 1,
    /// Repeats or sums the usage of calls (agent, workflow, chain, framework wrapper).
    Aggregate = 2,
}

/// The OTLP signal something was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Signal {
    /// A span.
    #[default]
    Span = 0,
    /// A log record.
    Log = 1,
    /// A metric point.
    Metric = 2,
}

/// `SpanKind` of OTLP; unspecified is read as internal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum SpanKind {
    /// Inside one process.
    #[default]
    Internal = 1,
    /// Answers a remote request.
    Server = 2,
    /// Makes a remote request.
    Client = 3,
    /// Sends a message.
    Producer = 4,
    /// Receives a message.
    Consumer = 5,
}

/// What a dialect read from a span that carries usage, or should.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// `chat`, `embeddings`, `text_completion`, `generate_content`, `rerank`, …
    pub operation: Option<Text>,
    /// Provider in the catalog's spelling where known, else as sent.
    pub provider: Option<Text>,
    /// Model that was asked for.
    pub request_model: Option<Text>,
    /// Model that served.
    pub response_model: Option<Text>,
    /// The provider's id of the response.
    pub response_id: Option<Text>,
    /// Usage in normal form, a copy of the receipt's.
    pub usage: Usage,
    /// Cost, a copy of the receipt's; `None` = unknown.
    pub cost: Option<Usd>,
}

impl Call {
    /// The model to show: the one that served, else the one asked for.
    #[must_use]
    pub fn model(&self) -> Option<&Text> {
        self.response_model.as_ref().or(self.request_model.as_ref())
    }
}

/// Something that is said to lie above a span, by what its frame would be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The frame's kind.
    pub kind: FrameKind,
    /// The frame's label.
    pub label: Text,
}

/// One span of a trace, as landed and as settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its id, unique in the trace.
    pub span_id: SpanId,
    /// `None` = a root.
    pub parent_span_id: Option<SpanId>,
    /// `service.name` of its resource; empty if none.
    pub service: Text,
    /// The frame's kind.
    pub kind: FrameKind,
    /// The frame's label: low cardinality, at most 120 bytes.
    pub label: Text,
    /// OTLP kind.
    pub span_kind: SpanKind,
    /// Start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// End, microseconds since 1970 UTC, never before the start.
    pub end_us: i64,
    /// Status code ERROR.
    pub error: bool,
    /// Whether it is a call.
    pub role: Role,
    /// Set exactly when `role` is not plain.
    pub call: Option<Call>,
    /// Values found on this span and its resource, before inheritance.
    pub attribution: Arc<Attribution>,
    /// What it says lies above it, outermost first; empty where it says nothing. Asked only where its parent is missing.
    pub above: Vec<Step>,
    /// Where it came from.
    pub signal: Signal,
    /// Instrumentation scope name and version, `name@version`; empty if none.
    pub emitter: Text,
    /// Process identity: `service.instance.id`, else `host.name`/`process.pid`; `None` if neither is present.
    pub instance: Option<Text>,
    /// Trace ids this span links to.
    pub links: Vec<TraceId>,
    /// Number of attributes, before any bound was applied.
    pub attribute_count: u32,
    /// xxh3-64 of everything above that was read; same id and same hash = the same span.
    pub content_hash: u64,
    /// Adjusted count in thousandths: how many spans this one stands for, as its sampler says; 1000 = itself alone,
    /// 0 = nothing is said, so that of the span above holds.
    pub weight_milli: u32,
}
