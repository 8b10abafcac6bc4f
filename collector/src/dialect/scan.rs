//! Numbers and texts under their keys, in JSON, in Python's `repr` and in maps. Lenient, bounded, without allocation.

use crate::decode::Value;

/// Text beyond this is not looked at.
pub(super) const MAX_TEXT: usize = 256 * 1024;
/// Keys are remembered, and maps followed, down to this depth.
const MAX_DEPTH: usize = 16;

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Leaf<'a> {
    /// A number.
    Number(f64),
    /// A string, or a word such as `None`.
    Text(&'a str),
}

/// The keys of the objects around a leaf, the outermost first; lists have the key of what holds them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path<'a> {
    keys: [&'a str; MAX_DEPTH],
    /// Objects and lists around the leaf.
    pub(super) depth: usize,
}

impl<'a> Path<'a> {
    /// The key of the nearest object; empty if none.
    pub(super) fn parent(&self) -> &'a str {
        self.known().last().copied().unwrap_or("")
    }

    /// The keys, as far as they are remembered.
    pub(super) fn known(&self) -> &[&'a str] {
        &self.keys[..self.depth.min(MAX_DEPTH)]
    }

    fn push(&mut self, key: &'a str) {
        if let Some(place) = self.keys.get_mut(self.depth) {
            *place = key;
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

/// Visits the leaves of the first object in a text; `name` is the key of the object itself.
pub(super) fn scan_text<'a>(
    text: &'a str,
    name: &'a str,
    leaf: impl FnMut(&Path<'a>, &'a str, Leaf<'a>),
) {
    let rest = &text[..text.floor_char_boundary(MAX_TEXT)];
    Scanner {
        rest,
        path: Path::default(),
        key: Some(name),
        leaf,
    }
    .run();
}

/// Visits the leaves of a map.
pub(super) fn scan_map<'a>(
    map: Value<'a>,
    name: &'a str,
    mut leaf: impl FnMut(&Path<'a>, &'a str, Leaf<'a>),
) {
    follow(map, &mut Path::default(), name, &mut leaf);
}

fn follow<'a>(
    value: Value<'a>,
    path: &mut Path<'a>,
    key: &'a str,
    leaf: &mut impl FnMut(&Path<'a>, &'a str, Leaf<'a>),
) {
    match value {
        Value::Int(number) => leaf(path, key, Leaf::Number(number as f64)),
        Value::Double(number) => leaf(path, key, Leaf::Number(number)),
        Value::Str(text) => leaf(
            path,
            key,
            text.parse().map_or(Leaf::Text(text), Leaf::Number),
        ),
        Value::Map(_) | Value::Array(_) if path.depth < MAX_DEPTH => {
            path.push(key);
            value
                .map()
                .for_each(|(key, value)| follow(value, path, key, leaf));
            value
                .array()
                .for_each(|value| follow(value, path, "", leaf));
            path.pop();
        }
        _ => {}
    }
}

struct Scanner<'a, F> {
    rest: &'a str,
    path: Path<'a>,
    key: Option<&'a str>,
    leaf: F,
}

impl<'a, F: FnMut(&Path<'a>, &'a str, Leaf<'a>)> Scanner<'a, F> {
    fn run(mut self) {
        while let Some(first) = self.rest.bytes().next() {
            match first {
                b'{' | b'[' | b'(' => {
                    self.path.push(self.key.take().unwrap_or(""));
                    self.rest = &self.rest[1..];
                }
                b'}' | b']' | b')' => {
                    self.key = None;
                    self.path.pop();
                    self.rest = &self.rest[1..];
                    if self.path.depth == 0 {
                        return;
                    }
                }
                b'"' | b'\'' => self.quoted(first),
                b'0'..=b'9' | b'-' => self.number(),
                _ if first.is_ascii_alphabetic() || first == b'_' => self.word(),
                _ => self.skip_char(),
            }
        }
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn quoted(&mut self, quote: u8) {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        while end < bytes.len() && bytes[end] != quote {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let text = self.rest.get(1..end).unwrap_or("");
        self.rest = self.rest.get(end + 1..).unwrap_or("");
        self.text_or_key(text);
    }

    fn word(&mut self) {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        // The type in Python's `Usage(input_tokens=1)` is no value.
        if !rest.starts_with('(') {
            self.text_or_key(word);
        }
    }

    /// Text before `:` or `=` is a key.
    fn text_or_key(&mut self, text: &'a str) {
        if let Some(rest) = self.rest.trim_start().strip_prefix([':', '=']) {
            self.rest = rest;
            self.key = Some(text);
        } else if let Some(key) = self.key.take() {
            (self.leaf)(&self.path, key, Leaf::Text(text));
        }
    }

    fn number(&mut self) {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = self
            .rest
            .find(|c: char| !is_part(c))
            .unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let (Some(key), Ok(number)) = (self.key.take(), number.parse()) {
            (self.leaf)(&self.path, key, Leaf::Number(number));
        }
    }
}
