//! A span event, read when a dialect asks for it.

use super::{envelope::microseconds, span::Value, value::entries, wire::Reader};

/// Name, time (microseconds since 1970 UTC) and attributes of one of [`Span::events`](super::Span::events).
/// A name that is not UTF-8 is read as empty. `None` if the bytes are not an event.
#[must_use]
pub fn event(bytes: &[u8]) -> Option<(&str, i64, impl Iterator<Item = (&str, Value<'_>)>)> {
    let mut reader = Reader::new(bytes);
    let (mut name, mut time) = ("", 0);
    while let Some(field) = reader.next_field().ok()? {
        match field.number {
            1 => time = field.fixed64().ok()?,
            2 => name = str::from_utf8(field.bytes().ok()?).unwrap_or_default(),
            _ => {}
        }
    }
    Some((name, microseconds(time), entries(bytes, 3)))
}
