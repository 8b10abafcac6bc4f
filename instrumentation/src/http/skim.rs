//! Picks a few values out of JSON as its bytes pass by: in pieces of any size, without keeping the text.

use std::borrow::Cow;

use super::{
    facts::{Facts, Slot},
    table::Table,
};

/// Longest text taken, in bytes; a longer one is no id or name.
const MAX_TEXT: usize = 1024;
/// Deepest nesting followed on the way to a path.
const MAX_DEPTH: usize = 64;

/// A parser of one table.
///
/// Values follow each other without separators as well, as in NDJSON, and an array around everything is looked through:
/// Gemini streams one. What is not on a path is skipped by counting brackets, so it is not checked.
#[derive(Debug)]
pub(super) struct Skimmer {
    table: &'static Table,
    state: State,
    levels: Vec<Level>,
    /// Entries of the table that the next value may belong to.
    live: u64,
    text: Vec<u8>,
    max_text: usize,
    broken: bool,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    live: u64,
    array: bool,
    /// The array around everything: it takes no step of a path.
    outermost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Before a value.
    Value,
    /// In an object, before a key or its end.
    Key,
    Colon,
    /// After a value.
    After,
    /// In a text; `kept` says whether it is collected.
    Text {
        key: bool,
        kept: bool,
        escaped: bool,
    },
    /// In a number, `true`, `false` or `null`.
    Word,
    /// In a value that no path leads into, this many brackets deep.
    Skip {
        depth: usize,
    },
    SkipText {
        depth: usize,
        escaped: bool,
    },
}

impl Skimmer {
    pub(super) fn new(table: &'static Table) -> Self {
        Self {
            table,
            state: State::Value,
            levels: Vec::new(),
            live: table.all(),
            text: Vec::new(),
            max_text: MAX_TEXT,
            broken: false,
        }
    }

    /// Takes texts up to this length.
    pub(super) fn with_max_text(mut self, bytes: usize) -> Self {
        self.max_text = bytes;
        self
    }

    /// Whether it stands between values and has met nothing but JSON.
    pub(super) fn is_whole(&self) -> bool {
        let rest = match self.state {
            State::Value => self.levels.is_empty(),
            State::Word => self.levels.is_empty(),
            _ => false,
        };
        rest && !self.broken
    }

    /// Forgets the document it is in.
    pub(super) fn reset(&mut self) {
        self.levels.clear();
        self.text.clear();
        self.state = State::Value;
        self.live = self.table.all();
        self.broken = false;
    }

    /// Reads the next bytes and hands what is found to `facts`.
    pub(super) fn feed(&mut self, mut bytes: &[u8], facts: &mut Facts) {
        while !self.broken && !bytes.is_empty() {
            let used = match self.state {
                State::Text { key, kept, escaped } => self.text(bytes, key, kept, escaped, facts),
                State::Word => self.word(bytes, facts),
                State::Skip { depth } => self.skip(bytes, depth),
                State::SkipText { depth, escaped } => self.skip_text(bytes, depth, escaped),
                _ => self.mark(bytes[0]),
            };
            bytes = &bytes[used..];
        }
    }

    /// One byte between values; whether it took it.
    fn mark(&mut self, byte: u8) -> usize {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return 1;
        }
        match (self.state, byte) {
            (State::Value, b'{') => self.open(false),
            (State::Value, b'[') => self.open(true),
            (State::Value, b'"') => self.begin_text(false),
            (State::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.text.clear();
                self.state = State::Word;
                return 0;
            }
            (State::Key, b'"') => self.begin_text(true),
            (State::Key, b'}') => self.close(false),
            (State::Value, b']') => self.close(true),
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => self.next(),
            (State::After, b'}') => self.close(false),
            (State::After, b']') => self.close(true),
            _ => self.broken = true,
        }
        1
    }

    fn open(&mut self, array: bool) {
        let outermost = array && self.levels.is_empty();
        let live = self.live & self.table.beyond(self.depth());
        if live == 0 || self.levels.len() >= MAX_DEPTH {
            self.state = State::Skip { depth: 1 };
            return;
        }
        self.levels.push(Level {
            live,
            array,
            outermost,
        });
        self.next();
    }

    /// Before the next key or element of the innermost level.
    fn next(&mut self) {
        let Some(level) = self.levels.last() else {
            self.broken = true;
            return;
        };
        if !level.array {
            self.state = State::Key;
            return;
        }
        self.live = match level.outermost {
            true => level.live,
            false => self.matching(level.live, b"*"),
        };
        self.state = State::Value;
    }

    fn close(&mut self, array: bool) {
        match self.levels.pop() {
            Some(level) if level.array == array => self.ended(),
            _ => self.broken = true,
        }
    }

    fn ended(&mut self) {
        if self.levels.is_empty() {
            self.live = self.table.all();
            self.state = State::Value;
        } else {
            self.state = State::After;
        }
    }

    fn begin_text(&mut self, key: bool) {
        self.text.clear();
        self.state = State::Text {
            key,
            kept: key || self.ends_here() != 0,
            escaped: false,
        };
    }

    fn text(
        &mut self,
        bytes: &[u8],
        key: bool,
        kept: bool,
        escaped: bool,
        facts: &mut Facts,
    ) -> usize {
        if escaped {
            self.keep(kept, &bytes[..1]);
            self.state = State::Text {
                key,
                kept,
                escaped: false,
            };
            return 1;
        }
        let Some(at) = find(bytes, |byte| matches!(byte, b'"' | b'\\')) else {
            self.keep(kept, bytes);
            return bytes.len();
        };
        if bytes[at] == b'\\' {
            self.keep(kept, &bytes[..=at]);
            self.state = State::Text {
                key,
                kept,
                escaped: true,
            };
            return at + 1;
        }
        self.keep_end(kept, &bytes[..at]);
        let raw = self.whole(&bytes[..at]);
        if key {
            let live = self.levels.last().map_or(0, |level| level.live);
            self.live = self.matching(live, raw);
            self.state = State::Colon;
        } else {
            if kept && raw.len() <= self.max_text {
                let text = unescaped(raw);
                self.found(|slot| facts.text(slot, &text));
            }
            self.ended();
        }
        at + 1
    }

    /// Keeps the end of what began in an earlier piece.
    fn keep_end(&mut self, kept: bool, end: &[u8]) {
        if !self.text.is_empty() {
            self.keep(kept, end);
        }
    }

    /// What was kept; not copied if all of it came at once.
    fn whole<'a>(&'a self, all: &'a [u8]) -> &'a [u8] {
        match self.text.is_empty() {
            true => all,
            false => &self.text,
        }
    }

    fn keep(&mut self, kept: bool, bytes: &[u8]) {
        // One byte above the bound marks a text that is too long.
        if kept && self.text.len() <= self.max_text {
            let room = self.max_text + 1 - self.text.len();
            self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn word(&mut self, bytes: &[u8], facts: &mut Facts) -> usize {
        let in_word =
            |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.');
        let Some(length) = bytes.iter().position(|byte| !in_word(byte)) else {
            self.keep(true, bytes);
            return bytes.len();
        };
        self.keep_end(true, &bytes[..length]);
        let word = self.whole(&bytes[..length]);
        let known = match word {
            b"null" => true,
            b"true" | b"false" => {
                let flag = word == b"true";
                self.found(|slot| facts.flag(slot, flag));
                true
            }
            _ => std::str::from_utf8(word).is_ok_and(|word| {
                let mut number =
                    word.starts_with(|first: char| first == '-' || first.is_ascii_digit());
                self.found(|slot| number &= facts.number(slot, word));
                number
            }),
        };
        self.broken |= !known;
        self.ended();
        length
    }

    fn skip(&mut self, bytes: &[u8], mut depth: usize) -> usize {
        let mut at = 0;
        // `[` and `{` differ in one bit, as `]` and `}` do.
        while let Some(next) = find(&bytes[at..], |byte| {
            byte == b'"' || matches!(byte | 0x20, b'{' | b'}')
        }) {
            at += next + 1;
            match bytes[at - 1] {
                b'"' => match plain_text(&bytes[at..]) {
                    Some(length) => at += length,
                    None => {
                        self.state = State::SkipText {
                            depth,
                            escaped: false,
                        };
                        return at;
                    }
                },
                b'{' | b'[' => depth += 1,
                _ if depth == 1 => {
                    self.ended();
                    return at;
                }
                _ => depth -= 1,
            }
        }
        self.state = State::Skip { depth };
        bytes.len()
    }

    fn skip_text(&mut self, bytes: &[u8], depth: usize, escaped: bool) -> usize {
        if escaped {
            self.state = State::SkipText {
                depth,
                escaped: false,
            };
            return 1;
        }
        match find(bytes, |byte| matches!(byte, b'"' | b'\\')) {
            Some(at) if bytes[at] == b'"' => {
                self.state = State::Skip { depth };
                at + 1
            }
            Some(at) => {
                self.state = State::SkipText {
                    depth,
                    escaped: true,
                };
                at + 1
            }
            None => bytes.len(),
        }
    }

    /// How many steps of a path lead to the current value.
    fn depth(&self) -> usize {
        let outermost = self.levels.first().is_some_and(|level| level.outermost);
        self.levels.len() - usize::from(outermost)
    }

    /// Of the entries `live` at the innermost level, those that go on with `step`.
    fn matching(&self, live: u64, step: &[u8]) -> u64 {
        self.table.matching(live, self.depth() - 1, step)
    }

    /// Of the live entries, those whose path ends at the current value.
    fn ends_here(&self) -> u64 {
        self.live & self.table.ending(self.depth())
    }

    fn found(&self, put: impl FnMut(Slot)) {
        self.table.slots(self.ends_here()).for_each(put);
    }
}

/// The length of the rest of a text up to and with its end, if it is all there and has no escapes.
fn plain_text(bytes: &[u8]) -> Option<usize> {
    let end = find(bytes, |byte| matches!(byte, b'"' | b'\\'))?;
    (bytes[end] == b'"').then_some(end + 1)
}

/// The first byte that is one of these. Blocks are compared without an early exit, which the compiler turns into a few
/// instructions for all of a block.
pub(super) fn find(bytes: &[u8], is: impl Fn(u8) -> bool) -> Option<usize> {
    const BLOCK: usize = 32;
    let none = |block: &&[u8]| !block.iter().fold(false, |any, byte| any | is(*byte));
    let from = bytes.chunks_exact(BLOCK).take_while(none).count() * BLOCK;
    let rest = bytes[from..].iter().position(|byte| is(*byte))?;
    Some(from + rest)
}

/// A text of JSON as it reads. What is no text becomes U+FFFD.
fn unescaped(raw: &[u8]) -> Cow<'_, str> {
    let raw = String::from_utf8_lossy(raw);
    if !raw.contains('\\') {
        return raw;
    }
    let mut text = String::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        let unit = match char {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD));
                    continue;
                }
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => '\u{FFFD}',
            },
            plain => plain,
        };
        text.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or('\u{FFFD}')));
        text.push(unit);
    }
    text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{FFFD}')));
    text.into()
}
