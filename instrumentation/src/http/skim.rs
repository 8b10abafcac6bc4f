//! Picks a few values out of JSON as its bytes pass by: in pieces of any size, without keeping the text.

use memchr::memchr2;

use super::{
    bytes::{blanks, plain_text, quote_or_bracket, readable, unescaped},
    facts::{Facts, Slot},
    table::{DEPTH, Table},
};

/// Longest text taken, in bytes; a longer one is no id or name.
const MAX_TEXT: usize = 1024;
/// Deepest nesting followed: that of the longest path, and an array around everything.
const MAX_LEVELS: usize = DEPTH + 1;

/// A parser of one table.
///
/// Values follow each other without separators as well, as in NDJSON, and an array around everything is looked through:
/// Gemini streams one. What is not on a path is skipped by counting brackets, so it is not checked.
#[derive(Debug)]
pub(super) struct Skimmer {
    table: &'static Table,
    state: State,
    /// The levels that are open, outermost first, and how many they are.
    levels: [Level; MAX_LEVELS],
    open: usize,
    /// Entries of the table that the next value may belong to.
    live: u64,
    text: Vec<u8>,
    max_text: usize,
    broken: bool,
}

#[derive(Clone, Copy, Debug, Default)]
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
            levels: [Level::default(); MAX_LEVELS],
            open: 0,
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
            State::Value | State::Word => self.open == 0,
            _ => false,
        };
        rest && !self.broken
    }

    /// Bytes of memory that grow with what is read.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.text.capacity()
    }

    /// Forgets the document it is in.
    pub(super) fn reset(&mut self) {
        self.open = 0;
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
                _ => self.mark(bytes, facts),
            };
            bytes = &bytes[used..];
        }
    }

    /// What follows between values; how many bytes it took.
    fn mark(&mut self, bytes: &[u8], facts: &mut Facts) -> usize {
        let byte = bytes[0];
        match (self.state, byte) {
            // OpenAI indents its answers.
            (_, b' ' | b'\t' | b'\n' | b'\r') => return blanks(bytes),
            (State::Key, b'"') => return self.begin_text(bytes, true, facts),
            (State::Value, b'"') => return self.begin_text(bytes, false, facts),
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => self.next(),
            (State::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.text.clear();
                self.state = State::Word;
                return self.word(bytes, facts);
            }
            (State::Value, b'{') => self.open(false),
            (State::Value, b'[') => self.open(true),
            (State::Key | State::After, b'}') => self.close(false),
            (State::Value | State::After, b']') => self.close(true),
            _ => self.broken = true,
        }
        1
    }

    fn open(&mut self, array: bool) {
        let outermost = array && self.open == 0;
        let live = self.live & self.table.beyond(self.depth());
        if live == 0 || self.open == MAX_LEVELS {
            self.state = State::Skip { depth: 1 };
            return;
        }
        self.levels[self.open] = Level {
            live,
            array,
            outermost,
        };
        self.open += 1;
        self.next();
    }

    /// Before the next key or element of the innermost level.
    fn next(&mut self) {
        let Some(level) = self.innermost() else {
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
        match self.innermost() {
            Some(level) if level.array == array => {
                self.open -= 1;
                self.ended();
            }
            _ => self.broken = true,
        }
    }

    fn innermost(&self) -> Option<Level> {
        self.levels[..self.open].last().copied()
    }

    fn ended(&mut self) {
        if self.open == 0 {
            self.live = self.table.all();
            self.state = State::Value;
        } else {
            self.state = State::After;
        }
    }

    /// At a text's first quote; how many bytes it took. Most texts come in one piece and without escapes.
    fn begin_text(&mut self, bytes: &[u8], key: bool, facts: &mut Facts) -> usize {
        let kept = key || self.ends_here() != 0;
        if let Some(length) = plain_text(&bytes[1..]) {
            let text = &bytes[1..length];
            match key {
                true => self.key(text),
                false => self.plain_value(text, kept, facts),
            }
            return self.separated(bytes, length + 1);
        }
        self.text.clear();
        self.state = State::Text {
            key,
            kept,
            escaped: false,
        };
        1
    }

    /// Takes the separator as well that follows a text or a word of `used` bytes, if one does.
    fn separated(&mut self, bytes: &[u8], used: usize) -> usize {
        match (self.state, bytes.get(used)) {
            (State::Colon, Some(b':')) => self.state = State::Value,
            (State::After, Some(b',')) => self.next(),
            _ => return used,
        }
        used + 1
    }

    fn key(&mut self, key: &[u8]) {
        let live = self.innermost().map_or(0, |level| level.live);
        self.live = self.matching(live, key);
        self.state = State::Colon;
    }

    /// A text without escapes.
    fn plain_value(&mut self, raw: &[u8], kept: bool, facts: &mut Facts) {
        if kept && raw.len() <= self.max_text {
            let text = readable(raw);
            self.found(|slot| facts.text(slot, &text));
        }
        self.ended();
    }

    fn value(&mut self, raw: &[u8], kept: bool, facts: &mut Facts) {
        if kept && raw.len() <= self.max_text {
            let text = unescaped(raw);
            self.found(|slot| facts.text(slot, &text));
        }
        self.ended();
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
        let Some(at) = memchr2(b'"', b'\\', bytes) else {
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
        let collected = std::mem::take(&mut self.text);
        let raw = whole(&collected, &bytes[..at]);
        match key {
            true => self.key(raw),
            false => self.value(raw, kept, facts),
        }
        self.text = collected;
        at + 1
    }

    /// Keeps the end of what began in an earlier piece.
    fn keep_end(&mut self, kept: bool, end: &[u8]) {
        if !self.text.is_empty() {
            self.keep(kept, end);
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
        let word = whole(&self.text, &bytes[..length]);
        let known = match word {
            b"null" => true,
            b"true" | b"false" => {
                let flag = word == b"true";
                self.found(|slot| facts.flag(slot, flag));
                true
            }
            _ => {
                let mut number = matches!(word.first(), Some(b'-' | b'0'..=b'9'));
                self.found(|slot| {
                    let text = std::str::from_utf8(word);
                    number &= text.is_ok_and(|text| facts.number(slot, text));
                });
                number
            }
        };
        self.broken |= !known;
        self.ended();
        self.separated(bytes, length)
    }

    fn skip(&mut self, bytes: &[u8], mut depth: usize) -> usize {
        let mut at = 0;
        while let Some(next) = quote_or_bracket(&bytes[at..]) {
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
        match memchr2(b'"', b'\\', bytes) {
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
        let outermost = self.levels[..self.open].first();
        self.open - usize::from(outermost.is_some_and(|level| level.outermost))
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

/// A text or word of which `kept` came in earlier pieces, all of it, or none.
fn whole<'a>(kept: &'a [u8], piece: &'a [u8]) -> &'a [u8] {
    match kept.is_empty() {
        true => piece,
        false => kept,
    }
}
