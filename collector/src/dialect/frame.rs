//! The box of the flamegraph a span becomes: kind and label.
//!
//! A label depends on the span alone, so that it never changes with what else arrived. It has low cardinality: names of
//! agents, tools, models and routes as they are, and other span names with ids and numbers folded.

use std::borrow::Cow;

use costflame_profile::{FrameKind, SpanKind};

use super::{
    evidence::Recognised,
    slots::{Key, Slot, Slots},
};
use crate::decode::Span;

/// Longest label in bytes.
pub const MAX_LABEL: usize = 120;
/// Version of the folding rules; a change of them makes new paths.
pub const FOLDING_VERSION: u8 = 1;

/// What stands for an id or a number.
const FOLDED: &str = "{id}";
/// What stands for a label without any visible character.
const UNNAMED: &str = "(unnamed)";
/// A run of letters and digits of this length with a digit in it is an id, whatever its alphabet.
const ID_LENGTH: usize = 24;

/// Keys of requests served.
pub(super) const KEYS: &[Key] = &[
    ("http.route", Slot::HttpRoute),
    ("http.request.method", Slot::HttpMethod),
    ("http.method", Slot::HttpMethod),
    ("rpc.service", Slot::RpcService),
    ("rpc.method", Slot::RpcMethod),
    ("messaging.destination.template", Slot::Destination),
    ("messaging.destination.name", Slot::Destination),
    ("messaging.destination", Slot::Destination),
];

/// The frame of a span: its kind, and the label before it is made [`presentable`] and, if it is a span's name, folded.
#[must_use]
pub fn of<'a>(
    recognised: &Recognised<'a>,
    span: &Span<'a>,
    slots: &Slots<'a>,
) -> (FrameKind, Raw<'a>) {
    let served = matches!(span.kind, SpanKind::Server | SpanKind::Consumer);
    if served && recognised.kind == FrameKind::Step {
        return (FrameKind::Request, request(span, slots));
    }
    let raw = match recognised.label {
        Some(model) if recognised.kind == FrameKind::Model => Raw::Verbatim(model),
        Some(name) => Raw::Name(name),
        None => Raw::Name(span.name),
    };
    (recognised.kind, raw)
}

/// A label before it is made presentable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw<'a> {
    /// Low cardinality by its nature.
    Verbatim(&'a str),
    /// Two such with a character between them.
    Pair(&'a str, char, &'a str),
    /// May hold ids and numbers.
    Name(&'a str),
}

impl Raw<'_> {
    /// The label.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Verbatim(text) => presentable(text),
            Self::Pair(..) => presentable(&self.joined()),
            Self::Name(text) => folded(text),
        }
    }

    /// The text the label is made of.
    #[must_use]
    pub fn joined(&self) -> String {
        match self {
            Self::Verbatim(text) | Self::Name(text) => (*text).to_owned(),
            Self::Pair(first, between, second) => format!("{first}{between}{second}"),
        }
    }
}

/// `POST /chat/{id}`, `package.Service/Method`, `orders`, else the span's name.
fn request<'a>(span: &Span<'a>, slots: &Slots<'a>) -> Raw<'a> {
    let text = |slot| slots.text(slot);
    if let Some(route) = text(Slot::HttpRoute) {
        return text(Slot::HttpMethod)
            .map_or(Raw::Verbatim(route), |method| Raw::Pair(method, ' ', route));
    }
    if let (Some(service), Some(method)) = (text(Slot::RpcService), text(Slot::RpcMethod)) {
        return Raw::Pair(service, '/', method);
    }
    match text(Slot::Destination) {
        Some(destination) if span.kind == SpanKind::Consumer => Raw::Name(destination),
        _ => Raw::Name(span.name),
    }
}

/// A text without control characters and runs of blanks, at most [`MAX_LABEL`] bytes.
#[must_use]
pub fn presentable(text: &str) -> String {
    or_unnamed(&shortened(text, MAX_LABEL))
}

/// A text without control characters and runs of blanks, at most `most` bytes.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let is_short = |text: &str| text.len() <= most;
    match cleaned(text) {
        clean if is_short(&clean) => clean,
        Cow::Borrowed(clean) => Cow::Borrowed(clean[..clean.floor_char_boundary(most)].trim_end()),
        Cow::Owned(clean) => Cow::Owned(
            clean[..clean.floor_char_boundary(most)]
                .trim_end()
                .to_owned(),
        ),
    }
}

/// A span's name with uuids, e-mail addresses, ids and numbers folded to `{id}`, at most [`MAX_LABEL`] bytes.
///
/// A number is folded if it stands alone or has three digits: `page 7`, `step_12`, `job4711`, but not `gpt-4o` or `s3`.
/// Eight and more hexadecimal digits are an id if one of them is a digit.
#[must_use]
pub fn folded(text: &str) -> String {
    let clean = cleaned(text);
    let folded = fold(&clean);
    if folded.len() <= MAX_LABEL {
        return or_unnamed(&folded);
    }
    let mut cut = folded.floor_char_boundary(MAX_LABEL);
    // Not inside a word: what is left of it could look like an id, or like half a placeholder.
    let whole = |byte: Option<&u8>| {
        !byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"{}@._%+-".contains(byte))
    };
    let bytes = folded.as_bytes();
    if !whole(bytes.get(cut)) {
        cut = (0..cut)
            .rev()
            .find(|at| whole(bytes.get(*at)))
            .map_or(cut, |at| at);
    }
    or_unnamed(folded[..folded.floor_char_boundary(cut)].trim_end())
}

fn or_unnamed(label: &str) -> String {
    if label.is_empty() {
        UNNAMED.to_owned()
    } else {
        label.to_owned()
    }
}

/// Control and formatting characters and runs of blanks become one space; none at the ends.
fn cleaned(text: &str) -> Cow<'_, str> {
    // Names and ids of nearly all calls.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(text);
    }
    let is_blank = |c: char| c.is_control() || c.is_whitespace() || is_formatting(c);
    let is_clean = !text.chars().any(|c| c != ' ' && is_blank(c))
        && !text.contains("  ")
        && text.trim() == text;
    if is_clean {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.split(is_blank)
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// Characters that change how their neighbours are shown: directions, zero width, byte order mark.
fn is_formatting(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn fold(text: &str) -> Cow<'_, str> {
    if !text
        .bytes()
        .any(|byte| byte.is_ascii_digit() || byte == b'@')
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = id_length(rest, out.as_bytes().last().copied());
        if length > 0 {
            out.push_str(FOLDED);
            rest = &rest[length..];
            continue;
        }
        let word = word_length(rest).max(rest.chars().next().map_or(1, char::len_utf8));
        push_with_numbers_folded(&mut out, &rest[..word]);
        rest = &rest[word..];
    }
    Cow::Owned(out)
}

/// Length of the id at the start of `rest`, 0 if there is none. Ids start where a word starts.
fn id_length(rest: &str, before: Option<u8>) -> usize {
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return 0;
    }
    let email = email_length(rest);
    if email > 0 {
        return email;
    }
    if is_uuid(rest) {
        return UUID_LENGTH;
    }
    let length = word_length(rest);
    if is_id(&rest.as_bytes()[..length]) {
        length
    } else {
        0
    }
}

/// Length of the run of ASCII letters and digits.
fn word_length(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_alphanumeric).count()
}

fn is_id(word: &[u8]) -> bool {
    let has_digit = word.iter().any(u8::is_ascii_digit);
    has_digit
        && (word.len() >= ID_LENGTH || (word.len() >= 8 && word.iter().all(u8::is_ascii_hexdigit)))
}

const UUID_LENGTH: usize = 36;

fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(uuid) = bytes.get(..UUID_LENGTH) else {
        return false;
    };
    let ends = !bytes
        .get(UUID_LENGTH)
        .is_some_and(u8::is_ascii_alphanumeric);
    let shape = uuid.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    ends && shape
}

/// Length of `local@domain` at the start; the domain has a dot inside.
fn email_length(text: &str) -> usize {
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let local = text.bytes().take_while(is_local).count();
    if local == 0 || text.as_bytes().get(local) != Some(&b'@') {
        return 0;
    }
    let domain: usize = text[local + 1..]
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let has_dot = text[local + 1..local + 1 + domain]
        .trim_matches(['.', '-'])
        .contains('.');
    if has_dot { local + 1 + domain } else { 0 }
}

/// Folds the numbers in one word that is not an id: all of it, or runs of three and more digits.
fn push_with_numbers_folded(out: &mut String, word: &str) {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let other = rest
            .bytes()
            .skip(digits)
            .take_while(|byte| !byte.is_ascii_digit())
            .count();
        if digits == word.len() || digits >= 3 {
            out.push_str(FOLDED);
        } else {
            out.push_str(&rest[..digits]);
        }
        out.push_str(&rest[digits..digits + other]);
        rest = &rest[digits + other..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folds_ids_and_numbers() {
        for (name, label) in [
            ("handle_chat", "handle_chat"),
            ("GET /users/1234/orders/7", "GET /users/{id}/orders/{id}"),
            ("Cycle c16b8f93-fa02-47b0-94d4-4a8d5622a69d", "Cycle {id}"),
            (
                "assistant_017e3578-d3c4-4e92-b693-c60a1e1b2c3d/default",
                "assistant_{id}/default",
            ),
            (
                "mail to jane.doe+x@mail.example.com now",
                "mail to {id} now",
            ),
            ("user@host", "user@host"),
            ("object deadbeef01 kept", "object {id} kept"),
            ("a defaced facade", "a defaced facade"),
            ("Step 12", "Step {id}"),
            ("step_12", "step_{id}"),
            ("job4711", "job{id}"),
            ("s3 put", "s3 put"),
            ("embed with ada002", "embed with ada{id}"),
            ("chat gpt-4o", "chat gpt-4o"),
            ("msg_01fe801b1860a68a86bd419f2", "msg_{id}"),
            ("line\nbreak\u{0}\u{202e}x", "line break x"),
            ("", "(unnamed)"),
            ("\t", "(unnamed)"),
        ] {
            assert_eq!(folded(name), label, "{name:?}");
        }
    }

    #[test]
    fn verbatim_labels_keep_their_numbers() {
        assert_eq!(presentable("gpt-4o-2024-08-06"), "gpt-4o-2024-08-06");
        assert_eq!(presentable(&"ü".repeat(100)).len(), 120);
    }

    proptest! {
        #[test]
        fn folding_is_idempotent_and_bounded(
            name in prop_oneof![".{0,200}", "[a-f0-9@._ {}-]{0,180}", "([a-z]{1,9}[0-9]{0,4}[-_ /@.]){0,40}"]
        ) {
            let once = folded(&name);
            prop_assert!(once.len() <= MAX_LABEL && !once.is_empty());
            prop_assert!(!once.contains(char::is_control));
            prop_assert_eq!(&folded(&once), &once);
            let shown = presentable(&name);
            prop_assert!(shown.len() <= MAX_LABEL);
            prop_assert_eq!(presentable(&shown), shown);
        }
    }
}
