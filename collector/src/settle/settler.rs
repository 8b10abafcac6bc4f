//! The task that owns lanes, watches their marks and settles the traces that are due.

use std::{sync::Arc, time::Duration};

use costflame_store::{Dropped, Due, Lease, Mark, MarkId, Store, StoreError};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::SettleMetrics,
    schedule::{Schedule, SettleTimes},
};
use crate::time::{Steady, now_us};

/// How long a lane stays ours without renewal: a dead collector's traces wait at most this long.
const LEASE: Duration = Duration::from_secs(6);
/// How often leases are renewed and the share of lanes is adjusted.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often sealing and the dropping of old partitions are looked at.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// And after that failed.
const TIDY_AGAIN: Duration = Duration::from_secs(60);
/// Marks read in one statement.
const MARKS: u32 = 10_000;
/// Traces settled in one transaction.
const TRACES: usize = 256;
/// Differences folded in one transaction.
const DELTAS: u32 = 20_000;
/// How often all marks are read again: those of traces that were put off, and those that a database of several servers
/// showed later than others that were committed after them.
const READ_AGAIN_EVERY: Duration = Duration::from_secs(60);
/// The pause after the database failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Settings of the settler.
#[derive(Clone, Debug)]
pub struct SettleConfig {
    /// When a trace is due.
    pub times: SettleTimes,
    /// Names this process among all collectors on one database; never used twice.
    pub owner: String,
}

impl SettleConfig {
    /// How often new marks are looked for: often enough not to add much to the shortest wait.
    fn poll(&self) -> Duration {
        let times = [
            self.times.after_root,
            self.times.after_quiet,
            self.times.at_most,
        ];
        let shortest = times.into_iter().min().unwrap_or_default();
        (shortest / 4).clamp(Duration::from_millis(20), Duration::from_millis(250))
    }
}

/// Settles the traces of the lanes it owns.
#[derive(Debug)]
pub struct Settler {
    store: Arc<Store>,
    config: SettleConfig,
    metrics: SettleMetrics,
    schedule: Schedule,
    leases: Vec<Lease>,
    read_to: MarkId,
    read_again_at: Instant,
    renew_at: Instant,
    tidy_at: Instant,
    /// When nothing was left to fold for the last time.
    folded_at: Instant,
    /// What is due when goes by this one.
    clock: Steady,
}

impl Settler {
    /// Starts the task; it ends soon after `shutdown` and gives its lanes back.
    #[must_use]
    pub fn start(
        store: Arc<Store>,
        config: SettleConfig,
        metrics: SettleMetrics,
        shutdown: CancellationToken,
    ) -> JoinHandle<()> {
        let schedule = Schedule::new(config.times);
        let now = Instant::now();
        let leases = Vec::new();
        let mut settler = Self {
            store,
            config,
            metrics,
            schedule,
            leases,
            read_to: MarkId::default(),
            read_again_at: now,
            renew_at: now,
            tidy_at: now,
            folded_at: now,
            clock: Steady::start(),
        };
        tokio::spawn(async move {
            while !shutdown.is_cancelled() {
                let pause = settler.turn_or_pause().await;
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
            settler.give_back().await;
        })
    }

    async fn turn_or_pause(&mut self) -> Duration {
        match self.turn().await {
            Ok(true) => Duration::ZERO,
            Ok(false) => self.config.poll(),
            Err(error) => {
                tracing::warn!(%error, "settling waits for the database");
                // What was taken from the schedule is still marked: read all marks again.
                self.schedule.clear();
                self.read_to = MarkId::default();
                self.renew_at = Instant::now();
                PAUSE
            }
        }
    }

    /// One round; true when there is more to do at once.
    async fn turn(&mut self) -> Result<bool, StoreError> {
        self.renew().await?;
        let more_marks = self.read_marks().await?;
        let settled = self.settle_due().await?;
        let all_folded = self.store.fold(DELTAS).await? < u64::from(DELTAS);
        if all_folded {
            self.folded_at = Instant::now();
        }
        self.tidy().await;
        self.report();
        Ok(more_marks || settled || !all_folded)
    }

    fn report(&self) {
        let due_us = self.schedule.next_due_us();
        let overdue_us = due_us.map_or(0, |due_us| self.clock.now_us().saturating_sub(due_us));
        let overdue = Duration::from_micros(u64::try_from(overdue_us).unwrap_or(0));
        let waiting = self.schedule.len();
        self.metrics
            .waiting(waiting, overdue, self.folded_at.elapsed());
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.renew_at {
            return Ok(());
        }
        let ttl = i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
        let now_us = self.store.now_us().await?;
        let leases = self
            .store
            .lease_lanes(&self.config.owner, now_us, ttl)
            .await?;
        if leases != self.leases {
            self.leases = leases;
            let leases = &self.leases;
            self.schedule
                .keep_lanes(|lane| leases.iter().any(|lease| lease.lane == lane));
            self.read_to = MarkId::default();
        }
        self.metrics
            .corrected(&self.store.take_corrections().await?);
        self.renew_at = Instant::now() + RENEW_EVERY;
        Ok(())
    }

    async fn read_marks(&mut self) -> Result<bool, StoreError> {
        let lanes: Vec<i16> = self.leases.iter().map(|lease| lease.lane).collect();
        let page = self.store.marks_after(&lanes, self.read_to, MARKS).await?;
        let system_us = now_us();
        for mark in &page.marks {
            self.schedule.observe(&Mark {
                received_us: self.clock.time_of(mark.received_us, system_us),
                ..*mark
            });
        }
        let more = page.marks.len() >= MARKS as usize && page.next > self.read_to;
        self.read_to = page.next;
        if !more && Instant::now() >= self.read_again_at {
            self.read_to = MarkId::default();
            self.read_again_at = Instant::now() + READ_AGAIN_EVERY;
        }
        Ok(more)
    }

    async fn settle_due(&mut self) -> Result<bool, StoreError> {
        let due = self.schedule.take_due(self.clock.now_us(), TRACES);
        if due.is_empty() {
            return Ok(false);
        }
        let start = Instant::now();
        match self.store.settle(&self.leases, &due).await {
            Ok(report) => self.metrics.settled(&report, start.elapsed()),
            Err(error) if is_of_a_trace(&error) => self.settle_each(&due).await?,
            Err(error) => return Err(error),
        }
        Ok(due.len() == TRACES)
    }

    /// Settles one by one, so that a trace that cannot be settled keeps no other one waiting.
    async fn settle_each(&mut self, due: &[Due]) -> Result<(), StoreError> {
        for due in due {
            let start = Instant::now();
            match self
                .store
                .settle(&self.leases, std::slice::from_ref(due))
                .await
            {
                Ok(report) => self.metrics.settled(&report, start.elapsed()),
                Err(error) if is_of_a_trace(&error) => {
                    let trace = format!("{:032x}", u128::from_be_bytes(due.trace.trace_id.0));
                    tracing::error!(%error, trace, "a trace cannot be settled; it is tried again in a quarter of an hour");
                    self.metrics.failed();
                    self.schedule.put_off(due.trace, self.clock.now_us());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Nothing waits for it: what fails is done a little later.
    async fn tidy(&mut self) {
        if Instant::now() < self.tidy_at {
            return;
        }
        let tidied = async {
            // Not by the clock of one machine, which may be wrong for all of them.
            let now_us = self.store.now_us().await?;
            self.store.prepare(now_us).await?;
            self.store.drop_sealed(now_us).await
        };
        let pause = match tidied.await {
            Ok(dropped) => {
                if dropped != Dropped::default() {
                    tracing::info!(?dropped, "what is past its retention was dropped");
                }
                TIDY_EVERY
            }
            Err(error) => {
                tracing::warn!(%error, "partitions are made and dropped a little later");
                TIDY_AGAIN
            }
        };
        self.tidy_at = Instant::now() + pause;
    }

    async fn give_back(&self) {
        if let Err(error) = self.store.release_lanes(&self.config.owner).await {
            tracing::warn!(%error, "lanes were not given back; they are free when their lease ends");
        }
    }
}

/// Whether what a trace holds may be to blame, and not the state of the database.
fn is_of_a_trace(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::BadValue(_) | StoreError::Corrupt(_) | StoreError::Refused(_)
    )
}
