//! Remembers which model a spelling resolved to. Programs use few models, many times.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{PoisonError, RwLock},
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::lookup::Resolved;

/// Entries before the cache starts anew. A client that sends ever new names costs time, not memory.
const MOST_ENTRIES: usize = 4_096;
/// Bytes of a key worth remembering.
const MOST_BYTES: usize = 512;

/// What a resolution depends on: provider, server address, response model, request model.
pub(super) type Key<'a> = [Option<&'a str>; 4];

#[derive(Default)]
pub(super) struct Cache {
    entries: RwLock<HashMap<u64, Entry, BuildHasherDefault<Hashed>>>,
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

struct Entry {
    key: [Option<Box<str>>; 4],
    resolved: Resolved,
}

impl Cache {
    pub(super) fn get_or(&self, key: Key<'_>, resolve: impl FnOnce() -> Resolved) -> Resolved {
        let hash = hash(key);
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&hash).filter(|entry| entry.is(key)) {
            return entry.resolved.clone();
        }
        drop(entries);
        let resolved = resolve();
        if key.iter().flatten().map(|part| part.len()).sum::<usize>() <= MOST_BYTES {
            self.insert(
                hash,
                Entry {
                    key: key.map(|part| part.map(Box::from)),
                    resolved: resolved.clone(),
                },
            );
        }
        resolved
    }

    fn insert(&self, hash: u64, entry: Entry) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST_ENTRIES {
            entries.clear();
        }
        entries.insert(hash, entry);
    }
}

impl Entry {
    fn is(&self, key: Key<'_>) -> bool {
        self.key
            .iter()
            .zip(key)
            .all(|(own, other)| own.as_deref() == other)
    }
}

fn hash(key: Key<'_>) -> u64 {
    key.iter().fold(0, |seed, part| match part {
        Some(part) => xxh3_64_with_seed(part.as_bytes(), seed),
        None => seed.rotate_left(1).wrapping_add(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flag, Flags};

    fn resolved(flag: Flag) -> Resolved {
        let mut flags = Flags::default();
        flags.insert(flag);
        Resolved {
            flags,
            ..Resolved::default()
        }
    }

    #[test]
    fn remembers_and_stays_bounded() {
        let cache = Cache::default();
        let key = [Some("openai"), None, Some("gpt-4o"), None];
        let first = cache.get_or(key, || resolved(Flag::RequestModel));
        let again = cache.get_or(key, || unreachable!("remembered"));
        assert_eq!(first.flags, again.flags);
        let moved = cache.get_or(
            [None, Some("openai"), Some("gpt-4o"), None],
            Resolved::default,
        );
        assert_eq!(moved.flags, Flags::default());

        for n in 0..2 * MOST_ENTRIES {
            cache.get_or([None, None, Some(&n.to_string()), None], Resolved::default);
        }
        cache.get_or(
            [None, None, Some(&"x".repeat(MOST_BYTES + 1)), None],
            Resolved::default,
        );
        let entries = cache.entries.read().unwrap();
        assert!(entries.len() <= MOST_ENTRIES);
        assert!(entries.values().all(|entry| {
            entry.key[2]
                .as_ref()
                .is_some_and(|model| model.len() <= MOST_BYTES)
        }));
    }
}
