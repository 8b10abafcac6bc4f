//! Spans for tests, written as lists of attributes.

use costflame_profile::{SpanId, SpanKind, TraceId};

use super::{Recognised, Slots, recognise};
use crate::decode::{Attributes, Scope, Span, Status, Value};

pub(super) fn scope(name: &str) -> Scope<'_> {
    Scope {
        name,
        ..Scope::default()
    }
}

pub(super) fn span<'a>(name: &'a str, attributes: &'a [(&'a str, Value<'a>)]) -> Span<'a> {
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([2; 8]),
        parent_span_id: None,
        trace_state: "",
        name,
        kind: SpanKind::Internal,
        start_us: 1_795_000_000_000_000,
        end_us: 1_795_000_000_500_000,
        status: Status::Unset,
        attributes: Attributes(attributes),
        events: &[],
        links: &[],
        dropped_attributes: 0,
        flags: 0,
    }
}

/// What a span of a scope with these attributes is.
pub(super) fn judge<'a>(
    scope_name: &'a str,
    name: &'a str,
    attributes: &'a [(&'a str, Value<'a>)],
) -> Recognised<'a> {
    let span = span(name, attributes);
    recognise(&scope(scope_name), &span, &Slots::read(span.attributes))
}
