//! Protobuf written into one buffer, and the path to what is being read.

use std::fmt::Write as _;

use crate::decode::schema::{Field, Kind};

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED32: u8 = 5;

/// The protobuf so far.
pub(super) struct Writer {
    out: Vec<u8>,
    limit: usize,
    path: Vec<Step>,
}

enum Step {
    Field(&'static Field),
    Index(usize),
}

impl Writer {
    /// A spans' or logs' protobuf is never larger than its JSON, so the buffer does not grow.
    pub(super) fn new(json_bytes: usize, limit: usize) -> Self {
        Self {
            out: Vec::with_capacity(json_bytes.min(limit)),
            limit,
            path: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Whether more was written than a request may have.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() > self.limit
    }

    /// Bytes written.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn enter(&mut self, field: &'static Field) {
        self.path.push(Step::Field(field));
    }

    pub(super) fn enter_index(&mut self, index: usize) {
        self.path.push(Step::Index(index));
    }

    /// Not called after an error, so that the path leads to it.
    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// As `resourceSpans[0].scopeSpans[2].spans`.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Field(field) if path.is_empty() => write!(path, "{}", field.name),
                Step::Field(field) => write!(path, ".{}", field.name),
            };
        }
        path
    }

    /// What should be at this path.
    pub(super) fn expectation(&self) -> String {
        let is_list = matches!(self.path.last(), Some(Step::Field(field)) if field.repeated);
        let field = self.path.iter().rev().find_map(|step| match step {
            Step::Field(field) => Some(field),
            Step::Index(_) => None,
        });
        match field {
            None => "the body must be an object".into(),
            Some(_) if is_list => format!("{} must be an array", self.path()),
            Some(field) => format!("{} must be {}", self.path(), expected(&field.kind)),
        }
    }

    pub(super) fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, VARINT);
        self.raw_varint(value);
    }

    pub(super) fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, FIXED64);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fixed32(&mut self, number: u32, value: u32) {
        self.tag(number, FIXED32);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, LENGTH_DELIMITED);
        self.raw_varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Begins a message; [`Self::close`] ends it.
    pub(super) fn open(&mut self, number: u32) -> usize {
        self.tag(number, LENGTH_DELIMITED);
        self.out.push(0);
        self.out.len()
    }

    /// Writes the length before the content, which moves only when it has 128 bytes or more.
    pub(super) fn close(&mut self, start: usize) {
        let end = self.out.len();
        let length = end - start;
        if length < 0x80 {
            self.out[start - 1] = length as u8;
            return;
        }
        let (prefix, prefix_bytes) = encode_varint(length as u64);
        let moved = prefix_bytes - 1;
        self.out.resize(end + moved, 0);
        self.out.copy_within(start..end, start + moved);
        self.out[start - 1..start + moved].copy_from_slice(&prefix[..prefix_bytes]);
    }

    fn tag(&mut self, number: u32, wire_type: u8) {
        self.raw_varint(u64::from(number << 3 | u32::from(wire_type)));
    }

    fn raw_varint(&mut self, value: u64) {
        if value < 0x80 {
            self.out.push(value as u8);
            return;
        }
        let (bytes, count) = encode_varint(value);
        self.out.extend_from_slice(&bytes[..count]);
    }
}

/// The bytes of a varint and how many of them count.
fn encode_varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut count = 0;
    while value >= 0x80 {
        bytes[count] = value as u8 | 0x80;
        value >>= 7;
        count += 1;
    }
    bytes[count] = value as u8;
    (bytes, count + 1)
}

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Message(_) => "an object",
        Kind::Text => "text",
        Kind::Hex => "hexadecimal text",
        Kind::Base64 => "base64 text",
        Kind::Bool => "true or false",
        Kind::Enum(_) => "a number of the enum",
        Kind::Uint32 | Kind::Fixed32 => "a whole number from 0 to 2^32 - 1",
        Kind::Sint32 => "a whole number of 32 bits",
        Kind::Uint64 | Kind::Fixed64 => "a whole number from 0 to 2^64 - 1, as text or number",
        Kind::Int64 | Kind::Sfixed64 => "a whole number of 64 bits, as text or number",
        Kind::Double => "a number, or the text NaN, Infinity or -Infinity",
    }
}
