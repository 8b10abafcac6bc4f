//! AWS's event stream, the binary framing of Bedrock's streams, read as it passes.
//!
//! A frame is: its length, the length of its headers and a checksum (4 bytes each, big-endian), headers, payload, and a
//! checksum. Checksums are not verified: who decodes the stream does.

use super::{
    facts::{Facts, Slot},
    skim::Skimmer,
    table::Table,
};

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// Bounds of the format itself.
const MAX_HEADERS: usize = 128 * 1024;
const MAX_FRAME: usize = 24 * 1024 * 1024;
/// Longest embedded document taken, in bytes of base64.
const MAX_EMBEDDED: usize = 256 * 1024;

/// Reads the JSON payloads of a stream.
#[derive(Debug)]
pub(super) struct Frames {
    json: Skimmer,
    /// Documents in base64 within payloads.
    embedded: Skimmer,
    part: Part,
    held: Vec<u8>,
    broken: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Prelude,
    Headers { headers: usize, payload: usize },
    Payload { left: usize },
    Checksum { left: usize },
}

impl Frames {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            json: Skimmer::new(table).with_max_text(MAX_EMBEDDED),
            embedded: Skimmer::new(table),
            part: Part::Prelude,
            held: Vec::new(),
            broken: false,
        }
    }

    /// Whether it stands between frames and has met nothing else.
    pub(super) fn is_whole(&self) -> bool {
        !self.broken && matches!(self.part, Part::Prelude) && self.held.is_empty()
    }

    /// Bytes of memory that grow with what is read.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.capacity() + self.json.held() + self.embedded.held()
    }

    /// Reads the next bytes; `frame` is called at the end of each, with whether its payload was whole.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        facts: &mut Facts,
        frame: &mut impl FnMut(bool),
    ) {
        while !self.broken && !bytes.is_empty() {
            let used = match self.part {
                Part::Prelude => self.prelude(bytes),
                Part::Headers { headers, payload } => self.headers(bytes, headers, payload, facts),
                Part::Payload { left } => {
                    let used = left.min(bytes.len());
                    self.json.feed(&bytes[..used], facts);
                    self.part = match left - used {
                        0 => Part::Checksum { left: CHECKSUM },
                        left => Part::Payload { left },
                    };
                    used
                }
                Part::Checksum { left } => {
                    let used = left.min(bytes.len());
                    if used == left {
                        frame(self.end(facts));
                        self.part = Part::Prelude;
                    } else {
                        self.part = Part::Checksum { left: left - used };
                    }
                    used
                }
            };
            bytes = &bytes[used..];
        }
    }

    fn prelude(&mut self, bytes: &[u8]) -> usize {
        let used = self.hold(bytes, PRELUDE);
        if let [a, b, c, d, e, f, g, h, _, _, _, _] = self.held[..] {
            let frame = u32::from_be_bytes([a, b, c, d]) as usize;
            let headers = u32::from_be_bytes([e, f, g, h]) as usize;
            self.held.clear();
            match frame.checked_sub(PRELUDE + CHECKSUM + headers) {
                Some(payload) if frame <= MAX_FRAME && headers <= MAX_HEADERS => {
                    self.part = Part::Headers { headers, payload };
                }
                _ => self.broken = true,
            }
        }
        used
    }

    fn headers(
        &mut self,
        bytes: &[u8],
        headers: usize,
        payload: usize,
        facts: &mut Facts,
    ) -> usize {
        let used = self.hold(bytes, headers);
        if self.held.len() == headers {
            // An exception in the stream names itself in its headers.
            for name in [":exception-type", ":error-code"] {
                if let Some(kind) = text_header(&self.held, name) {
                    facts.text(Slot::ErrorType, kind);
                }
            }
            self.held.clear();
            self.part = match payload {
                0 => Part::Checksum { left: CHECKSUM },
                left => Part::Payload { left },
            };
        }
        used
    }

    /// Holds bytes until there are `want`; how many it took.
    fn hold(&mut self, bytes: &[u8], want: usize) -> usize {
        let used = (want - self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..used]);
        used
    }

    fn end(&mut self, facts: &mut Facts) -> bool {
        let mut whole = self.json.is_whole();
        self.json.reset();
        if let Some(text) = facts.take_text(Slot::Embedded) {
            let document = decode_base64(text.as_bytes());
            self.embedded.feed(&document, facts);
            whole &= self.embedded.is_whole();
            self.embedded.reset();
        }
        whole
    }
}

/// The value of a text header: name length (1), name, type 7, value length (2), value.
fn text_header<'a>(mut headers: &'a [u8], wanted: &str) -> Option<&'a str> {
    while let Some((length, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let length = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | 7 => 2 + usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if *kind == 7 && name == wanted.as_bytes() {
            return std::str::from_utf8(&value[2..]).ok();
        }
        headers = rest;
    }
    None
}

/// Decodes standard base64; what is none of it is left out.
fn decode_base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u8);
    for char in text {
        let value = match char {
            b'A'..=b'Z' => char - b'A',
            b'a'..=b'z' => char - b'a' + 26,
            b'0'..=b'9' => char - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
