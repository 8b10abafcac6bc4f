//! The task that owns lanes, watches their marks and settles the traces that are due.

use std::{collections::HashSet, sync::Arc, time::Duration};

use costflame_store::{
    Dropped, Due, Lease, Mark, MarkId, SettleReport, Store, StoreError, TraceKey,
};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::SettleMetrics,
    schedule::{BATCHES, Schedule, SettleTimes},
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
/// Spans after which a transaction takes no further trace.
const SPANS: u64 = 20_000;
/// Differences folded in one transaction.
const DELTAS: u32 = 20_000;
/// How often all marks are read again: those of traces that were put off, and those that a database of several servers
/// showed later than others that were committed after them.
const READ_AGAIN_EVERY: Duration = Duration::from_secs(60);
/// How long differences wait at most until batches make way for folding.
const FOLD_EVERY: Duration = Duration::from_secs(1);
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

/// What became of a batch.
#[derive(Debug)]
struct Settled {
    batch: usize,
    /// Transactions: one, or one per trace where one of them cannot be settled.
    reports: Vec<(SettleReport, Duration)>,
    failed: Vec<TraceKey>,
    error: Option<StoreError>,
}

impl Settled {
    fn new(batch: usize) -> Self {
        Self {
            batch,
            reports: Vec::new(),
            failed: Vec::new(),
            error: None,
        }
    }

    async fn settle(
        &mut self,
        store: &Store,
        leases: &[Lease],
        due: &[Due],
    ) -> Result<(), StoreError> {
        match self.settle_at_once(store, leases, due).await {
            Err(error) if is_of_a_trace(&error) => self.settle_each(store, leases, due).await,
            result => result,
        }
    }

    async fn settle_at_once(
        &mut self,
        store: &Store,
        leases: &[Lease],
        due: &[Due],
    ) -> Result<(), StoreError> {
        let start = Instant::now();
        let report = store.settle(leases, due).await?;
        self.reports.push((report, start.elapsed()));
        Ok(())
    }

    /// Settles one by one, so that a trace that cannot be settled keeps no other one waiting.
    async fn settle_each(
        &mut self,
        store: &Store,
        leases: &[Lease],
        due: &[Due],
    ) -> Result<(), StoreError> {
        for due in due {
            let one = std::slice::from_ref(due);
            match self.settle_at_once(store, leases, one).await {
                Err(error) if is_of_a_trace(&error) => {
                    let trace = format!("{:032x}", u128::from_be_bytes(due.trace.trace_id.0));
                    tracing::error!(%error, trace, "a trace cannot be settled; it is tried again in a quarter of an hour");
                    self.failed.push(due.trace);
                }
                result => result?,
            }
        }
        Ok(())
    }
}

/// Settles the traces of the lanes it owns.
#[derive(Debug)]
pub struct Settler {
    store: Arc<Store>,
    config: SettleConfig,
    metrics: SettleMetrics,
    schedule: Schedule,
    /// Batches under way: while one waits for the database, the other reads or is computed.
    settling: JoinSet<Settled>,
    /// Their marks, which are there to be read until they end.
    under_way: [HashSet<MarkId>; BATCHES],
    /// When a batch begins that is not full.
    begin_at: [Instant; BATCHES],
    leases: Vec<Lease>,
    read_to: MarkId,
    read_again_at: Instant,
    renew_at: Instant,
    tidy_at: Instant,
    /// When no batch begins until differences have been folded.
    fold_at: Instant,
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
            settling: JoinSet::new(),
            under_way: Default::default(),
            begin_at: [now; BATCHES],
            leases,
            read_to: MarkId::default(),
            read_again_at: now,
            renew_at: now,
            tidy_at: now,
            fold_at: now,
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
            settler.end_settling().await;
            settler.give_back().await;
        })
    }

    async fn turn_or_pause(&mut self) -> Duration {
        match self.turn().await {
            Ok(true) => Duration::ZERO,
            Ok(false) => self.config.poll(),
            Err(error) => {
                tracing::warn!(%error, "settling waits for the database");
                self.end_settling().await;
                // What was taken from the schedule is still marked: read all marks again.
                self.under_way = Default::default();
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
        // A batch that finds somebody folding has to write differences, so batches make way.
        if Instant::now() >= self.fold_at && !self.store.has_differences().await? {
            self.note_folded();
        }
        if Instant::now() < self.fold_at {
            self.begin_due();
        }
        let settled = self.await_settled().await?;
        let all_folded = !self.settling.is_empty() || self.fold().await?;
        self.tidy().await;
        self.report();
        Ok(more_marks || settled || !all_folded)
    }

    /// True when nothing is left.
    async fn fold(&mut self) -> Result<bool, StoreError> {
        let all_folded = self.store.fold(DELTAS).await? < u64::from(DELTAS);
        self.fold_at = Instant::now() + FOLD_EVERY;
        if all_folded {
            self.note_folded();
        }
        Ok(all_folded)
    }

    fn note_folded(&mut self) {
        self.folded_at = Instant::now();
        self.fold_at = self.folded_at + FOLD_EVERY;
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
        let is_new = |mark: &&Mark| !self.under_way.iter().any(|marks| marks.contains(&mark.id));
        for mark in page.marks.iter().filter(is_new) {
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

    /// Starts the batches that are not under way, full ones at once and others after a pause if the database prefers full ones.
    fn begin_due(&mut self) {
        let (now_us, traces) = (self.clock.now_us(), self.store.traces_at_once());
        for batch in 0..BATCHES {
            let waits = Instant::now() < self.begin_at[batch]
                && !self.schedule.is_full(batch, now_us, traces);
            if waits || !self.under_way[batch].is_empty() {
                continue;
            }
            let due = self.schedule.take_due(batch, now_us, traces, SPANS);
            if due.is_empty() {
                continue;
            }
            if self.store.prefers_full_batches() {
                self.begin_at[batch] = Instant::now() + 4 * self.config.poll();
            }
            let marks = due.iter().flat_map(|due| &due.marks);
            self.under_way[batch].extend(marks);
            let (store, leases) = (Arc::clone(&self.store), self.leases.clone());
            self.settling.spawn(async move {
                let mut settled = Settled::new(batch);
                settled.error = settled.settle(&store, &leases, &due).await.err();
                settled
            });
        }
    }

    /// Waits a little for a batch to end; true when one is or was under way.
    async fn await_settled(&mut self) -> Result<bool, StoreError> {
        if self.settling.is_empty() {
            return Ok(false);
        }
        let Ok(Some(settled)) = timeout(self.config.poll(), self.settling.join_next()).await else {
            return Ok(true);
        };
        let settled =
            settled.map_err(|error| StoreError::Refused(format!("settling failed: {error}")))?;
        self.under_way[settled.batch].clear();
        self.note(settled).map_or(Ok(true), Err)
    }

    /// Waits for the batches under way; what fails is still marked.
    async fn end_settling(&mut self) {
        while let Some(ended) = self.settling.join_next().await {
            if let Ok(settled) = ended {
                self.note(settled);
            }
        }
    }

    /// Counts what a batch settled, and puts off what cannot be; what ended it early.
    fn note(&mut self, settled: Settled) -> Option<StoreError> {
        for (report, time) in &settled.reports {
            self.metrics.settled(report, *time);
        }
        for trace in settled.failed {
            self.metrics.failed();
            self.schedule.put_off(trace, self.clock.now_us());
        }
        settled.error
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
