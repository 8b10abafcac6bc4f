//! OTLP/JSON to protobuf, so that everything behind reads one format.
//!
//! The JSON is streamed: nothing of it is held but the protobuf written so far, the longest text and the path to the
//! present place. Where OTLP/JSON deviates from proto3 JSON is told in `scalar`. Leniently read are also snake_case keys
//! and the names of enum values. Unknown keys are ignored, `null` is the default value.

mod message;
mod print;
mod scalar;
mod writer;

use costflame_profile::Signal;
use serde::de::DeserializeSeed;

pub use self::print::protobuf_to_json;
use self::{message::MessageSeed, writer::Writer};
use super::{Limits, outcome::DecodeError, records::request_of};

/// Nesting of objects and arrays beyond which a body is refused; a plain attribute value of a span is at level 10, an
/// array in it takes three levels, a map four.
const MAX_NESTING: usize = 120;

/// Turns the JSON body of an export request into protobuf.
///
/// An id that is not hexadecimal becomes one that the walker refuses, with its span. Text with half a surrogate pair
/// (emitters in JavaScript cut inside a character) becomes text that is not UTF-8, which the walker handles.
///
/// # Errors
/// Not the JSON of this signal, nested too deeply, or larger than a request may be, before or after.
pub fn json_to_protobuf(
    signal: Signal,
    body: &[u8],
    limits: &Limits,
) -> Result<Vec<u8>, DecodeError> {
    limits.check_size(body.len())?;
    check_nesting(body)?;
    let mut writer = Writer::new(body.len(), limits.max_request_bytes);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let root = MessageSeed {
        message: request_of(signal),
        writer: &mut writer,
    };
    let parsed = root
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match parsed {
        Ok(()) => Ok(writer.finish()),
        Err(_) if writer.is_full() => Err(limits.too_large(writer.len())),
        Err(error) => Err(DecodeError::Json(describe(&error, &writer))),
    }
}

/// What is wrong and where, without quoting the body: it may hold prompts.
fn describe(error: &serde_json::Error, writer: &Writer) -> String {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        return format!("{} at line {line} column {column}", writer.expectation());
    }
    match writer.path() {
        path if path.is_empty() => error.to_string(),
        path => format!("{error}, in {path}"),
    }
}

/// Refuses deep nesting before anything is parsed: skipping an unknown value would take memory for each level.
fn check_nesting(body: &[u8]) -> Result<(), DecodeError> {
    let mut depth = 0_usize;
    let mut bytes = body.iter().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'"' => skip_text(&mut bytes),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(DecodeError::Json(format!(
                "more than {MAX_NESTING} levels of nesting at byte {offset}"
            )));
        }
    }
    Ok(())
}

fn skip_text<'a>(bytes: &mut impl Iterator<Item = (usize, &'a u8)>) {
    while let Some((_, byte)) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}
