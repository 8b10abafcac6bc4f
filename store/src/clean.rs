//! Texts as both databases can hold them: Postgres has no NUL in text.

use std::borrow::Cow;

use costflame_profile::Text;

/// The text with NUL replaced by U+FFFD.
pub(crate) fn clean_str(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same text, or a new one without NUL.
pub(crate) fn clean(text: Text) -> Text {
    match clean_str(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => changed.into(),
    }
}
