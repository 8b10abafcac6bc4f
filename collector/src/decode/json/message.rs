//! Objects to messages, arrays to repeated fields.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{scalar::ScalarSeed, writer::Writer};
use crate::decode::schema::{Field, Kind, Message};

/// Reads an object and writes the fields of a message, without its length.
pub(super) struct MessageSeed<'w> {
    pub(super) message: &'static Message,
    pub(super) writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", self.message.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(KeySeed(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.writer.enter(field);
            map.next_value_seed(FieldSeed {
                field,
                writer: &mut *self.writer,
            })?;
            self.writer.leave();
            if self.writer.is_full() {
                return Err(A::Error::custom("too large"));
            }
        }
        Ok(())
    }
}

/// Reads a key; `None` for one that is not known.
struct KeySeed(&'static Message);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.by_name(key))
    }
}

/// Reads the value of a field; `null` writes nothing.
struct FieldSeed<'w> {
    field: &'static Field,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value of {}", self.field.name)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.field.repeated {
            return deserializer.deserialize_seq(ListVisitor {
                field: self.field,
                writer: self.writer,
            });
        }
        ElementSeed {
            field: self.field,
            writer: self.writer,
        }
        .deserialize(deserializer)
    }
}

/// Reads one value that is not `null` and writes the field.
struct ElementSeed<'w> {
    field: &'static Field,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, writer } = self;
        let Kind::Message(message) = &field.kind else {
            return ScalarSeed { field, writer }.deserialize(deserializer);
        };
        let start = writer.open(field.number);
        MessageSeed {
            message,
            writer: &mut *writer,
        }
        .deserialize(deserializer)?;
        writer.close(start);
        Ok(())
    }
}

struct ListVisitor<'w> {
    field: &'static Field,
    writer: &'w mut Writer,
}

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}", self.field.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            self.writer.enter_index(index);
            let seed = ElementSeed {
                field: self.field,
                writer: &mut *self.writer,
            };
            let is_end = list.next_element_seed(seed)?.is_none();
            self.writer.leave();
            if is_end {
                return Ok(());
            }
            if self.writer.is_full() {
                return Err(A::Error::custom("too large"));
            }
            index += 1;
        }
    }
}
