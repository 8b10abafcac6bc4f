//! Which paths and series are known to be stored, so that most settlings need not write them.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// Entries kept; beyond it everything is forgotten and written once more, which changes nothing.
const MOST: usize = 200_000;

/// Ids of rows that are never deleted.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashSet<(i32, [u8; 16])>>);

impl Seen {
    /// Those not known to be stored.
    pub(crate) fn missing<T>(
        &self,
        rows: impl Iterator<Item = T>,
        id: impl Fn(&T) -> (i32, [u8; 16]),
    ) -> Vec<T> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.filter(|row| !seen.contains(&id(row))).collect()
    }

    /// Remembers rows whose transaction has committed.
    pub(crate) fn add(&self, ids: impl IntoIterator<Item = (i32, [u8; 16])>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > MOST {
            seen.clear();
        }
        seen.extend(ids);
    }
}
