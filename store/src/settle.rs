//! Settling a batch of traces: read, settle, elect, write, in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    CallRow, Due, LandingRow, Measures, SeriesRow, Store, StoreError, TraceKey, TraceRow,
    call_row::day_of,
    election,
    outcome::{Horizon, Known, MOST_ROWS, outcome},
    plan::{Batch, Writes},
    retention::DroppedBefore,
    session::Session,
    store::{Backend, dispatch},
};

/// The right to settle a lane, for as long as nobody else has taken it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: i16,
    /// Grows with every change of owner.
    pub epoch: i64,
}

/// What a settling did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettleReport {
    /// Traces settled.
    pub traces: usize,
    /// Landed rows read.
    pub spans: usize,
    /// Calls written.
    pub calls: usize,
    /// Calls of other traces that won or lost an election by it.
    pub elections: usize,
    /// Traces with more landed rows than are settled (250,000); the later received ones are left out.
    pub truncated: usize,
    /// What it added to the sums and took away, by series.
    pub changes: Vec<(SeriesRow, Measures)>,
}

impl Store {
    /// Traces to settle in one transaction. On SQLite whoever waits for an acknowledgement waits for it too, so it is short.
    #[must_use]
    pub const fn traces_at_once(&self) -> usize {
        match self.backend {
            Backend::Sqlite(_) => 512,
            Backend::Postgres(_) => 1024,
        }
    }

    /// Whether a batch that is not full is to wait for more traces. To SQLite's one writer a span costs the less, the more are settled with it; on
    /// Postgres, which does more at a time, large batches would keep what lands waiting.
    #[must_use]
    pub const fn prefers_full_batches(&self) -> bool {
        matches!(self.backend, Backend::Sqlite(_))
    }

    /// Settles traces and deletes their marks: their calls, claims, row and differences of the
    /// rollups become what all their landed spans say, whatever they were before.
    ///
    /// `leases` must hold the lane of every trace. Marks that are not in `due` stay, and their
    /// traces come again. A batch costs memory for all its spans.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when a lane has been taken over: lease again. After a retryable
    /// error the same traces may be settled again.
    pub async fn settle(&self, leases: &[Lease], due: &[Due]) -> Result<SettleReport, StoreError> {
        if due.is_empty() {
            return Ok(SettleReport::default());
        }
        let held = |due: &Due| {
            leases
                .iter()
                .find(|lease| lease.lane == due.trace.lane())
                .copied()
        };
        let mut needed = Vec::new();
        for due in due {
            let lease = held(due).ok_or(StoreError::Fenced(due.trace.lane()))?;
            if !needed.contains(&lease) {
                needed.push(lease);
            }
        }
        dispatch!(self, settle(&needed, due, self.keep.horizon_us))
    }
}

/// Settles traces in an open session; nothing is written if it fails.
pub(crate) async fn settle<S: Session>(
    mut session: S,
    due: &[Due],
    horizon_us: i64,
) -> Result<SettleReport, StoreError> {
    let horizon = Horizon {
        length_us: horizon_us,
        dropped: session.dropped_before().await?,
    };
    let keys: BTreeSet<TraceKey> = due.iter().map(|due| due.trace).collect();
    let keys: Vec<TraceKey> = keys.into_iter().collect();
    let landed = session.landed(&keys).await?;
    let traces = session.traces(&keys).await?;
    let days = horizon.dropped.kept(days(&landed, &traces));
    let calls = calls_of(&mut session, &traces, days).await?;
    let spans = landed.len();
    let was_settled = !traces.is_empty();
    let known = gather(&keys, landed, traces, calls);
    let truncated = known
        .iter()
        .filter(|known| known.landed.len() >= MOST_ROWS)
        .count();
    let batch = compute(known, horizon).await?;
    let again = (was_settled || S::LOCKS_LATE).then_some(days);
    let mut writes = apply(&mut session, &keys, batch, horizon.dropped, again).await?;
    writes.marks = due
        .iter()
        .flat_map(|due| due.marks.iter().map(|mark| (due.trace.lane(), *mark)))
        .collect();
    let report = report(keys.len(), spans, truncated, &writes);
    session.write(&mut writes).await?;
    session.commit().await?;
    Ok(report)
}

/// From what traces become to what is written, elections included. Reads again what others may have changed
/// until the locks were ours: calls of the days `again`.
pub(crate) async fn apply<S: Session>(
    session: &mut S,
    keys: &[TraceKey],
    mut batch: Batch,
    dropped: DroppedBefore,
    again: Option<(i32, i32)>,
) -> Result<Writes, StoreError> {
    let (old, new) = (batch.old_claims(), batch.new_claims());
    session
        .lock(&election::lanes(old.iter().chain(&new)))
        .await?;
    if session.dropped_before().await? != dropped {
        return Err(StoreError::Conflict);
    }
    if let Some(days) = again {
        // Elections held by others, and on SQLite settlings, may have changed them until the locks were ours.
        let traces = session.traces(keys).await?;
        let calls = calls_of(session, &traces, days).await?;
        refresh(&mut batch, traces, calls);
    }
    let members: HashSet<TraceKey> = keys.iter().copied().collect();
    let elected = election::hold(session, &members, batch.old_claims(), new).await?;
    let mut writes = batch.writes(&elected);
    let affected: BTreeSet<_> = elected
        .others
        .iter()
        .map(|change| (change.call, day_of(change.start_us)))
        .collect();
    if !affected.is_empty() {
        let affected: Vec<_> = affected.into_iter().collect();
        let calls = session.calls_at(&affected).await?;
        writes.change_others(calls, &elected.others);
    }
    writes.deltas.settle();
    Ok(writes)
}

/// Their calls; a trace without a row has none.
async fn calls_of<S: Session>(
    session: &mut S,
    traces: &[TraceRow],
    days: (i32, i32),
) -> Result<Vec<CallRow>, StoreError> {
    if traces.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<TraceKey> = traces.iter().map(|trace| trace.key).collect();
    session.calls(&keys, days).await
}

fn report(traces: usize, spans: usize, truncated: usize, writes: &Writes) -> SettleReport {
    SettleReport {
        traces,
        spans,
        calls: writes.new_calls.len(),
        elections: writes.changed_calls.len(),
        truncated,
        changes: writes.deltas.by_series(),
    }
}

/// First and last day on which a call of these traces may start.
pub(crate) fn days(landed: &[LandingRow], traces: &[TraceRow]) -> (i32, i32) {
    let starts = landed.iter().map(|row| row.span.start_us);
    let stored = traces
        .iter()
        .flat_map(|trace| [trace.start_us, trace.end_us]);
    let days = starts.chain(stored).map(day_of);
    days.fold((i32::MAX, i32::MIN), |(first, last), day| {
        (first.min(day), last.max(day))
    })
}

/// What is known, by trace, in the order of `keys`.
pub(crate) fn gather(
    keys: &[TraceKey],
    landed: Vec<LandingRow>,
    traces: Vec<TraceRow>,
    calls: Vec<CallRow>,
) -> Vec<Known> {
    let mut known: HashMap<TraceKey, Known> = HashMap::with_capacity(keys.len());
    for &key in keys {
        known.insert(
            key,
            Known {
                key,
                landed: Vec::new(),
                trace: None,
                calls: Vec::new(),
            },
        );
    }
    for row in landed {
        if let Some(known) = known.get_mut(&row.trace()) {
            known.landed.push(row);
        }
    }
    for trace in traces {
        if let Some(known) = known.get_mut(&trace.key) {
            known.trace = Some(trace);
        }
    }
    for call in calls {
        if let Some(known) = known.get_mut(&call.key.trace) {
            known.calls.push(call);
        }
    }
    keys.iter().filter_map(|key| known.remove(key)).collect()
}

/// Settling is work for the processor: it leaves the threads that serve the network.
async fn compute(mut known: Vec<Known>, horizon: Horizon) -> Result<Batch, StoreError> {
    let work = move || {
        let outcomes = known
            .iter_mut()
            .map(|known| outcome(known, horizon))
            .collect();
        Batch { known, outcomes }
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Refused(format!("settling failed: {error}")))
}

fn refresh(batch: &mut Batch, traces: Vec<TraceRow>, calls: Vec<CallRow>) {
    for known in &mut batch.known {
        known.calls.clear();
        known.trace = None;
    }
    let places: HashMap<TraceKey, usize> = batch
        .known
        .iter()
        .enumerate()
        .map(|(place, known)| (known.key, place))
        .collect();
    for trace in traces {
        if let Some(&place) = places.get(&trace.key) {
            batch.known[place].trace = Some(trace);
        }
    }
    for call in calls {
        if let Some(&place) = places.get(&call.key.trace) {
            batch.known[place].calls.push(call);
        }
    }
}
