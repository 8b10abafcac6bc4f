//! Opaque cursors: the key of the last row of a page, and the question it belongs to.
//!
//! The next page starts after that key, so rows that arrive meanwhile neither repeat nor hide one.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{hex, params::Invalid};

/// First byte; another layout is another number.
const VERSION: u8 = 1;

/// A place in a list.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor<K> {
    question: [u8; 8],
    from_us: i64,
    to_us: i64,
    key: K,
}

/// The question that a cursor belongs to: everything that decides which rows follow in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Hash of list, order and filters.
    id: [u8; 8],
    /// First microsecond of the range.
    pub(crate) from_us: i64,
    /// First microsecond after the range.
    pub(crate) to_us: i64,
    /// True when the request named no range; later pages then keep the range of the first.
    pub(crate) default_range: bool,
}

impl Question {
    /// The question of a list: its name with the order, and the filters' text.
    #[must_use]
    pub(crate) fn new(
        list: &str,
        clauses: &impl std::fmt::Debug,
        range: (i64, i64),
        default_range: bool,
    ) -> Self {
        let text = format!("{list}\n{clauses:?}");
        let hash = blake3::hash(text.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.as_bytes()[..8]);
        Self {
            id,
            from_us: range.0,
            to_us: range.1,
            default_range,
        }
    }

    /// The cursor behind a row.
    #[must_use]
    pub(crate) fn cursor<K: Serialize>(&self, key: K) -> String {
        let cursor = Cursor {
            question: self.id,
            from_us: self.from_us,
            to_us: self.to_us,
            key,
        };
        let mut bytes = vec![VERSION];
        bytes.extend(
            postcard::to_stdvec(&cursor)
                .expect("a cursor has no length that postcard cannot write"),
        );
        hex::write(&bytes)
    }

    /// The key in a cursor. Without a range in the request, the cursor's range becomes the question's.
    ///
    /// # Errors
    /// When the text is no cursor, or one of another question.
    pub(crate) fn resume<K: DeserializeOwned>(&mut self, text: &str) -> Result<K, Invalid> {
        let cursor: Cursor<K> =
            read(text).ok_or_else(|| Invalid::new("cursor", "It is no cursor of this list."))?;
        if self.default_range && cursor.from_us < cursor.to_us {
            (self.from_us, self.to_us) = (cursor.from_us, cursor.to_us);
        }
        if cursor.question != self.id
            || (cursor.from_us, cursor.to_us) != (self.from_us, self.to_us)
        {
            return Err(Invalid::new(
                "cursor",
                "It belongs to another range, order or filter.",
            ));
        }
        Ok(cursor.key)
    }
}

fn read<K: DeserializeOwned>(text: &str) -> Option<Cursor<K>> {
    let bytes = hex::read_vec(text)?;
    let (version, rest) = bytes.split_first()?;
    let (cursor, left) = postcard::take_from_bytes(rest).ok()?;
    (*version == VERSION && left.is_empty()).then_some(cursor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(list: &str, range: (i64, i64), default_range: bool) -> Question {
        Question::new(list, &["model=a"], range, default_range)
    }

    #[test]
    fn belongs_to_one_question() {
        let cursor = question("calls", (1, 9), false).cursor(7_i64);
        assert_eq!(question("calls", (1, 9), false).resume(&cursor), Ok(7_i64));
        for mut other in [
            question("traces", (1, 9), false),
            question("calls", (2, 9), false),
            Question::new("calls", &["model=b"], (1, 9), false),
        ] {
            assert_eq!(other.resume::<i64>(&cursor).unwrap_err().field, "cursor");
        }
    }

    #[test]
    fn a_moving_range_stands_still_while_paging() {
        let cursor = question("calls", (1, 9), true).cursor(7_i64);
        let mut later = question("calls", (3, 11), true);
        assert_eq!(later.resume(&cursor), Ok(7_i64));
        assert_eq!((later.from_us, later.to_us), (1, 9));
    }

    proptest! {
        #[test]
        fn round_trips(start in any::<i64>(), trace in any::<[u8; 16]>(), span in any::<[u8; 8]>()) {
            let mut question = question("calls", (1, 9), false);
            let cursor = question.cursor((start, trace, span));
            prop_assert_eq!(question.resume(&cursor), Ok((start, trace, span)));
        }

        #[test]
        fn any_text_is_refused(text in "[0-9a-f]{0,120}|.*") {
            prop_assert!(question("calls", (1, 9), false).resume::<(i64, [u8; 16])>(&text).is_err());
        }
    }
}
