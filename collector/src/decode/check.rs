//! The passes before anything is visited: are there too many records, and is the whole request well-formed?
//! Nothing is visited before both are known, so a bad tail never lands half a request.

use super::{
    outcome::DecodeError,
    schema::{Field as Spec, Kind, Message, Role},
    wire::{Field, Reader, WireError},
};

/// Counts spans, log records or data points, looking at nothing else.
pub(super) fn count_records(
    message: &Message,
    body: &[u8],
    limit: usize,
) -> Result<usize, DecodeError> {
    let mut count = 0;
    count_in(message, Reader::new(body), limit, &mut count)?;
    Ok(count)
}

fn count_in(
    message: &Message,
    mut reader: Reader<'_>,
    limit: usize,
    count: &mut usize,
) -> Result<(), DecodeError> {
    while let Some(field) = reader.next_field()? {
        let Some(Kind::Message(inner)) = message.by_number(field.number).map(|spec| &spec.kind)
        else {
            continue;
        };
        match inner.role {
            Role::Envelope => count_in(inner, field.message()?, limit, count)?,
            Role::Record(unit) if *count == limit => {
                return Err(DecodeError::TooLarge {
                    unit,
                    found: limit + 1,
                    limit,
                });
            }
            Role::Record(_) => *count += 1,
            Role::List | Role::Part => {}
        }
    }
    Ok(())
}

/// Whether attribute values are nested within the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nesting {
    /// Within the bound, and well-formed to the last byte.
    Fine,
    /// Deeper; what lies below was not looked at.
    TooDeep,
}

/// Checks a message to its leaves; `depth` lists may be nested in it.
pub(super) fn check(
    message: &Message,
    mut reader: Reader<'_>,
    depth: usize,
) -> Result<Nesting, WireError> {
    let depth = match message.role {
        Role::List if depth == 0 => return Ok(Nesting::TooDeep),
        Role::List => depth - 1,
        _ => depth,
    };
    let mut nesting = Nesting::Fine;
    while let Some(field) = reader.next_field()? {
        let Some(spec) = message.by_number(field.number) else {
            continue;
        };
        if check_field(spec, field, depth)? == Nesting::TooDeep {
            nesting = Nesting::TooDeep;
        }
    }
    Ok(nesting)
}

#[inline]
fn check_field(spec: &Spec, field: Field<'_>, depth: usize) -> Result<Nesting, WireError> {
    match &spec.kind {
        Kind::Message(inner) => return check(inner, field.message()?, depth),
        Kind::Text | Kind::Hex | Kind::Base64 => {
            field.bytes()?;
        }
        _ if spec.repeated && field.is_length_delimited() => check_packed(spec, field.message()?)?,
        Kind::Bool | Kind::Enum(_) | Kind::Uint32 | Kind::Uint64 | Kind::Int64 | Kind::Sint32 => {
            field.varint()?;
        }
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
            field.fixed64()?;
        }
        Kind::Fixed32 => {
            field.fixed32()?;
        }
    }
    Ok(Nesting::Fine)
}

/// Repeated numbers may stand in one field without tags.
fn check_packed(spec: &Spec, mut reader: Reader<'_>) -> Result<(), WireError> {
    while !reader.bytes().is_empty() {
        match spec.kind {
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => reader.read_fixed64()?,
            _ => reader.read_varint()?,
        };
    }
    Ok(())
}
