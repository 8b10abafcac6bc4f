//! Closed while the database is down: requests fail at once instead of piling up.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use costflame_store::{LandingRow, StoreError};
use tokio::time::timeout;

use super::{CommitError, Landing, Shared};
use crate::receive::Refusal;

/// Pause before the first try and, doubling, the longest between two.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Whether the database is believed to take commits, and why not.
#[derive(Debug)]
pub struct Gate {
    /// Open while there is none.
    trouble: Mutex<Option<Trouble>>,
    retry_after: Duration,
}

/// Why commits fail.
#[derive(Debug)]
struct Trouble {
    /// For senders: nothing of the database's own words.
    told: &'static str,
    /// For operators.
    detail: String,
}

impl Gate {
    pub(super) fn new(retry_after: Duration) -> Self {
        Self {
            trouble: Mutex::default(),
            retry_after,
        }
    }

    /// Why nothing can be committed now; `None` while commits are believed to work.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.state().as_ref().map(|trouble| trouble.detail.clone())
    }

    pub(super) fn admit(&self) -> Result<(), Refusal> {
        if self.is_open() {
            Ok(())
        } else {
            Err(self.refusal())
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state().is_none()
    }

    pub(super) fn refusal(&self) -> Refusal {
        let told = self.state().as_ref().map(|trouble| trouble.told);
        Refusal::Unavailable {
            retry_after: self.retry_after,
            why: told.unwrap_or(UNAVAILABLE),
        }
    }

    /// Closes; true for the one who closed it.
    pub(super) fn close(&self, error: &CommitError) -> bool {
        let trouble = Trouble {
            told: told(error),
            detail: error.to_string(),
        };
        self.state().replace(trouble).is_none()
    }

    fn open(&self) {
        *self.state() = None;
    }

    fn state(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What senders hear when there is no better word.
const UNAVAILABLE: &str = "the database is unavailable";

fn told(error: &CommitError) -> &'static str {
    match error {
        CommitError::Store(StoreError::DiskFull) => "the disk of the database is full",
        CommitError::Store(StoreError::Locked) => "the database is locked by another process",
        CommitError::Store(StoreError::ReadOnly(_)) => "the database cannot be written",
        CommitError::Timeout(_) => "the database did not answer in time",
        CommitError::Store(_) => UNAVAILABLE,
    }
}

/// Whether a database in this state still answers a ping: only a commit tells when it is over.
pub(super) fn needs_commit(error: &CommitError) -> bool {
    matches!(
        error,
        CommitError::Timeout(_)
            | CommitError::Store(
                StoreError::DiskFull | StoreError::Locked | StoreError::ReadOnly(_)
            )
    )
}

/// Tries until the database works, then opens the gate. With `rows`, which their senders will send again, by committing
/// them: landing the same span twice settles as once.
pub(super) async fn reopen<L: Landing>(shared: Arc<Shared<L>>, mut rows: Vec<LandingRow>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let landing = &shared.landing;
        let tried = if rows.is_empty() {
            timeout(shared.timeout, landing.ping()).await
        } else {
            timeout(shared.timeout, landing.commit(&rows, &[])).await
        };
        let error = match tried {
            Ok(Ok(())) => break,
            Ok(Err(error)) => CommitError::Store(error),
            Err(_) => CommitError::Timeout(shared.timeout),
        };
        if error.is_poison() {
            rows.clear();
        } else {
            shared.gate.close(&error);
        }
        pause = LAST_PAUSE.min(pause * 2);
    }
    shared.gate.open();
    tracing::info!("the database takes commits again");
}
