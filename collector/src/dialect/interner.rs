//! Shared texts: service names, labels and models repeat over nearly all spans of a request.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use costflame_profile::Text;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::frame::Raw;

/// Beyond this number of texts the interner starts anew: names with ids in them would fill it.
const MAX_TEXTS: usize = 8 * 1024;

/// Hands out one `Arc` per text. Bounded.
#[derive(Default)]
pub struct Interner {
    texts: Map<Text>,
    labels: Map<Label>,
}

type Map<T> = HashMap<u64, T, BuildHasherDefault<Hashed>>;

struct Label {
    raw: String,
    label: Text,
}

impl Interner {
    /// The shared copy of a text.
    #[must_use]
    pub fn intern(&mut self, text: &str) -> Text {
        let hash = xxh3_64(text.as_bytes());
        match self.texts.get(&hash) {
            Some(known) if **known == *text => return known.clone(),
            // Two texts with one hash: the second goes without.
            Some(_) => return Text::from(text),
            None => {}
        }
        let shared = Text::from(text);
        insert(&mut self.texts, hash, shared.clone());
        shared
    }

    /// The shared label of a frame.
    #[must_use]
    pub fn label(&mut self, raw: &Raw<'_>) -> Text {
        let hash = raw_hash(raw);
        match self.labels.get(&hash) {
            Some(known) if is_same(raw, &known.raw) => return known.label.clone(),
            Some(_) => return Text::from(raw.label()),
            None => {}
        }
        let label = self.intern(&raw.label());
        insert(
            &mut self.labels,
            hash,
            Label {
                raw: raw.joined(),
                label: label.clone(),
            },
        );
        label
    }
}

fn insert<T>(map: &mut Map<T>, hash: u64, value: T) {
    if map.len() >= MAX_TEXTS {
        map.clear();
    }
    map.insert(hash, value);
}

/// Verbatim and folded labels of one text differ.
fn raw_hash(raw: &Raw<'_>) -> u64 {
    match raw {
        Raw::Verbatim(text) => xxh3_64_with_seed(text.as_bytes(), 1),
        Raw::Name(text) => xxh3_64_with_seed(text.as_bytes(), 2),
        Raw::Pair(first, separator, second) => {
            let seed = xxh3_64_with_seed(first.as_bytes(), u64::from(*separator as u32));
            xxh3_64_with_seed(second.as_bytes(), seed)
        }
    }
}

/// The map keeps no kind: equal texts of two kinds have different hashes but for chance, and chance is harmless in
/// [`Raw::Verbatim`] and [`Raw::Pair`], which are labelled alike.
fn is_same(raw: &Raw<'_>, known: &str) -> bool {
    match raw {
        Raw::Verbatim(text) | Raw::Name(text) => *text == known,
        Raw::Pair(first, separator, second) => known
            .strip_prefix(first)
            .and_then(|rest| rest.strip_prefix(*separator))
            .is_some_and(|rest| rest == *second),
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
