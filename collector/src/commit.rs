//! Group commit: many waiting requests share one transaction and are answered after COMMIT.
//!
//! One owner task gathers what waits and starts transactions; while all of them are busy the next
//! one grows. What waits is bounded in bytes. When the database fails, everything that waits
//! hears so at once and nothing more is taken until it answers a ping: memory stays flat, and the
//! clients keep what they could not deliver.

mod gate;
mod salvage;

use std::{sync::Arc, time::Duration};

use costflame_store::{LandingRow, OutboxRow, Store, StoreError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    metrics::Metrics,
    receive::{Budget, CommitConfig, ReceiverConfig, Refusal, Reservation},
};
pub use gate::Gate;

/// Parts that may wait, beside the bound in bytes.
const MAX_PARTS: usize = 4096;
/// Rows of a failed batch that are tried again to see whether the database takes them.
const TRIED_AGAIN: usize = 1000;
/// What a row is charged beside its own size: the heap behind it, estimated.
const HEAP_PER_ROW: usize = 512;

/// Where rows become durable: the store, or a double of it in tests.
pub trait Landing: Send + Sync + 'static {
    /// Commits all rows and all requests to be forwarded, or nothing.
    fn commit(
        &self,
        rows: &[LandingRow],
        outbox: &[OutboxRow],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Asks whether a commit could work now.
    fn ping(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Landing for Store {
    fn commit(
        &self,
        rows: &[LandingRow],
        outbox: &[OutboxRow],
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        Store::commit(self, rows, outbox)
    }

    fn ping(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        Store::ping(self)
    }
}

/// What became of one part of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Rows that the database will never take.
    pub rejected: u64,
}

/// Rows of one request on their way, with their reservation and the one who waits.
struct Part {
    rows: Vec<LandingRow>,
    /// The request itself, to be forwarded.
    outbox: Option<OutboxRow>,
    _room: Reservation,
    done: oneshot::Sender<Result<Committed, Refusal>>,
}

/// The entrance of the queue. Cloned into every request; the owner ends when the last one is gone.
#[derive(Clone)]
pub struct Committer {
    queue: mpsc::Sender<Part>,
    room: Budget,
    gate: Arc<Gate>,
}

/// The answer to come.
pub struct Pending {
    answer: oneshot::Receiver<Result<Committed, Refusal>>,
    gate: Arc<Gate>,
}

impl Pending {
    /// Waits until the rows are durable, or are known not to be.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the transaction failed; some rows may be durable all the same.
    pub async fn wait(self) -> Result<Committed, Refusal> {
        self.answer
            .await
            .unwrap_or_else(|_| Err(self.gate.refusal()))
    }
}

impl Committer {
    /// Starts the owner task. It ends, with everything answered, when every clone is dropped.
    #[must_use]
    pub fn start(
        landing: Arc<impl Landing>,
        config: &ReceiverConfig,
        metrics: Arc<Metrics>,
    ) -> (Self, JoinHandle<()>) {
        let CommitConfig {
            queue_bytes,
            committers,
            ..
        } = config.commit;
        let (queue, parts) = mpsc::channel(MAX_PARTS);
        let gate = Arc::new(Gate::new(config.retry_delay));
        let owner = Owner {
            parts,
            slots: Arc::new(Semaphore::new(committers.max(1))),
            shared: Arc::new(Shared {
                landing,
                gate: gate.clone(),
                metrics,
                timeout: config.commit.timeout,
            }),
            max_rows: config.commit.max_rows,
            linger: config.commit.linger,
        };
        let full = Refusal::Busy {
            reason: "queue_full",
            what: "spans that wait for the database",
            retry_after: config.retry_delay,
        };
        let room = Budget::new(queue_bytes, config.admission_wait, full);
        (Self { queue, room, gate }, tokio::spawn(owner.run()))
    }

    /// Refuses at once while the database is down.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub fn admit(&self) -> Result<(), Refusal> {
        self.gate.admit()
    }

    /// Estimated bytes of rows that wait or are being committed.
    pub(crate) fn room(&self) -> &Budget {
        &self.room
    }

    /// Whether the database is believed to work.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Queues rows, waiting for room.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when there was no room in time, [`Refusal::Unavailable`] when the database is down.
    pub async fn submit(&self, rows: Vec<LandingRow>) -> Result<Pending, Refusal> {
        self.submit_with(rows, None).await
    }

    /// Queues rows together with the request they are from, which is to be forwarded.
    ///
    /// # Errors
    /// As [`Committer::submit`].
    pub async fn submit_with(
        &self,
        rows: Vec<LandingRow>,
        outbox: Option<OutboxRow>,
    ) -> Result<Pending, Refusal> {
        self.gate.admit()?;
        let bytes = rows.len() * (size_of::<LandingRow>() + HEAP_PER_ROW)
            + outbox.as_ref().map_or(0, |request| request.body.len());
        let room = self.room.reserve(bytes).await?;
        let (done, answer) = oneshot::channel();
        let part = Part {
            rows,
            outbox,
            _room: room,
            done,
        };
        // The owner lives as long as any entrance does.
        self.queue
            .send(part)
            .await
            .map_err(|_| self.gate.refusal())?;
        Ok(Pending {
            answer,
            gate: self.gate.clone(),
        })
    }
}

/// Gathers parts and starts transactions.
struct Owner<L> {
    parts: mpsc::Receiver<Part>,
    slots: Arc<Semaphore>,
    shared: Arc<Shared<L>>,
    max_rows: usize,
    linger: Duration,
}

/// What every transaction needs.
struct Shared<L> {
    landing: Arc<L>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    timeout: Duration,
}

impl<L: Landing> Owner<L> {
    async fn run(mut self) {
        let all = self.slots.available_permits();
        loop {
            // First a free transaction, then its parts: while none is free, the next batch grows.
            let Ok(slot) = self.slots.clone().acquire_owned().await else {
                return;
            };
            let Some(batch) = self.gather().await else {
                break;
            };
            tokio::spawn(self.shared.clone().land(batch, slot));
        }
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let _idle = self.slots.acquire_many(all).await;
    }

    /// The next batch; `None` when no entrance is left and nothing waits.
    async fn gather(&mut self) -> Option<Vec<Part>> {
        let first = self.parts.recv().await?;
        let mut rows = first.rows.len();
        let mut batch = vec![first];
        let until = Instant::now() + self.linger;
        while rows < self.max_rows {
            let next = match self.parts.try_recv() {
                Ok(part) => Some(part),
                Err(_) => timeout_at(until, self.parts.recv()).await.ok().flatten(),
            };
            let Some(part) = next else { break };
            rows += part.rows.len();
            batch.push(part);
        }
        Some(batch)
    }
}

impl<L: Landing> Shared<L> {
    async fn land(self: Arc<Self>, mut batch: Vec<Part>, _slot: OwnedSemaphorePermit) {
        // Nobody waits for these: their clients have given up and will send again.
        batch.retain(|part| !part.done.is_closed());
        if self.gate.admit().is_err() {
            return self.answer_all(batch);
        }
        let lengths: Vec<(usize, usize)> = batch
            .iter()
            .map(|part| (part.rows.len(), part.outbox.iter().len()))
            .collect();
        let mut rows: Vec<LandingRow> = batch
            .iter_mut()
            .flat_map(|part| std::mem::take(&mut part.rows))
            .collect();
        let outbox: Vec<OutboxRow> = batch
            .iter_mut()
            .filter_map(|part| part.outbox.take())
            .collect();
        let mut salvaged = vec![Ok(Committed::default()); batch.len()];
        match self.commit(&rows, &outbox).await {
            Ok(()) => {}
            Err(error) if !error.is_poison() => {
                rows.truncate(TRIED_AGAIN);
                return self.fail(batch, &error, rows);
            }
            Err(error) => {
                tracing::error!(%error, rows = rows.len(), "the database refuses rows; looking for them");
                salvaged = self.salvage_each(&rows, &outbox, &lengths).await;
            }
        }
        for (part, answer) in batch.into_iter().zip(salvaged) {
            // A client that has gone is no error: its rows are durable and will be sent again.
            let _ = part.done.send(answer);
        }
    }

    /// One transaction, timed and bounded in time.
    async fn commit(&self, rows: &[LandingRow], outbox: &[OutboxRow]) -> Result<(), CommitError> {
        if rows.is_empty() && outbox.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        let result = timeout(self.timeout, self.landing.commit(rows, outbox)).await;
        self.metrics
            .commit_tried(start.elapsed(), rows.len(), matches!(result, Ok(Ok(()))));
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(CommitError::Store(error)),
            Err(_) => Err(CommitError::Timeout(self.timeout)),
        }
    }

    fn fail(self: &Arc<Self>, batch: Vec<Part>, error: &CommitError, rows: Vec<LandingRow>) {
        if self.gate.close(error) {
            tracing::warn!(%error, "the database is unavailable; refusing spans with a retry delay");
            let rows = if gate::needs_commit(error) {
                rows
            } else {
                Vec::new()
            };
            tokio::spawn(gate::reopen(self.clone(), rows));
        }
        self.answer_all(batch);
    }

    fn answer_all(&self, batch: Vec<Part>) {
        for part in batch {
            let _ = part.done.send(Err(self.gate.refusal()));
        }
    }
}

/// Why a transaction did not commit, or is not known to have.
#[derive(Debug, thiserror::Error)]
enum CommitError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database did not take a commit within {0:?}")]
    Timeout(Duration),
}

impl CommitError {
    /// True when the rows are to blame. Everything else is the database's state, which an operator
    /// can mend while the clients keep their spans.
    fn is_poison(&self) -> bool {
        matches!(self, Self::Store(StoreError::BadValue(_)))
    }
}
