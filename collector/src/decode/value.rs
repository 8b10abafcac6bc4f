//! Attribute values: read from the wire, and asked by dialects.

use super::{
    span::{Attributes, Value},
    wire::{Reader, WireError},
};

/// Above this a double no longer holds every integer; no token count comes near.
const MAX_COUNT: u64 = 1 << 53;

/// A count as an emitter wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// No value, or empty text.
    Absent,
    /// A value that is not a count: negative, fractional, not finite, above 2^53, or of another type.
    Bad,
    /// 0 to 2^53.
    Number(u64),
}

impl Count {
    /// The count if there is a good one.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Number(count) => Some(count),
            Self::Absent | Self::Bad => None,
        }
    }
}

impl<'a> Value<'a> {
    /// Text that is not empty.
    #[must_use]
    pub fn as_text(&self) -> Option<&'a str> {
        match *self {
            Self::Str(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A boolean, also as the text `true` or `false`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(flag) => Some(flag),
            Self::Str(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Str(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A count such as tokens: an integer, a whole double (`7494.0`) or decimal text.
    #[must_use]
    pub fn as_u64_count(&self) -> Count {
        match *self {
            Self::Empty => Count::Absent,
            Self::Int(number) => u64::try_from(number).map_or(Count::Bad, bounded),
            Self::Double(number) => whole(number),
            Self::Str(text) => decimal(text.trim()),
            Self::Bool(_) | Self::Bytes(_) | Self::Array(_) | Self::Map(_) => Count::Bad,
        }
    }

    /// The values of an array; nothing for any other value.
    pub fn array(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let list = if let Self::Array(list) = *self {
            list
        } else {
            &[]
        };
        fields(list, 1).map(|value| any_value(value).unwrap_or(Value::Empty))
    }

    /// The entries of a map in the order received; nothing for any other value. Entries whose key is not UTF-8 are left out.
    pub fn map(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let list = if let Self::Map(list) = *self {
            list
        } else {
            &[]
        };
        entries(list, 1)
    }
}

impl Attributes<'_> {
    /// The count under a key, see [`Value::as_u64_count`].
    #[must_use]
    pub fn count(&self, key: &str) -> Count {
        self.get(key)
            .map_or(Count::Absent, |value| value.as_u64_count())
    }
}

fn bounded(count: u64) -> Count {
    if count <= MAX_COUNT {
        Count::Number(count)
    } else {
        Count::Bad
    }
}

fn whole(number: f64) -> Count {
    // Not a number fails the comparison.
    let in_range = (0.0..=MAX_COUNT as f64).contains(&number);
    if in_range && number.fract() == 0.0 {
        Count::Number(number as u64)
    } else {
        Count::Bad
    }
}

fn decimal(text: &str) -> Count {
    if text.is_empty() {
        return Count::Absent;
    }
    let (digits, zeros) = text.split_once('.').unwrap_or((text, ""));
    let is_decimal =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && zeros.bytes().all(|byte| byte == b'0');
    if !is_decimal {
        return Count::Bad;
    }
    digits.parse().map_or(Count::Bad, bounded)
}

/// The repeated message field `number` of a list, up to the first fault.
fn fields(list: &[u8], number: u32) -> impl Iterator<Item = Reader<'_>> {
    let mut reader = Reader::new(list);
    std::iter::from_fn(move || reader.next_field().ok().flatten())
        .filter(move |field| field.number == number)
        .filter_map(|field| field.message().ok())
}

/// The `KeyValue`s in the repeated field `number` of a message.
pub(super) fn entries(message: &[u8], number: u32) -> impl Iterator<Item = (&str, Value<'_>)> {
    fields(message, number).filter_map(|entry| {
        let entry = key_value(entry).ok()?;
        Some((entry.key.ok()?, entry.value))
    })
}

/// A `KeyValue` as read.
pub(super) struct Entry<'a> {
    /// The key, or the bytes that are not UTF-8.
    pub(super) key: Result<&'a str, &'a [u8]>,
    /// The value.
    pub(super) value: Value<'a>,
    /// The value is text that is not UTF-8.
    pub(super) damaged: bool,
}

/// Reads a `KeyValue`.
#[inline]
pub(super) fn key_value(mut reader: Reader<'_>) -> Result<Entry<'_>, WireError> {
    let mut key: &[u8] = &[];
    let mut value = Value::Empty;
    let mut damaged = false;
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => key = field.bytes()?,
            2 => value = merge(value, read_any(field.message()?, &mut damaged)?),
            _ => {}
        }
    }
    Ok(Entry {
        key: str::from_utf8(key).map_err(|_| key),
        value,
        damaged,
    })
}

/// A message field that is repeated is merged: an empty one changes nothing.
fn merge<'a>(old: Value<'a>, new: Value<'a>) -> Value<'a> {
    if matches!(new, Value::Empty) {
        old
    } else {
        new
    }
}

/// Reads an `AnyValue`. Text that is not UTF-8 becomes [`Value::Bytes`]: emitters cut long prompts inside a character.
pub(super) fn any_value(reader: Reader<'_>) -> Result<Value<'_>, WireError> {
    read_any(reader, &mut false)
}

#[inline]
fn read_any<'a>(mut reader: Reader<'a>, damaged: &mut bool) -> Result<Value<'a>, WireError> {
    let mut value = Value::Empty;
    while let Some(field) = reader.next_field()? {
        value = match field.number {
            1 => text_or_bytes(field.bytes()?, damaged),
            2 => Value::Bool(field.varint()? != 0),
            3 => Value::Int(field.varint()?.cast_signed()),
            4 => Value::Double(f64::from_bits(field.fixed64()?)),
            5 => Value::Array(field.bytes()?),
            6 => Value::Map(field.bytes()?),
            7 => Value::Bytes(field.bytes()?),
            _ => value,
        };
    }
    Ok(value)
}

fn text_or_bytes<'a>(bytes: &'a [u8], damaged: &mut bool) -> Value<'a> {
    match str::from_utf8(bytes) {
        Ok(text) => Value::Str(text),
        Err(_) => {
            *damaged = true;
            Value::Bytes(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_as_integer_double_or_text() {
        for (value, count) in [
            (Value::Empty, Count::Absent),
            (Value::Str(" "), Count::Absent),
            (Value::Int(0), Count::Number(0)),
            (Value::Int(-1), Count::Bad),
            (Value::Int(1 << 53), Count::Number(1 << 53)),
            (Value::Int((1 << 53) + 1), Count::Bad),
            (Value::Double(7494.0), Count::Number(7494)),
            (Value::Double(-0.0), Count::Number(0)),
            (Value::Double(0.5), Count::Bad),
            (Value::Double(-1.0), Count::Bad),
            (Value::Double(f64::NAN), Count::Bad),
            (Value::Double(f64::INFINITY), Count::Bad),
            (Value::Double(1e300), Count::Bad),
            (Value::Str("7494"), Count::Number(7494)),
            (Value::Str(" 7494.0 "), Count::Number(7494)),
            (Value::Str("7494.5"), Count::Bad),
            (Value::Str("-1"), Count::Bad),
            (Value::Str("+1"), Count::Bad),
            (Value::Str("."), Count::Bad),
            (Value::Str("1e3"), Count::Bad),
            (Value::Str("99999999999999999999"), Count::Bad),
            (Value::Bool(true), Count::Bad),
            (Value::Bytes(b"1"), Count::Bad),
        ] {
            assert_eq!(value.as_u64_count(), count, "{value:?}");
        }
    }

    #[test]
    fn missing_key_is_absent() {
        let list = [("tokens", Value::Str("12")), ("tokens", Value::Int(13))];
        assert_eq!(Attributes(&list).count("tokens").number(), Some(12));
        assert_eq!(Attributes(&list).count("other"), Count::Absent);
    }
}
