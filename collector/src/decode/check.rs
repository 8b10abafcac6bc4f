//! The first pass: is the whole request well-formed, and does it have too many spans?
//! Nothing is visited before this is known, so a bad tail never lands half a request.

use super::{
    limits::Limits,
    outcome::DecodeError,
    value::check_key_value,
    wire::{Reader, WireError},
};

/// Checks an `ExportTraceServiceRequest` down to its leaves, except below values nested too deeply.
pub(super) fn check_traces(body: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    let mut spans = 0;
    let mut request = Reader::new(body);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            check_resource_spans(field.message()?, limits, &mut spans)?;
        }
    }
    Ok(())
}

fn check_resource_spans(
    mut reader: Reader<'_>,
    limits: &Limits,
    spans: &mut usize,
) -> Result<(), DecodeError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => check_attributes(field.message()?, 1, limits.depth())?,
            2 => check_scope_spans(field.message()?, limits, spans)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_scope_spans(
    mut reader: Reader<'_>,
    limits: &Limits,
    spans: &mut usize,
) -> Result<(), DecodeError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => check_scope(field.message()?, limits.depth())?,
            2 => {
                *spans += 1;
                if *spans > limits.max_spans_per_request {
                    let limit = limits.max_spans_per_request;
                    return Err(DecodeError::TooLarge {
                        unit: "spans",
                        found: *spans,
                        limit,
                    });
                }
                check_span(field.message()?, limits.depth())?;
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn check_scope(mut reader: Reader<'_>, depth: usize) -> Result<(), WireError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 | 2 => {
                field.bytes()?;
            }
            3 => {
                check_key_value(field.message()?, depth)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks a message of which only the attributes, in the field `number`, are of interest.
pub(super) fn check_attributes(
    mut reader: Reader<'_>,
    number: u32,
    depth: usize,
) -> Result<(), WireError> {
    while let Some(field) = reader.next_field()? {
        if field.number == number {
            check_key_value(field.message()?, depth)?;
        }
    }
    Ok(())
}

fn check_span(mut reader: Reader<'_>, depth: usize) -> Result<(), WireError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1..=5 => {
                field.bytes()?;
            }
            6 | 10 | 12 | 14 => {
                field.varint()?;
            }
            7 | 8 => {
                field.fixed64()?;
            }
            9 => {
                check_key_value(field.message()?, depth)?;
            }
            11 => check_event(field.message()?, depth)?,
            13 => check_link(field.message()?, depth)?,
            15 => check_status(field.message()?)?,
            16 => {
                field.fixed32()?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_event(mut reader: Reader<'_>, depth: usize) -> Result<(), WireError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => {
                field.fixed64()?;
            }
            2 => {
                field.bytes()?;
            }
            3 => {
                check_key_value(field.message()?, depth)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_link(mut reader: Reader<'_>, depth: usize) -> Result<(), WireError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            1..=3 => {
                field.bytes()?;
            }
            4 => {
                check_key_value(field.message()?, depth)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_status(mut reader: Reader<'_>) -> Result<(), WireError> {
    while let Some(field) = reader.next_field()? {
        match field.number {
            2 => {
                field.bytes()?;
            }
            3 => {
                field.varint()?;
            }
            _ => {}
        }
    }
    Ok(())
}
