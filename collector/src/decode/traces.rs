//! From the bytes of an `ExportTraceServiceRequest` to borrowed spans, one after the other.

use costflame_profile::{SpanId, SpanKind, TraceId};

use super::{
    check::{Nesting, check, count_records},
    envelope::{Envelope, ReadRecord, ScopeName, id, microseconds},
    limits::Limits,
    outcome::{Adjustment, DecodeError, Outcome, Reason, Refusal},
    schema::{KEY_VALUE, TRACES},
    span::{Attributes, Resource, Scope, Span, Status},
    wire::{Reader, WireError},
};

/// Walks the spans of a request in the order received. What `visit` is given lives as long as its call.
///
/// Nothing is visited unless all of the body is well-formed and within the bounds of a request. No
/// memory is taken per span, only for the widest span of the request.
///
/// # Errors
/// The body is not OTLP or exceeds a bound that refuses the request. A span that can never be accepted is no error: it
/// is counted in the outcome and not visited.
pub fn walk_traces(
    body: &[u8],
    limits: &Limits,
    visit: impl FnMut(&Resource<'_>, &Scope<'_>, &Span<'_>),
) -> Result<Outcome, DecodeError> {
    limits.check_size(body.len())?;
    count_records(&TRACES, body, limits.max_spans_per_request)?;
    check(&TRACES, Reader::new(body), limits.depth())?;
    let mut envelope = Envelope::new(limits);
    let mut spans = Spans {
        visit,
        events: Vec::new(),
        links: Vec::new(),
    };
    envelope.walk(Reader::new(body), &mut spans)?;
    Ok(envelope.outcome)
}

/// Reads spans; the lists are reused from span to span.
struct Spans<'a, V> {
    visit: V,
    events: Vec<&'a [u8]>,
    links: Vec<TraceId>,
}

/// The fields of a span as sent.
#[derive(Default)]
struct Raw<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    trace_state: &'a [u8],
    name: &'a [u8],
    kind: u64,
    start: u64,
    end: u64,
    status: Status,
    dropped_attributes: u32,
    flags: u32,
}

impl<'a, V: FnMut(&Resource<'_>, &Scope<'_>, &Span<'_>)> ReadRecord<'a> for Spans<'a, V> {
    fn record(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        reader: Reader<'a>,
        scope: ScopeName<'a>,
    ) -> Result<(), WireError> {
        let index = envelope.outcome.spans;
        envelope.outcome.spans += 1;
        let raw = self.raw_span(envelope, reader)?;
        let span = match checked(envelope, &raw) {
            Ok(span) => span,
            Err(refusal) => {
                envelope.outcome.reject(index, refusal);
                return Ok(());
            }
        };
        envelope.outcome.accepted += 1;
        (self.visit)(
            &envelope.resource(),
            &envelope.scope(scope),
            &Span {
                attributes: Attributes(&envelope.attributes),
                events: &self.events,
                links: &self.links,
                ..span
            },
        );
        Ok(())
    }
}

impl<'a, V> Spans<'a, V> {
    fn raw_span(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        mut reader: Reader<'a>,
    ) -> Result<Raw<'a>, WireError> {
        self.events.clear();
        self.links.clear();
        let mut raw = Raw::default();
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => raw.trace_id = field.bytes()?,
                2 => raw.span_id = field.bytes()?,
                3 => raw.trace_state = field.bytes()?,
                4 => raw.parent_span_id = field.bytes()?,
                5 => raw.name = field.bytes()?,
                6 => raw.kind = field.varint()?,
                7 => raw.start = field.fixed64()?,
                8 => raw.end = field.fixed64()?,
                9 => envelope.attribute(field.message()?)?,
                10 => raw.dropped_attributes = field.varint()? as u32,
                11 => self.event(envelope, field.message()?)?,
                13 => self.link(envelope, field.message()?)?,
                15 => raw.status = status(field.message()?, raw.status)?,
                16 => raw.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(raw)
    }

    fn event(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        reader: Reader<'a>,
    ) -> Result<(), WireError> {
        if self.events.len() >= envelope.limits.max_events_per_span {
            envelope.outcome.adjust(Adjustment::Event);
            return Ok(());
        }
        self.events.push(reader.bytes());
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 3
                && check(&KEY_VALUE, field.message()?, envelope.limits.depth())? == Nesting::TooDeep
            {
                envelope.too_deep = true;
            }
        }
        Ok(())
    }

    fn link(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        mut reader: Reader<'a>,
    ) -> Result<(), WireError> {
        if self.links.len() >= envelope.limits.max_links_per_span {
            envelope.outcome.adjust(Adjustment::Link);
            return Ok(());
        }
        let mut trace_id: &[u8] = &[];
        while let Some(field) = reader.next_field()? {
            if field.number == 1 {
                trace_id = field.bytes()?;
            }
        }
        match id(trace_id) {
            Some(trace_id) => self.links.push(TraceId(trace_id)),
            None => envelope.outcome.adjust(Adjustment::BadLink),
        }
        Ok(())
    }
}

/// The span without what is in the reused lists.
fn checked<'a>(envelope: &mut Envelope<'a, '_>, raw: &Raw<'a>) -> Result<Span<'a>, Refusal> {
    let refuse = |reason, found| Refusal { reason, found };
    let trace_id = id(raw.trace_id).ok_or(refuse(Reason::TraceId, raw.trace_id.len()))?;
    let span_id = id(raw.span_id).ok_or(refuse(Reason::SpanId, raw.span_id.len()))?;
    if !matches!(raw.parent_span_id.len(), 0 | 8) {
        return Err(refuse(Reason::ParentSpanId, raw.parent_span_id.len()));
    }
    let name = str::from_utf8(raw.name).map_err(|_| refuse(Reason::Name, 0))?;
    if envelope.attribute_count > envelope.limits.max_attributes_per_span {
        return Err(refuse(Reason::Attributes, envelope.attribute_count));
    }
    if envelope.too_deep {
        return Err(refuse(Reason::Depth, envelope.limits.depth()));
    }
    let (start_us, end_us) = times(envelope, raw.start, raw.end);
    Ok(Span {
        trace_id: TraceId(trace_id),
        span_id: SpanId(span_id),
        parent_span_id: id(raw.parent_span_id).map(SpanId),
        trace_state: trace_state(envelope, raw.trace_state),
        name: envelope.cut(name),
        kind: kind(raw.kind),
        start_us,
        end_us,
        status: raw.status,
        attributes: Attributes(&[]),
        events: &[],
        links: &[],
        dropped_attributes: raw.dropped_attributes,
        flags: raw.flags,
    })
}

fn times(envelope: &mut Envelope<'_, '_>, start: u64, end: u64) -> (i64, i64) {
    if start == 0 && end != 0 {
        envelope.outcome.adjust(Adjustment::NoStart);
        return (microseconds(end), microseconds(end));
    }
    if end < start {
        envelope.outcome.adjust(Adjustment::EndBeforeStart);
    }
    (microseconds(start), microseconds(end.max(start)))
}

/// A trace state that is cut would be another one.
fn trace_state<'a>(envelope: &mut Envelope<'a, '_>, bytes: &'a [u8]) -> &'a str {
    if bytes.len() > envelope.limits.max_name_bytes {
        envelope.outcome.adjust(Adjustment::LongName);
        return "";
    }
    envelope.text(bytes)
}

/// Unspecified and unknown kinds are internal.
fn kind(kind: u64) -> SpanKind {
    match kind {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

fn status(mut reader: Reader<'_>, mut status: Status) -> Result<Status, WireError> {
    while let Some(field) = reader.next_field()? {
        if field.number == 3 {
            status = match field.varint()? {
                1 => Status::Ok,
                2 => Status::Error,
                _ => Status::Unset,
            };
        }
    }
    Ok(status)
}
