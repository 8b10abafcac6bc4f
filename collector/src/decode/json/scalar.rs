//! Texts, numbers and bytes, with OTLP's deviations from proto3 JSON: ids are hexadecimal in either case, enums are
//! integers. As in proto3, integers of 64 bits are decimal text or numbers, other bytes are base64.

use std::fmt;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use super::writer::Writer;
use crate::decode::schema::{Field, Kind};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// No id has one byte: what was sent is refused with its span, not with the request.
const UNREADABLE_ID: &[u8] = &[0];

/// Bytes of the longest hexadecimal id that is looked at: a trace id.
const LONGEST_ID: usize = 16;

/// Reads a value that is neither object, array nor `null`, and writes its field.
pub(super) struct ScalarSeed<'w> {
    pub(super) field: &'static Field,
    pub(super) writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for ScalarSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind {
            // As bytes, since text with half a surrogate pair is not UTF-8.
            Kind::Text | Kind::Hex | Kind::Base64 => deserializer.deserialize_bytes(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl Visitor<'_> for ScalarSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value of {}", self.field.name)
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<(), E> {
        let number = self.field.number;
        match self.field.kind {
            Kind::Hex => self
                .writer
                .bytes(number, decode_hex(text, &mut [0; LONGEST_ID])),
            Kind::Base64 => self.writer.bytes(
                number,
                &decode_base64(text).ok_or_else(|| E::custom("not base64"))?,
            ),
            _ => self.writer.bytes(number, text),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(E::custom("not a boolean field"));
        }
        self.writer.varint(self.field.number, u64::from(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double => self.double(value as f64),
            _ => return self.integer(i128::from(value)),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double => self.double(value as f64),
            _ => return self.integer(i128::from(value)),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double => self.double(value),
            _ => return self.integer(whole(value).ok_or_else(|| E::custom("not a whole number"))?),
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let text = text.trim();
        match self.field.kind {
            Kind::Bool => match text {
                "true" => return self.visit_bool(true),
                "false" => return self.visit_bool(false),
                _ => return Err(E::custom("neither true nor false")),
            },
            Kind::Double => match text.parse() {
                Ok(value) => self.double(value),
                Err(_) => return Err(E::custom("not a number")),
            },
            Kind::Enum(names)
                if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) =>
            {
                let value = names
                    .iter()
                    .position(|name| *name == text)
                    .unwrap_or_default();
                self.writer.varint(self.field.number, value as u64);
            }
            _ => {
                let parsed = text.parse().ok().or_else(|| whole(text.parse().ok()?));
                return self.integer(parsed.ok_or_else(|| E::custom("not a whole number"))?);
            }
        }
        Ok(())
    }
}

impl ScalarSeed<'_> {
    fn double(self, value: f64) {
        self.writer.fixed64(self.field.number, value.to_bits());
    }

    fn integer<E: Error>(self, value: i128) -> Result<(), E> {
        self.try_integer(value)
            .ok_or_else(|| E::custom("out of range"))
    }

    /// `None` if the value does not fit the field.
    fn try_integer(self, value: i128) -> Option<()> {
        let number = self.field.number;
        match self.field.kind {
            Kind::Uint32 => self
                .writer
                .varint(number, u32::try_from(value).ok()?.into()),
            Kind::Uint64 => self.writer.varint(number, u64::try_from(value).ok()?),
            Kind::Int64 => self
                .writer
                .varint(number, i64::try_from(value).ok()?.cast_unsigned()),
            Kind::Enum(_) => self.writer.varint(
                number,
                i64::from(i32::try_from(value).ok()?).cast_unsigned(),
            ),
            Kind::Sint32 => self
                .writer
                .varint(number, zigzag(i32::try_from(value).ok()?).into()),
            Kind::Fixed32 => self.writer.fixed32(number, u32::try_from(value).ok()?),
            Kind::Fixed64 => self.writer.fixed64(number, u64::try_from(value).ok()?),
            Kind::Sfixed64 => self
                .writer
                .fixed64(number, i64::try_from(value).ok()?.cast_unsigned()),
            Kind::Text
            | Kind::Hex
            | Kind::Base64
            | Kind::Bool
            | Kind::Double
            | Kind::Message(_) => return None,
        }
        Some(())
    }
}

/// The integer of a number such as `7494.0` or `1.7e18`.
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 2_f64.powi(64)).then_some(value as i128)
}

fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31).cast_unsigned()
}

fn decode_hex<'b>(text: &[u8], buffer: &'b mut [u8; LONGEST_ID]) -> &'b [u8] {
    let (pairs, odd) = text.as_chunks::<2>();
    if !odd.is_empty() || pairs.len() > buffer.len() {
        return UNREADABLE_ID;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    for (byte, [high, low]) in buffer.iter_mut().zip(pairs) {
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return UNREADABLE_ID;
        };
        *byte = (high << 4 | low) as u8;
    }
    &buffer[..pairs.len()]
}

/// Both alphabets, with or without padding, as proto3 JSON says.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let is_url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if is_url_safe { BASE64_URL } else { BASE64 };
    engine.decode(text).ok()
}
