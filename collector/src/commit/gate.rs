//! Closed while the database is down: requests fail at once instead of piling up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

use super::{Landing, Shared};
use crate::receive::Refusal;

/// Pause before the first ping and, doubling, the longest between two.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Whether the database is believed to work.
#[derive(Debug)]
pub(crate) struct Gate {
    closed: AtomicBool,
    retry_after: Duration,
}

impl Gate {
    pub(super) fn new(retry_after: Duration) -> Self {
        Self {
            closed: AtomicBool::new(false),
            retry_after,
        }
    }

    pub(super) fn admit(&self) -> Result<(), Refusal> {
        if self.is_open() {
            Ok(())
        } else {
            Err(self.refusal())
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn refusal(&self) -> Refusal {
        Refusal::Unavailable {
            retry_after: self.retry_after,
        }
    }

    /// Closes; true for the one who closed it.
    pub(super) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::Relaxed)
    }
}

/// Pings until the database answers, then opens the gate.
pub(super) async fn reopen<L: Landing>(shared: Arc<Shared<L>>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        if matches!(
            timeout(shared.timeout, shared.landing.ping()).await,
            Ok(Ok(()))
        ) {
            break;
        }
        pause = LAST_PAUSE.min(pause * 2);
    }
    shared.gate.closed.store(false, Ordering::Relaxed);
    tracing::info!("the database answers again");
}
