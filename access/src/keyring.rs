//! The keys that are valid, remembered: requests ask no database, and go on while it is away.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use costflame_store::{ApiKey, KeyScope, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{clock::now_us, key::Shown};

/// How often the database is asked: a key that was created or revoked counts as such after this and the answer.
pub const EVERY: Duration = Duration::from_secs(2);

/// The use of a key is noted this often at most, in microseconds.
const NOTE_US: i64 = 3_600_000_000;

/// A valid key.
#[derive(Debug)]
pub(crate) struct Entry {
    row: ApiKey,
    /// When it was last used, microseconds since 1970 UTC; 0 = never.
    used_us: AtomicI64,
}

impl Entry {
    pub(crate) fn project(&self) -> i32 {
        self.row.project
    }

    pub(crate) fn scope(&self) -> KeyScope {
        self.row.scope
    }

    pub(crate) fn id(&self) -> &str {
        &self.row.id
    }
}

type Entries = HashMap<String, Arc<Entry>>;

/// Valid keys by id.
#[derive(Debug)]
pub struct Keyring {
    store: Store,
    entries: ArcSwap<Entries>,
}

impl Keyring {
    /// Reads the keys a first time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(store: Store) -> Result<Arc<Self>, StoreError> {
        let keyring = Self {
            store,
            entries: ArcSwap::default(),
        };
        keyring.refresh().await?;
        Ok(Arc::new(keyring))
    }

    /// Keeps up with the database until `shutdown`. While it is away what was valid stays valid.
    pub async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        let mut is_up = true;
        while shutdown
            .run_until_cancelled(tokio::time::sleep(EVERY))
            .await
            .is_some()
        {
            match self.refresh().await {
                Ok(()) => is_up = true,
                Err(error) if is_up => {
                    is_up = false;
                    tracing::warn!(%error, "the keys cannot be read again; those known stay valid");
                }
                Err(_) => {}
            }
        }
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        let rows = self.store.api_keys().await?;
        let known = self.entries.load();
        let mut used = Vec::new();
        let mut entries = Entries::new();
        for row in rows.into_iter().filter(|row| row.revoked_us.is_none()) {
            let noted = row.used_us.unwrap_or_default();
            let last = known
                .get(&row.id)
                .map_or(0, |entry| entry.used_us.load(Ordering::Relaxed));
            if last - noted >= NOTE_US {
                used.push((row.id.clone(), last - last.rem_euclid(NOTE_US)));
            }
            let used_us = AtomicI64::new(last.max(noted));
            entries.insert(row.id.clone(), Arc::new(Entry { row, used_us }));
        }
        self.entries.store(Arc::new(entries));
        if !used.is_empty() {
            self.store.note_key_use(&used).await?;
        }
        Ok(())
    }

    /// The key that a text is; `None` if it is none that is valid.
    pub(crate) fn find(&self, text: &str) -> Option<Arc<Entry>> {
        let shown = Shown::read(text)?;
        let entries = self.entries.load();
        let entry = entries.get(shown.id)?;
        if !shown.is(&entry.row.hash) {
            return None;
        }
        entry.used_us.store(now_us(), Ordering::Relaxed);
        Some(Arc::clone(entry))
    }

    /// Whether a key is still valid.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.entries.load().contains_key(id)
    }
}
