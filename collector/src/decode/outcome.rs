//! What became of a request's spans, in numbers and in a sentence for the sender.

use std::fmt;

use thiserror::Error;

use super::wire::WireError;

/// Why a whole request is refused. None may be retried: the same bytes fail again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not the protobuf of this signal. HTTP 400, gRPC `INVALID_ARGUMENT`.
    #[error("the body is not an OTLP protobuf message: {0}")]
    Protobuf(#[from] WireError),
    /// Not the JSON of this signal. HTTP 400.
    #[error("the body is not an OTLP JSON message: {0}")]
    Json(String),
    /// Larger than a bound. HTTP 413, gRPC `RESOURCE_EXHAUSTED` without retry information.
    #[error("the request has {found} {unit} or more, the bound is {limit}")]
    TooLarge {
        /// What is counted: `bytes`, `spans`, ….
        unit: &'static str,
        /// The count at which reading stopped.
        found: usize,
        /// The bound.
        limit: usize,
    },
}

impl DecodeError {
    /// Whether the client may send the same bytes again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// Whether a bound was hit (HTTP 413, `RESOURCE_EXHAUSTED`) rather than the format (HTTP 400, `INVALID_ARGUMENT`).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }

    /// The reason as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Protobuf(_) => "malformed_protobuf",
            Self::Json(_) => "malformed_json",
            Self::TooLarge { unit: "bytes", .. } => "too_large",
            Self::TooLarge { .. } => "too_many_spans",
        }
    }
}

/// Why one span is refused; it can never be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not 16 bytes, or all zero.
    TraceId,
    /// Not 8 bytes, or all zero.
    SpanId,
    /// Neither empty nor 8 bytes.
    ParentSpanId,
    /// The name is not UTF-8.
    Name,
    /// More attributes than the bound.
    Attributes,
    /// An attribute value nested deeper than the bound.
    Depth,
}

impl Reason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 6] = [
        Self::TraceId,
        Self::SpanId,
        Self::ParentSpanId,
        Self::Name,
        Self::Attributes,
        Self::Depth,
    ];

    /// The reason as a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::TraceId => "bad_trace_id",
            Self::SpanId => "bad_span_id",
            Self::ParentSpanId => "bad_parent_span_id",
            Self::Name => "name_not_utf8",
            Self::Attributes => "too_many_attributes",
            Self::Depth => "nested_too_deeply",
        }
    }
}

/// What was changed or left unread in something that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// The end was before the start and is read as the start.
    EndBeforeStart,
    /// No start: the end is read as the start.
    NoStart,
    /// A name longer than the bound was cut, or a trace state longer than the bound not read.
    LongName,
    /// Scope name, scope version, trace state or an attribute key that is not UTF-8 was not read.
    NotUtf8,
    /// Attribute text that is not UTF-8 is read as bytes.
    TextAsBytes,
    /// An attribute of a resource or scope beyond the bounds was not read.
    EnvelopeAttribute,
    /// An event beyond the bound was not read.
    Event,
    /// A link beyond the bound was not read.
    Link,
    /// A link with a trace id that is zero or not 16 bytes was not read.
    BadLink,
}

impl Adjustment {
    /// All adjustments, in the order of their counters.
    pub const ALL: [Self; 9] = [
        Self::EndBeforeStart,
        Self::NoStart,
        Self::LongName,
        Self::NotUtf8,
        Self::TextAsBytes,
        Self::EnvelopeAttribute,
        Self::Event,
        Self::Link,
        Self::BadLink,
    ];

    /// The adjustment as a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::EndBeforeStart => "end_before_start",
            Self::NoStart => "no_start",
            Self::LongName => "long_name",
            Self::NotUtf8 => "not_utf8",
            Self::TextAsBytes => "text_as_bytes",
            Self::EnvelopeAttribute => "envelope_attribute_unread",
            Self::Event => "event_unread",
            Self::Link => "link_unread",
            Self::BadLink => "bad_link",
        }
    }

    /// Whether a bound was hit, which the sender should hear of.
    fn is_bound(self) -> bool {
        matches!(
            self,
            Self::LongName | Self::EnvelopeAttribute | Self::Event | Self::Link
        )
    }
}

/// What became of the spans of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Spans in the request.
    pub spans: u64,
    /// Spans visited.
    pub accepted: u64,
    /// The first refusal, in English, naming the span by its position in the request (from 0).
    pub first_error: Option<String>,
    rejected: [u64; Reason::ALL.len()],
    adjusted: [u64; Adjustment::ALL.len()],
}

impl Outcome {
    /// Refused spans, over all reasons.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Refused spans by reason, without the zeros.
    pub fn rejected(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL
            .into_iter()
            .zip(self.rejected)
            .filter(|(_, count)| *count > 0)
    }

    /// Adjustments by kind, without the zeros.
    pub fn adjusted(&self) -> impl Iterator<Item = (Adjustment, u64)> + '_ {
        Adjustment::ALL
            .into_iter()
            .zip(self.adjusted)
            .filter(|(_, count)| *count > 0)
    }

    /// What OTLP's `partial_success` has to say: the refused spans and a message. `None` = plain success.
    /// Zero refused spans with a message is a warning: a bound was hit.
    #[must_use]
    pub fn partial_success(&self) -> Option<(i64, String)> {
        let rejected = self.rejected_total();
        if let Some(first) = &self.first_error {
            let message = format!(
                "{rejected} of {} spans refused; the first: {first}",
                self.spans
            );
            return Some((i64::try_from(rejected).unwrap_or(i64::MAX), message));
        }
        let bounds: Vec<_> = self
            .adjusted()
            .filter(|(what, _)| what.is_bound())
            .map(|(what, count)| format!("{} ({count})", what.label()))
            .collect();
        (!bounds.is_empty()).then(|| {
            (
                0,
                format!(
                    "all spans accepted, but bounds were reached: {}",
                    bounds.join(", ")
                ),
            )
        })
    }

    pub(super) fn reject(&mut self, index: u64, refusal: Refusal) {
        self.rejected[refusal.reason as usize] += 1;
        if self.first_error.is_none() {
            self.first_error = Some(format!("span {index}: {refusal}"));
        }
    }

    pub(super) fn adjust(&mut self, what: Adjustment) {
        self.adjusted[what as usize] += 1;
    }
}

/// A refused span: the reason, and the number that makes the message clear.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    /// Bytes of an id, attributes of the span, or the bound of the nesting.
    pub(super) found: usize,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found;
        match self.reason {
            Reason::TraceId => wrong_id(f, "trace id", found, 16),
            Reason::SpanId => wrong_id(f, "span id", found, 8),
            Reason::ParentSpanId => wrong_id(f, "parent span id", found, 8),
            Reason::Name => write!(f, "the name is not UTF-8"),
            Reason::Attributes => write!(f, "{found} attributes are more than the bound allows"),
            Reason::Depth => write!(f, "an attribute value is nested deeper than {found} levels"),
        }
    }
}

fn wrong_id(f: &mut fmt::Formatter<'_>, what: &str, found: usize, expected: usize) -> fmt::Result {
    match found {
        0 => write!(f, "the {what} is missing"),
        _ if found == expected => write!(f, "the {what} is all zero"),
        _ => write!(
            f,
            "the {what} must be {expected} bytes ({} hexadecimal digits in JSON), not {found}",
            2 * expected
        ),
    }
}
