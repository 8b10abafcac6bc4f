//! From the bytes of an `ExportLogsServiceRequest` to borrowed log records, one after the other.

use costflame_profile::{SpanId, TraceId};

use super::{
    check::check,
    envelope::{Envelope, ReadRecord, ScopeName, id, microseconds},
    limits::Limits,
    outcome::DecodeError,
    schema::LOGS,
    span::{Attributes, LogRecord, Resource, Scope},
    value::any_value,
    wire::{Reader, WireError},
};

/// Walks the log records of a request in the order received and returns their number. What `visit` is given lives as long
/// as its call.
///
/// Nothing is visited unless all of the body is well-formed and within the bounds of a request. A record with more or
/// deeper attributes than the bounds allow is no event of a model call: it is not visited, and nobody is told.
///
/// # Errors
/// The body is not OTLP or exceeds a bound that refuses the request.
pub fn walk_logs(
    body: &[u8],
    limits: &Limits,
    visit: impl FnMut(&Resource<'_>, &Scope<'_>, &LogRecord<'_>),
) -> Result<u64, DecodeError> {
    limits.check_size(body.len())?;
    check(&LOGS, Reader::new(body), limits.depth())?;
    let mut envelope = Envelope::new(limits);
    envelope.walk(Reader::new(body), &mut Records { visit })?;
    Ok(envelope.outcome.spans)
}

struct Records<V> {
    visit: V,
}

impl<'a, V: FnMut(&Resource<'_>, &Scope<'_>, &LogRecord<'_>)> ReadRecord<'a> for Records<V> {
    fn record(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        mut reader: Reader<'a>,
        scope: ScopeName<'a>,
    ) -> Result<(), WireError> {
        envelope.outcome.spans += 1;
        let mut record = LogRecord::default();
        let (mut time, mut observed) = (0, 0);
        let mut body = None;
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => time = field.fixed64()?,
                11 => observed = field.fixed64()?,
                5 => body = Some(any_value(field.message()?)?),
                6 => envelope.attribute(field.message()?)?,
                9 => record.trace_id = id(field.bytes()?).map(TraceId),
                10 => record.span_id = id(field.bytes()?).map(SpanId),
                12 => record.event_name = envelope.text(field.bytes()?),
                _ => {}
            }
        }
        let is_too_wide = envelope.attribute_count > envelope.limits.max_attributes_per_span;
        if is_too_wide || envelope.too_deep {
            return Ok(());
        }
        // Events once had their fields in the body.
        let room = envelope.limits.max_attributes_per_span - envelope.attributes.len();
        let fields = body.iter().flat_map(|body| body.map()).take(room);
        envelope.attributes.extend(fields);
        record.time_us = microseconds(if time == 0 { observed } else { time });
        (self.visit)(
            &envelope.resource(),
            &envelope.scope(scope),
            &LogRecord {
                attributes: Attributes(&envelope.attributes),
                ..record
            },
        );
        Ok(())
    }
}
