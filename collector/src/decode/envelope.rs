//! What spans and log records have in common on the wire: resource, scope and attributes around and on a record.

use super::{
    check::{Nesting, check},
    limits::Limits,
    outcome::{Adjustment, Outcome},
    schema::KEY_VALUE,
    span::{Attributes, Resource, Scope, Value},
    value::key_value,
    wire::{Reader, WireError},
};

pub(super) type List<'a> = Vec<(&'a str, Value<'a>)>;

/// Walks a request down to its records. The lists are reused from record to record.
pub(super) struct Envelope<'a, 'l> {
    pub(super) limits: &'l Limits,
    pub(super) outcome: Outcome,
    /// Attributes of the record, as far as read.
    pub(super) attributes: List<'a>,
    /// How many attributes it has.
    pub(super) attribute_count: usize,
    /// An attribute of it is nested deeper than the bound.
    pub(super) too_deep: bool,
    resource: List<'a>,
    scope: List<'a>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct ScopeName<'a> {
    name: &'a str,
    version: &'a str,
}

/// Reads the records of a request.
pub(super) trait ReadRecord<'a> {
    fn record(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        reader: Reader<'a>,
        scope: ScopeName<'a>,
    ) -> Result<(), WireError>;

    /// All records of a scope have been read.
    fn end_of_scope(&mut self, _: &mut Envelope<'a, '_>, _: ScopeName<'a>) {}
}

impl<'a, 'l> Envelope<'a, 'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            outcome: Outcome::default(),
            attributes: Vec::new(),
            attribute_count: 0,
            too_deep: false,
            resource: Vec::new(),
            scope: Vec::new(),
        }
    }

    /// Hands every record of an export request to `records`, in the order received.
    pub(super) fn walk(
        &mut self,
        mut request: Reader<'a>,
        records: &mut impl ReadRecord<'a>,
    ) -> Result<(), WireError> {
        while let Some(field) = request.next_field()? {
            if field.number == 1 {
                self.resource_records(field.message()?, records)?;
            }
        }
        Ok(())
    }

    /// The resource may come after its records: fields have no order in protobuf.
    fn resource_records(
        &mut self,
        reader: Reader<'a>,
        records: &mut impl ReadRecord<'a>,
    ) -> Result<(), WireError> {
        self.resource.clear();
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                self.read_resource(field.message()?)?;
            }
        }
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.scope_records(field.message()?, records)?;
            }
        }
        Ok(())
    }

    fn read_resource(&mut self, mut reader: Reader<'a>) -> Result<(), WireError> {
        while let Some(field) = reader.next_field()? {
            if field.number == 1 {
                envelope_attribute(
                    field.message()?,
                    &mut self.resource,
                    self.limits,
                    &mut self.outcome,
                )?;
            }
        }
        Ok(())
    }

    fn scope_records(
        &mut self,
        reader: Reader<'a>,
        records: &mut impl ReadRecord<'a>,
    ) -> Result<(), WireError> {
        self.scope.clear();
        let mut scope = ScopeName::default();
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                self.read_scope(field.message()?, &mut scope)?;
            }
        }
        let mut fields = reader;
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.attributes.clear();
                (self.attribute_count, self.too_deep) = (0, false);
                records.record(self, field.message()?, scope)?;
            }
        }
        records.end_of_scope(self, scope);
        Ok(())
    }

    fn read_scope(
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
                    &mut self.scope,
                    self.limits,
                    &mut self.outcome,
                )?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads an attribute of the record.
    pub(super) fn attribute(&mut self, reader: Reader<'a>) -> Result<(), WireError> {
        self.attribute_count += 1;
        if self.attribute_count > self.limits.max_attributes_per_span {
            return Ok(());
        }
        match attribute(reader, &mut self.attributes, self.limits, &mut self.outcome)? {
            Nesting::Fine => {}
            Nesting::TooDeep => self.too_deep = true,
        }
        Ok(())
    }

    /// The resource of the record.
    pub(super) fn resource(&self) -> Resource<'_> {
        Resource {
            attributes: Attributes(&self.resource),
        }
    }

    /// The scope of the record.
    pub(super) fn scope<'s>(&'s self, scope: ScopeName<'s>) -> Scope<'s> {
        Scope {
            name: scope.name,
            version: scope.version,
            attributes: Attributes(&self.scope),
        }
    }

    pub(super) fn text(&mut self, bytes: &'a [u8]) -> &'a str {
        match str::from_utf8(bytes) {
            Ok(text) => self.cut(text),
            Err(_) => {
                self.outcome.adjust(Adjustment::NotUtf8);
                ""
            }
        }
    }

    pub(super) fn cut(&mut self, text: &'a str) -> &'a str {
        if text.len() <= self.limits.max_name_bytes {
            return text;
        }
        self.outcome.adjust(Adjustment::LongName);
        &text[..text.floor_char_boundary(self.limits.max_name_bytes)]
    }
}

/// Reads an attribute of a resource or scope: one bad attribute must not cost all the records below.
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
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = bytes.try_into().ok()?;
    (id != [0; N]).then_some(id)
}

/// Microseconds from nanoseconds, rounded down; any u64 fits.
pub(super) fn microseconds(nanoseconds: u64) -> i64 {
    (nanoseconds / 1_000).cast_signed()
}
