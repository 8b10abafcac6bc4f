//! Bytes of JSON: where what is looked for stands among them, and how they read as text.

use std::borrow::Cow;

use memchr::memchr2;

/// How many blanks there are before anything else.
pub(super) fn blanks(bytes: &[u8]) -> usize {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let end = bytes.iter().position(|byte| !is_blank(byte));
    end.unwrap_or(bytes.len())
}

/// Keys, names and ids are this short: looking at each word of eight bytes takes less time than beginning a search that is
/// fast in long texts.
const SHORT: usize = 32;

/// The length of the rest of a text up to and with its end, if it is all there and has no escapes.
pub(super) fn plain_text(bytes: &[u8]) -> Option<usize> {
    let (near, far) = bytes.split_at(bytes.len().min(SHORT));
    let quote_or_escape = |word| equal(word, b'"') | equal(word, b'\\');
    let end = match first(near, quote_or_escape) {
        Some(end) => end,
        None => near.len() + memchr2(b'"', b'\\', far)?,
    };
    (bytes[end] == b'"').then_some(end + 1)
}

/// The first quote or bracket.
pub(super) fn quote_or_bracket(bytes: &[u8]) -> Option<usize> {
    // `[` and `{` differ in one bit, as `]` and `}` do.
    first(bytes, |word| {
        let brackets = word | (ONES << 5);
        equal(word, b'"') | equal(brackets, b'{') | equal(brackets, b'}')
    })
}

const ONES: u64 = u64::MAX / 255;

/// Of the bytes of a word that are this one, the highest bit; of those behind the first perhaps of others as well.
const fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ (ONES * byte as u64);
    differing.wrapping_sub(ONES) & !differing & (ONES << 7)
}

/// The place of the first byte that `found` marks, asked of eight at a time, the first the lowest.
fn first(bytes: &[u8], found: impl Fn(u64) -> u64) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        let found = found(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let mut rest = bytes[at..].iter();
    let next = rest.position(|byte| found(u64::from(*byte)) != 0)?;
    Some(at + next)
}

/// A text without escapes. What is no text becomes U+FFFD.
pub(super) fn readable(raw: &[u8]) -> Cow<'_, str> {
    // Checking alone is faster, and nearly every text passes.
    std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed)
}

/// A text of JSON as it reads. What is no text becomes U+FFFD.
pub(super) fn unescaped(raw: &[u8]) -> Cow<'_, str> {
    let escaped = raw.contains(&b'\\');
    let raw = readable(raw);
    if !escaped {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every place in and behind the words of eight bytes, beside bytes that differ in one bit.
    #[test]
    fn the_first_is_found_wherever_it_stands() {
        for at in 0..70 {
            let mut bytes = b"#!\xa2Z|y\x5d".repeat(10)[..at].to_vec();
            bytes.retain(|byte| *byte != b']');
            let quote = bytes.len();
            bytes.extend_from_slice(b"\"\\{");
            assert_eq!(quote_or_bracket(&bytes), Some(quote));
            assert_eq!(plain_text(&bytes), Some(quote + 1));
            bytes[quote] = b'\\';
            assert_eq!(plain_text(&bytes), None, "an escape");
            assert_eq!(quote_or_bracket(&bytes), Some(quote + 2));
            assert_eq!(quote_or_bracket(&bytes[..quote]), None);
            assert_eq!(plain_text(&bytes[..quote]), None, "no end");
        }
    }
}
