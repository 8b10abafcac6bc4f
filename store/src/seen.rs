//! Which paths, series and sets of token classes are known to be stored, so that most settlings need not write them.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use costflame_profile::PathId;

use crate::{ClassSet, SeriesId};

/// A row that is never deleted, by project and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    Path(i32, PathId),
    Series(i32, SeriesId),
    Classes(i32, ClassSet),
}

/// Entries kept; beyond it everything is forgotten and written once more, which changes nothing.
const MOST: usize = 200_000;

/// What is known to be stored.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashSet<Stored>>);

impl Seen {
    /// Those not known to be stored.
    pub(crate) fn missing<T>(
        &self,
        rows: impl Iterator<Item = T>,
        key: impl Fn(&T) -> Stored,
    ) -> Vec<T> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.filter(|row| !seen.contains(&key(row))).collect()
    }

    /// Remembers rows whose transaction has committed.
    pub(crate) fn add(&self, stored: impl IntoIterator<Item = Stored>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > MOST {
            seen.clear();
        }
        seen.extend(stored);
    }
}
