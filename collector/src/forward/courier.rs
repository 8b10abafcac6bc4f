//! Delivers to one destination: claims, prepares, sends, and reports what became of it. A slow or dead destination keeps
//! its own courier busy and nobody else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use costflame_profile::Signal;
use costflame_store::{Delivery, Finish, Store, StoreError};
use futures::future::join_all;
use tokio::{sync::Semaphore, task::spawn_blocking, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    answer::Answer,
    backoff::pause,
    client::Client,
    config::{Compression, Destination},
    encode::{self, BodyError},
    enrich::{self, Enricher, Readiness},
    metrics::ForwardMetrics,
    outgoing::ZSTD,
};
use crate::{
    decode::wire::WireError,
    receive::{EXPORTS, Format},
    time::now_us,
};

/// How often an idle courier looks for work.
const POLL: Duration = Duration::from_millis(200);
/// Pause after the database failed.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// Time for everything beside the requests themselves, until a claim ends.
const CLAIM_MARGIN: Duration = Duration::from_secs(10);
/// Memory for the bodies under way, in KiB; what is larger goes alone.
const MEMORY_KIB: u32 = 128 << 10;
/// How long requests under way may take at shutdown.
const GRACE: Duration = Duration::from_secs(2);
/// Claims a courier makes for each request that it sends at once.
const CLAIMS_PER_SLOT: usize = 2;

/// Delivers to one destination.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) destination: Arc<Destination>,
    pub(crate) client: Client,
    pub(crate) store: Arc<Store>,
    pub(crate) enricher: Arc<Enricher>,
    pub(crate) metrics: ForwardMetrics,
    pub(crate) memory: Arc<Semaphore>,
    /// Rounds in a row that ended with a failure.
    pub(crate) failures: u32,
}

/// What became of one delivery in a round.
#[derive(Debug)]
enum Outcome {
    /// Settled as it stands.
    Done(Finish),
    /// To be tried again.
    Failed {
        error: String,
        after: Option<Duration>,
    },
    /// Not tried: the destination has just failed, or we are shutting down.
    Untried,
}

/// Several deliveries at once.
struct Round<'a> {
    claimed_at: Instant,
    shutdown: &'a CancellationToken,
    /// The destination has failed.
    failed: AtomicBool,
}

/// Why a delivery could not be prepared.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stored request is damaged: {0}")]
    Body(#[from] BodyError),
    #[error("the stored request is damaged: {0}")]
    Wire(#[from] WireError),
    #[error("preparing it failed")]
    Worker(#[from] tokio::task::JoinError),
}

/// A delivery before it is sent.
enum Prepared {
    Send(Bytes),
    /// Not before its traces have settled.
    Wait,
    /// The filter leaves nothing of it, or it has been deleted.
    Nothing,
}

impl Courier {
    /// Memory of one courier.
    pub(crate) fn memory() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(MEMORY_KIB as usize))
    }

    /// Delivers until `shutdown`; then gives back what is not under way.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let pause = self.turn(&shutdown).await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One round; how long to wait for the next.
    async fn turn(&mut self, shutdown: &CancellationToken) -> Duration {
        let slots = match self.failures {
            0 => self.destination.max_in_flight,
            // One is enough to see whether the destination is back.
            _ => 1,
        };
        let limit = if slots == 1 {
            1
        } else {
            CLAIMS_PER_SLOT * slots
        };
        let rounds = u32::try_from(limit.div_ceil(slots)).unwrap_or(u32::MAX);
        let lease = self.destination.timeout.saturating_mul(rounds) + CLAIM_MARGIN;
        let now = now_us();
        let claim = self
            .store
            .outbox_claim(&self.destination.name, now, after(now, lease), limit);
        let claimed = match claim.await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, destination = self.destination.name, "forwarding waits for the database");
                return DATABASE_PAUSE;
            }
        };
        if claimed.is_empty() {
            return POLL;
        }
        let was_full = claimed.len() == limit;
        let round = Round {
            claimed_at: Instant::now(),
            shutdown,
            failed: AtomicBool::new(false),
        };
        let outcomes = self.deliver_all(claimed, slots, &round).await;
        let wait = self.judge(&outcomes);
        self.report(outcomes, wait.unwrap_or_default(), shutdown)
            .await;
        match wait {
            Some(wait) => wait,
            None if was_full => Duration::ZERO,
            None => POLL,
        }
    }

    async fn deliver_all(
        &self,
        claimed: Vec<Delivery>,
        slots: usize,
        round: &Round<'_>,
    ) -> Vec<(Delivery, Outcome)> {
        let slots = Semaphore::new(slots);
        let deliveries = claimed.into_iter().map(|delivery| async {
            // Never closed.
            let _slot = slots.acquire().await;
            let outcome = self.deliver(&delivery, round).await;
            (delivery, outcome)
        });
        join_all(deliveries).await
    }

    async fn deliver(&self, delivery: &Delivery, round: &Round<'_>) -> Outcome {
        if round.shutdown.is_cancelled() || round.failed.load(Ordering::Relaxed) {
            return Outcome::Untried;
        }
        // Stored, inflated, edited, encoded.
        let kib = (delivery.raw_bytes / 1024)
            .saturating_mul(4)
            .clamp(1, MEMORY_KIB);
        let Ok(_memory) = self.memory.acquire_many(kib).await else {
            return Outcome::Untried;
        };
        let prepared = match self.prepare(delivery, round.claimed_at).await {
            Ok(prepared) => prepared,
            Err(PrepareError::Store(error)) => {
                tracing::warn!(%error, destination = self.destination.name, "forwarding waits for the database");
                return Outcome::Done(Finish::Later {
                    next_us: after(now_us(), DATABASE_PAUSE),
                });
            }
            Err(error) => return self.bury(error.to_string()),
        };
        let body = match prepared {
            Prepared::Send(body) => body,
            Prepared::Wait => return Outcome::Done(self.wait(delivery)),
            Prepared::Nothing => return Outcome::Done(Finish::Delivered),
        };
        let answer = tokio::select! {
            answer = self.client.send(signal(delivery), body) => answer,
            () = grace(round.shutdown) => return Outcome::Untried,
        };
        match answer {
            Answer::Taken { rejected, message } => {
                if !message.is_empty() {
                    let destination = &self.destination.name;
                    tracing::warn!(destination, rejected, message, "accepted in part");
                }
                self.metrics
                    .delivered(&self.destination.name, delivery.items, rejected);
                Outcome::Done(Finish::Delivered)
            }
            Answer::Retry { after, error } => {
                round.failed.store(true, Ordering::Relaxed);
                self.metrics.tried(&self.destination.name, "failed");
                Outcome::Failed { error, after }
            }
            Answer::Refused { error } => self.bury(error),
        }
    }

    fn bury(&self, error: String) -> Outcome {
        self.metrics.tried(&self.destination.name, "refused");
        tracing::warn!(
            destination = self.destination.name,
            error,
            "refused for good; kept as a dead letter"
        );
        Outcome::Done(Finish::Dead {
            at_us: now_us(),
            error,
        })
    }

    /// When to look again at a request whose traces have not settled: after as long again as it is old, so that a trace
    /// that runs for long is looked at a few times only.
    fn wait(&self, delivery: &Delivery) -> Finish {
        let now = now_us();
        let age = now.saturating_sub(delivery.received_us).max(500_000);
        let end = after(delivery.received_us, self.destination.enrich_wait);
        Finish::Later {
            next_us: now.saturating_add(age).min(end),
        }
    }

    async fn prepare(
        &self,
        delivery: &Delivery,
        claimed_at: Instant,
    ) -> Result<Prepared, PrepareError> {
        let Some(stored) = self.store.outbox_body(delivery.outbox_id).await? else {
            return Ok(Prepared::Nothing);
        };
        let signal = signal(delivery);
        let (format, compression) = (self.client.format(), self.destination.compression);
        let is_read = signal == Signal::Span && self.destination.reads_spans();
        let is_as_stored = delivery.codec == ZSTD
            && format == Format::Protobuf
            && compression == Compression::Zstd;
        if !is_read && is_as_stored {
            return Ok(Prepared::Send(stored.into()));
        }
        let (codec, raw_bytes) = (delivery.codec, delivery.raw_bytes as usize);
        if !is_read {
            let encode = move || {
                let raw = encode::unpack(codec, stored, raw_bytes)?;
                encode::encode(signal, raw, format, compression)
            };
            return Ok(Prepared::Send(spawn_blocking(encode).await??.into()));
        }
        let unpack = move || {
            let raw = encode::unpack(codec, stored, raw_bytes)?;
            let contents = enrich::contents(&raw)?;
            Ok::<_, PrepareError>((raw, contents))
        };
        let (raw, contents) = spawn_blocking(unpack).await??;
        let end = after(delivery.received_us, self.destination.enrich_wait);
        let patient = self.destination.waits() && now_us() < end;
        let asked = self.enricher.ask(delivery, &contents, claimed_at, patient);
        let (verdicts, provisional) = match asked.await? {
            Readiness::Wait => return Ok(Prepared::Wait),
            Readiness::Ready {
                verdicts,
                provisional,
            } => (verdicts, provisional),
        };
        if provisional {
            self.metrics.provisional(&self.destination.name);
        }
        let destination = self.destination.clone();
        let finish = move || {
            let Some(edited) = enrich::edit(&destination, &raw, &verdicts)? else {
                return Ok(Prepared::Nothing);
            };
            drop(raw);
            let encoded = encode::encode(signal, edited, format, compression)?;
            Ok::<_, PrepareError>(Prepared::Send(encoded.into()))
        };
        spawn_blocking(finish).await?
    }

    /// How long the destination is left alone after a round; `None` = it did not fail.
    fn judge(&mut self, outcomes: &[(Delivery, Outcome)]) -> Option<Duration> {
        let mut failed = None;
        let mut told = None;
        for (_, outcome) in outcomes {
            if let Outcome::Failed { error, after } = outcome {
                failed = Some(error);
                told = told.max(*after);
            }
        }
        let destination = &self.destination.name;
        let Some(error) = failed else {
            // A round in which nothing was tried says nothing.
            let answered = |(_, outcome): &(Delivery, Outcome)| {
                matches!(
                    outcome,
                    Outcome::Done(Finish::Delivered | Finish::Dead { .. })
                )
            };
            if self.failures > 0 && outcomes.iter().any(answered) {
                tracing::info!(destination, "the destination answers again");
                self.failures = 0;
            }
            return None;
        };
        if self.failures == 0 {
            tracing::warn!(
                destination,
                error,
                "the destination does not take requests; they wait"
            );
        }
        self.failures = self.failures.saturating_add(1);
        Some(pause(self.failures, told, rand::random()))
    }

    /// Writes down what became of the deliveries of a round.
    async fn report(
        &self,
        outcomes: Vec<(Delivery, Outcome)>,
        wait: Duration,
        shutdown: &CancellationToken,
    ) {
        let now = now_us();
        let finish = |(delivery, outcome): (Delivery, Outcome)| {
            let finish = match outcome {
                Outcome::Done(finish) => finish,
                Outcome::Untried => Finish::Later {
                    next_us: after(now, wait),
                },
                Outcome::Failed { error, after: told } => {
                    let own = pause(delivery.attempts.saturating_add(1), told, rand::random());
                    Finish::Again {
                        next_us: after(now, wait.max(own)),
                        error,
                    }
                }
            };
            (delivery.id, finish)
        };
        let finished: Vec<(i64, Finish)> = outcomes.into_iter().map(finish).collect();
        while let Err(error) = self.store.outbox_finish(&finished).await {
            tracing::warn!(%error, destination = self.destination.name, "forwarding waits for the database");
            if shutdown.is_cancelled() {
                // The claims end by themselves; what was delivered will be delivered again.
                return;
            }
            tokio::time::sleep(DATABASE_PAUSE).await;
        }
    }
}

/// Ends a while after shutdown has begun.
async fn grace(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

fn signal(delivery: &Delivery) -> Signal {
    EXPORTS
        .get(usize::from(delivery.signal))
        .map_or(Signal::Span, |export| export.signal)
}

fn after(time_us: i64, wait: Duration) -> i64 {
    time_us.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}
