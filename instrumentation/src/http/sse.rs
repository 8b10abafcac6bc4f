//! Server-sent events, read as they pass.

use memchr::memchr2;

use super::{facts::Facts, skim::Skimmer, table::Table};

const DATA: &[u8] = b"data:";
const DONE: &[u8] = b"[DONE]";

/// Reads the JSON in the `data` lines of a stream.
#[derive(Debug)]
pub(super) struct Sse {
    json: Skimmer,
    line: Line,
    /// The event has a `data` line.
    data: bool,
    /// How much of `[DONE]` the data has matched, until it differs.
    done: Option<usize>,
    after_cr: bool,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// In the name of the field; what was read of it so far.
    Name {
        name: [u8; 4],
        length: usize,
    },
    /// Behind `data:`, where one blank may follow.
    Blank,
    Data,
    Other,
}

/// What an event was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Json,
    /// `[DONE]`, the end of OpenAI's streams.
    Done,
    /// Not JSON, or not all of it.
    Broken,
}

const START: Line = Line::Name {
    name: [0; 4],
    length: 0,
};

impl Sse {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            json: Skimmer::new(table),
            line: START,
            data: false,
            done: Some(0),
            after_cr: false,
        }
    }

    /// Reads the next bytes; `event` is called for each event that has data and ends here.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        facts: &mut Facts,
        event: &mut impl FnMut(Event),
    ) {
        while let Some(first) = bytes.first() {
            if self.after_cr {
                self.after_cr = false;
                if *first == b'\n' {
                    bytes = &bytes[1..];
                    continue;
                }
            }
            match self.line {
                Line::Name { length: 0, .. } if bytes.starts_with(DATA) => {
                    bytes = &bytes[DATA.len()..];
                    self.data = true;
                    self.line = Line::Blank;
                }
                Line::Name { name, length } => {
                    bytes = &bytes[1..];
                    self.name(*first, name, length, event);
                }
                Line::Blank => {
                    self.line = Line::Data;
                    if *first == b' ' {
                        bytes = &bytes[1..];
                    }
                }
                Line::Data | Line::Other => {
                    let end = memchr2(b'\n', b'\r', bytes);
                    let (content, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    if matches!(self.line, Line::Data) {
                        self.compare(content);
                        self.json.feed(content, facts);
                    }
                    bytes = rest;
                    if end.is_some() {
                        self.after_cr = bytes[0] == b'\r';
                        bytes = &bytes[1..];
                        self.line = START;
                    }
                }
            }
        }
    }

    /// The stream has ended: so does an event without its empty line.
    pub(super) fn finish(&mut self, event: &mut impl FnMut(Event)) {
        self.dispatch(event);
    }

    fn name(&mut self, byte: u8, mut name: [u8; 4], length: usize, event: &mut impl FnMut(Event)) {
        match byte {
            b'\n' | b'\r' => {
                self.after_cr = byte == b'\r';
                self.line = START;
                if length == 0 {
                    self.dispatch(event);
                }
            }
            b':' if length == 4 && &name == b"data" => {
                self.data = true;
                self.line = Line::Blank;
            }
            _ if length < 4 && byte != b':' => {
                name[length] = byte;
                self.line = Line::Name {
                    name,
                    length: length + 1,
                };
            }
            _ => self.line = Line::Other,
        }
    }

    fn compare(&mut self, content: &[u8]) {
        let Some(matched) = self.done else { return };
        let rest = &DONE[matched..];
        let length = content.len().min(rest.len());
        self.done = (content[..length] == rest[..length]).then_some(matched + length);
    }

    fn dispatch(&mut self, event: &mut impl FnMut(Event)) {
        if self.data {
            event(if self.done == Some(DONE.len()) {
                Event::Done
            } else if self.json.is_whole() {
                Event::Json
            } else {
                Event::Broken
            });
        }
        self.json.reset();
        self.data = false;
        self.done = Some(0);
    }
}
