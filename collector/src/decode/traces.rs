//! From the bytes of an `ExportTraceServiceRequest` to borrowed spans, one after the other.

use costflame_profile::{SpanId, SpanKind, TraceId};

use super::{
    check::{Nesting, check, count_records},
    limits::Limits,
    outcome::{Adjustment, DecodeError, Outcome, Reason, Refusal},
    schema::{KEY_VALUE, TRACES},
    span::{Attributes, Resource, Scope, Span, Status, Value},
    value::key_value,
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
    let mut walker = Walker {
        limits,
        visit,
        outcome: Outcome::default(),
        scratch: Scratch::default(),
    };
    walker.request(Reader::new(body))?;
    Ok(walker.outcome)
}

/// Microseconds from nanoseconds, rounded down; any u64 fits.
pub(super) fn microseconds(nanoseconds: u64) -> i64 {
    (nanoseconds / 1_000).cast_signed()
}

type List<'a> = Vec<(&'a str, Value<'a>)>;

/// Reused from span to span.
#[derive(Default)]
struct Scratch<'a> {
    resource: List<'a>,
    scope: List<'a>,
    attributes: List<'a>,
    events: Vec<&'a [u8]>,
    links: Vec<TraceId>,
}

struct Walker<'a, 'l, V> {
    limits: &'l Limits,
    visit: V,
    outcome: Outcome,
    scratch: Scratch<'a>,
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
    attribute_count: usize,
    dropped_attributes: u32,
    flags: u32,
    too_deep: bool,
}

#[derive(Clone, Copy)]
struct ScopeName<'a> {
    name: &'a str,
    version: &'a str,
}

impl<'a, V: FnMut(&Resource<'_>, &Scope<'_>, &Span<'_>)> Walker<'a, '_, V> {
    fn request(&mut self, mut request: Reader<'a>) -> Result<(), WireError> {
        while let Some(field) = request.next_field()? {
            if field.number == 1 {
                self.resource_spans(field.message()?)?;
            }
        }
        Ok(())
    }

    /// The resource may come after its spans: fields have no order in protobuf.
    fn resource_spans(&mut self, reader: Reader<'a>) -> Result<(), WireError> {
        self.scratch.resource.clear();
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                self.resource(field.message()?)?;
            }
        }
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.scope_spans(field.message()?)?;
            }
        }
        Ok(())
    }

    fn resource(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        while let Some(field) = reader.next_field()? {
            if field.number == 1 {
                envelope_attribute(
                    field.message()?,
                    &mut self.scratch.resource,
                    self.limits,
                    &mut self.outcome,
                )?;
            }
        }
        Ok(())
    }

    fn scope_spans(&mut self, reader: Reader<'a>) -> Result<(), WireError> {
        self.scratch.scope.clear();
        let mut scope = ScopeName {
            name: "",
            version: "",
        };
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                self.scope(field.message()?, &mut scope)?;
            }
        }
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.span(field.message()?, scope)?;
            }
        }
        Ok(())
    }

    fn scope(
        &mut self,
        mut reader: Reader<'a>,
        scope: &mut ScopeName<'a>,
    ) -> Result<(), WireError> {
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => scope.name = self.text(field.bytes()?),
                2 => scope.version = self.text(field.bytes()?),
                3 => envelope_attribute(
                    field.message()?,
                    &mut self.scratch.scope,
                    self.limits,
                    &mut self.outcome,
                )?,
                _ => {}
            }
        }
        Ok(())
    }

    fn span(&mut self, reader: Reader<'a>, scope: ScopeName<'a>) -> Result<(), WireError> {
        let index = self.outcome.spans;
        self.outcome.spans += 1;
        let raw = self.raw_span(reader)?;
        let span = match self.checked(&raw) {
            Ok(span) => span,
            Err(refusal) => {
                self.outcome.reject(index, refusal);
                return Ok(());
            }
        };
        self.outcome.accepted += 1;
        let Scratch {
            resource,
            scope: scope_attributes,
            attributes,
            events,
            links,
        } = &self.scratch;
        let resource = Resource {
            attributes: Attributes(resource),
        };
        let scope = Scope {
            name: scope.name,
            version: scope.version,
            attributes: Attributes(scope_attributes),
        };
        (self.visit)(
            &resource,
            &scope,
            &Span {
                attributes: Attributes(attributes),
                events,
                links,
                ..span
            },
        );
        Ok(())
    }

    fn raw_span(&mut self, mut reader: Reader<'a>) -> Result<Raw<'a>, WireError> {
        self.scratch.attributes.clear();
        self.scratch.events.clear();
        self.scratch.links.clear();
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
                9 => self.attribute(field.message()?, &mut raw)?,
                10 => raw.dropped_attributes = field.varint()? as u32,
                11 => self.event(field.message()?, &mut raw)?,
                13 => self.link(field.message()?)?,
                15 => raw.status = status(field.message()?, raw.status)?,
                16 => raw.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(raw)
    }

    fn attribute(&mut self, reader: Reader<'a>, raw: &mut Raw<'a>) -> Result<(), WireError> {
        raw.attribute_count += 1;
        if raw.attribute_count > self.limits.max_attributes_per_span {
            return Ok(());
        }
        match attribute(
            reader,
            &mut self.scratch.attributes,
            self.limits,
            &mut self.outcome,
        )? {
            Nesting::Fine => {}
            Nesting::TooDeep => raw.too_deep = true,
        }
        Ok(())
    }

    fn event(&mut self, reader: Reader<'a>, raw: &mut Raw<'a>) -> Result<(), WireError> {
        if self.scratch.events.len() >= self.limits.max_events_per_span {
            self.outcome.adjust(Adjustment::Event);
            return Ok(());
        }
        self.scratch.events.push(reader.bytes());
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 3
                && check(&KEY_VALUE, field.message()?, self.limits.depth())? == Nesting::TooDeep
            {
                raw.too_deep = true;
            }
        }
        Ok(())
    }

    fn link(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        if self.scratch.links.len() >= self.limits.max_links_per_span {
            self.outcome.adjust(Adjustment::Link);
            return Ok(());
        }
        let mut trace_id: &[u8] = &[];
        while let Some(field) = reader.next_field()? {
            if field.number == 1 {
                trace_id = field.bytes()?;
            }
        }
        match id(trace_id) {
            Some(trace_id) => self.scratch.links.push(TraceId(trace_id)),
            None => self.outcome.adjust(Adjustment::BadLink),
        }
        Ok(())
    }

    /// The span without what is in the scratch space.
    fn checked(&mut self, raw: &Raw<'a>) -> Result<Span<'a>, Refusal> {
        let refuse = |reason, found| Refusal { reason, found };
        let trace_id = id(raw.trace_id).ok_or(refuse(Reason::TraceId, raw.trace_id.len()))?;
        let span_id = id(raw.span_id).ok_or(refuse(Reason::SpanId, raw.span_id.len()))?;
        if !matches!(raw.parent_span_id.len(), 0 | 8) {
            return Err(refuse(Reason::ParentSpanId, raw.parent_span_id.len()));
        }
        let name = str::from_utf8(raw.name).map_err(|_| refuse(Reason::Name, 0))?;
        if raw.attribute_count > self.limits.max_attributes_per_span {
            return Err(refuse(Reason::Attributes, raw.attribute_count));
        }
        if raw.too_deep {
            return Err(refuse(Reason::Depth, self.limits.depth()));
        }
        let (start_us, end_us) = self.times(raw.start, raw.end);
        Ok(Span {
            trace_id: TraceId(trace_id),
            span_id: SpanId(span_id),
            parent_span_id: id(raw.parent_span_id).map(SpanId),
            trace_state: self.trace_state(raw.trace_state),
            name: self.cut(name),
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

    fn times(&mut self, start: u64, end: u64) -> (i64, i64) {
        if start == 0 && end != 0 {
            self.outcome.adjust(Adjustment::NoStart);
            return (microseconds(end), microseconds(end));
        }
        if end < start {
            self.outcome.adjust(Adjustment::EndBeforeStart);
        }
        (microseconds(start), microseconds(end.max(start)))
    }

    fn text(&mut self, bytes: &'a [u8]) -> &'a str {
        match str::from_utf8(bytes) {
            Ok(text) => self.cut(text),
            Err(_) => {
                self.outcome.adjust(Adjustment::NotUtf8);
                ""
            }
        }
    }

    fn cut(&mut self, text: &'a str) -> &'a str {
        if text.len() <= self.limits.max_name_bytes {
            return text;
        }
        self.outcome.adjust(Adjustment::LongName);
        &text[..text.floor_char_boundary(self.limits.max_name_bytes)]
    }

    /// A trace state that is cut would be another one.
    fn trace_state(&mut self, bytes: &'a [u8]) -> &'a str {
        if bytes.len() > self.limits.max_name_bytes {
            self.outcome.adjust(Adjustment::LongName);
            return "";
        }
        self.text(bytes)
    }
}

/// Reads an attribute of a resource or scope: one bad attribute must not cost all the spans below.
fn envelope_attribute<'a>(
    reader: Reader<'a>,
    list: &mut List<'a>,
    limits: &Limits,
    outcome: &mut Outcome,
) -> Result<(), WireError> {
    let is_full = list.len() >= limits.max_attributes_per_envelope;
    if is_full || attribute(reader, list, limits, outcome)? == Nesting::TooDeep {
        outcome.adjust(Adjustment::EnvelopeAttribute);
    }
    Ok(())
}

/// Adds an attribute to a list, unless its key is not UTF-8 or its value is nested too deeply.
fn attribute<'a>(
    reader: Reader<'a>,
    list: &mut List<'a>,
    limits: &Limits,
    outcome: &mut Outcome,
) -> Result<Nesting, WireError> {
    let entry = key_value(reader)?;
    let is_nested = matches!(entry.value, Value::Array(_) | Value::Map(_));
    if is_nested && check(&KEY_VALUE, reader, limits.depth())? == Nesting::TooDeep {
        return Ok(Nesting::TooDeep);
    }
    if entry.damaged {
        outcome.adjust(Adjustment::TextAsBytes);
    }
    match entry.key {
        Ok(key) => list.push((key, entry.value)),
        Err(_) => outcome.adjust(Adjustment::NotUtf8),
    }
    Ok(Nesting::Fine)
}

/// An id of the right length that is not all zero.
fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = bytes.try_into().ok()?;
    (id != [0; N]).then_some(id)
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
