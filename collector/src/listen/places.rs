//! Who has a place among the connections of a port, and who makes room.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::metrics::{Open, PortMetrics};

/// How long one connection that was asked to leave is waited for before the next one is.
const NEXT: Duration = Duration::from_millis(100);

/// The places of a port.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    idle: Arc<Mutex<Idle>>,
}

/// Connections without a request, in the order in which they became so.
#[derive(Default)]
struct Idle {
    waiting: BTreeMap<u64, CancellationToken>,
    next: u64,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))),
            idle: Arc::default(),
        }
    }

    /// A place; where all are taken, those longest without a request are asked to leave, one after the other.
    pub(super) async fn take(&self, metrics: &PortMetrics) -> Arc<Place> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait(metrics).await,
        };
        let place = Place {
            leave: CancellationToken::new(),
            requests: AtomicUsize::new(0),
            turn: Mutex::new(None),
            idle: self.idle.clone(),
            _open: metrics.opened(),
            _permit: permit,
        };
        place.rest();
        Arc::new(place)
    }

    async fn wait(&self, metrics: &PortMetrics) -> OwnedSemaphorePermit {
        let mut free = Box::pin(self.free.clone().acquire_owned());
        loop {
            let longest = lock(&self.idle).waiting.pop_first();
            if let Some((_, leave)) = longest {
                leave.cancel();
                metrics.made_room();
            }
            if let Ok(Ok(permit)) = tokio::time::timeout(NEXT, &mut free).await {
                return permit;
            }
        }
    }
}

/// The place of one connection, until dropped.
pub(super) struct Place {
    leave: CancellationToken,
    requests: AtomicUsize,
    /// Where it stands among the idle.
    turn: Mutex<Option<u64>>,
    idle: Arc<Mutex<Idle>>,
    _open: Open,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Cancelled when the connection is to make room.
    pub(super) fn leave(&self) -> CancellationToken {
        self.leave.clone()
    }

    /// A request is under way until this is dropped.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        if self.requests.fetch_add(1, Ordering::AcqRel) == 0 {
            self.work();
        }
        UnderWay(self.clone())
    }

    fn rest(&self) {
        let mut turn = lock(&self.turn);
        let mut idle = lock(&self.idle);
        let next = idle.next;
        idle.next += 1;
        idle.waiting.insert(next, self.leave.clone());
        *turn = Some(next);
    }

    fn work(&self) {
        let mut turn = lock(&self.turn);
        if let Some(turn) = turn.take() {
            lock(&self.idle).waiting.remove(&turn);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.work();
    }
}

/// A request of a connection.
pub(super) struct UnderWay(Arc<Place>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.rest();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole after every line that changes it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
