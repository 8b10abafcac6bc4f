//! The messages of OTLP traces, logs and metrics, as tables: what each field is called in JSON and how it is written.
//!
//! Checking protobuf and turning JSON into protobuf both read these tables. Source: opentelemetry-proto 1.11.
//! Fields are searched in the order given, so the frequent ones come first.

mod common;
mod logs;
mod metrics;
mod traces;

pub(super) use common::KEY_VALUE;
pub(super) use logs::LOGS;
pub(super) use metrics::METRICS;
pub(super) use traces::TRACES;

/// A message type.
pub(super) struct Message {
    /// Its name in the protocol.
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) fields: &'static [Field],
}

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Leads to records.
    Envelope,
    /// A span, log record or data point; what several of them are called.
    Record(&'static str),
    /// A list of values: one level of nesting of an attribute.
    List,
    /// Anything else.
    Part,
}

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    /// The lowerCamelCase name.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
}

/// How a field is written.
pub(super) enum Kind {
    Text,
    /// Bytes that are hexadecimal in JSON: trace and span ids.
    Hex,
    /// Bytes that are base64 in JSON.
    Base64,
    Bool,
    /// With the names of its numbers from 0.
    Enum(&'static [&'static str]),
    Uint32,
    Uint64,
    Int64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Message),
}

impl Message {
    #[inline]
    pub(super) fn by_number(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// Finds a field by its JSON name, also in snake_case.
    pub(super) fn by_name(&self, name: &[u8]) -> Option<&'static Field> {
        let exact = self
            .fields
            .iter()
            .find(|field| field.name.as_bytes() == name);
        if exact.is_some() || !name.contains(&b'_') {
            return exact;
        }
        self.fields
            .iter()
            .find(|field| is_snake_case_of(field.name, name))
    }
}

fn is_snake_case_of(camel: &str, name: &[u8]) -> bool {
    let mut rest = name.iter();
    let matches = camel.bytes().all(|byte| match byte {
        b'A'..=b'Z' => {
            rest.next() == Some(&b'_') && rest.next() == Some(&byte.to_ascii_lowercase())
        }
        _ => rest.next() == Some(&byte),
    });
    matches && rest.next().is_none()
}

const fn message(name: &'static str, role: Role, fields: &'static [Field]) -> Message {
    Message { name, role, fields }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        repeated: false,
    }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        repeated: true,
    }
}

#[cfg(test)]
mod tests {
    use super::traces::SPAN;

    #[test]
    fn fields_are_found_by_either_name() {
        let number = |name: &str| SPAN.by_name(name.as_bytes()).map(|field| field.number);
        assert_eq!(number("startTimeUnixNano"), Some(7));
        assert_eq!(number("start_time_unix_nano"), Some(7));
        for unknown in [
            "",
            "start_timeUnixNano",
            "StartTimeUnixNano",
            "start_time_unix_nano_",
            "starttimeunixnano",
        ] {
            assert_eq!(number(unknown), None, "{unknown}");
        }
    }
}
