//! What one settling transaction writes. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use costflame_profile::PathRow;

use crate::{
    CallKey, CallRow, ClassSet, Mark, MarkId, SeriesId, SeriesRow, StoreError, TraceKey, TraceRow,
    TraceTotals,
    claim_row::{ClaimKey, ClaimRow},
    delta::{Deltas, SAMPLED_LANES, counted_more, trace_bucket},
    election::{Change, Elected},
    outcome::{Known, Outcome},
};

/// Rows to write, in the order in which they are written; each list is sorted by key, so that
/// transactions that write the same rows meet in one order.
#[derive(Default)]
pub(crate) struct Writes {
    /// Calls that are gone, or follow changed in `new_calls`; with their start day.
    pub(crate) old_calls: Vec<(CallKey, i32)>,
    pub(crate) new_calls: Vec<CallRow>,
    /// Calls of other traces with a new verdict.
    pub(crate) changed_calls: Vec<CallRow>,
    pub(crate) old_claims: Vec<(ClaimKey, i32)>,
    pub(crate) new_claims: Vec<ClaimRow>,
    pub(crate) old_traces: Vec<TraceKey>,
    pub(crate) new_traces: Vec<TraceRow>,
    /// Differences of other traces.
    pub(crate) changed_traces: BTreeMap<TraceKey, TraceTotals>,
    pub(crate) paths: Vec<(i32, PathRow)>,
    pub(crate) series: BTreeMap<(i32, SeriesId), SeriesRow>,
    pub(crate) classes: BTreeSet<(i32, ClassSet)>,
    pub(crate) deltas: Deltas,
    /// Marks that are settled by this, with their lane.
    pub(crate) marks: Vec<(i16, MarkId)>,
}

/// A call and the UTC day on which it starts.
pub(crate) type DatedCall = (CallKey, i32);

/// A batch of traces between reading and writing.
pub(crate) struct Batch {
    pub(crate) known: Vec<Known>,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Batch {
    /// The claims of the batch as they were, from the calls as they were.
    pub(crate) fn old_claims(&self) -> Vec<ClaimRow> {
        self.known
            .iter()
            .zip(&self.outcomes)
            .flat_map(|(known, outcome)| {
                let day = known
                    .trace
                    .as_ref()
                    .map_or(outcome.landed_day, TraceRow::landed_day);
                known
                    .calls
                    .iter()
                    .flat_map(move |call| ClaimRow::of(call, day))
            })
            .collect()
    }

    /// The claims of the batch as they become.
    pub(crate) fn new_claims(&self) -> Vec<ClaimRow> {
        self.outcomes
            .iter()
            .flat_map(|outcome| {
                outcome
                    .calls
                    .iter()
                    .flat_map(|call| ClaimRow::of(call, outcome.landed_day))
            })
            .collect()
    }

    /// Everything but what concerns other traces.
    pub(crate) fn writes(mut self, elected: &Elected) -> Writes {
        let mut writes = Writes::default();
        writes.diff_claims(self.old_claims(), self.new_claims());
        for (known, outcome) in self.known.iter().zip(&mut self.outcomes) {
            for call in &mut outcome.calls {
                let verdict = elected.own.get(&call.key).copied().unwrap_or_default();
                call.set_verdict(
                    verdict.lost_response,
                    verdict.lost_usage,
                    verdict.possible_duplicate,
                );
            }
            if let Some(trace) = &mut outcome.trace {
                trace.totals = TraceTotals::of(&outcome.calls);
            }
            writes.diff_trace(known, outcome);
        }
        writes.old_calls.sort_unstable();
        writes.new_calls.sort_unstable_by_key(|call| call.key);
        writes
            .paths
            .sort_unstable_by_key(|(project, path)| (*project, path.id));
        writes
            .paths
            .dedup_by_key(|(project, path)| (*project, path.id));
        writes
    }
}

impl Writes {
    /// Applies changed verdicts to the calls of other traces, as they are now.
    pub(crate) fn change_others(&mut self, calls: Vec<CallRow>, changes: &[Change]) {
        let mut by_call: HashMap<CallKey, Vec<&Change>> = HashMap::new();
        for change in changes {
            by_call.entry(change.call).or_default().push(change);
        }
        for before in calls {
            let mut after = before.clone();
            for change in by_call.get(&before.key).into_iter().flatten() {
                let (response, usage, doubt) = after.verdict();
                match change.by_response {
                    true => after.set_verdict(change.lost, usage, doubt),
                    false => after.set_verdict(response, change.lost, change.possible_duplicate),
                }
            }
            if after == before {
                continue;
            }
            let totals = self.changed_traces.entry(before.key.trace).or_default();
            totals.add(&before, -1);
            totals.add(&after, 1);
            self.deltas.subtract(&before);
            self.deltas.add(&after);
            self.changed_calls.push(after);
        }
        self.changed_calls.sort_unstable_by_key(|call| call.key);
        self.changed_traces
            .retain(|_, totals| *totals != TraceTotals::default());
    }

    /// A call becomes another at the same place, which its trace and the rollups follow.
    pub(crate) fn replace(&mut self, before: &CallRow, after: CallRow) {
        let totals = self.changed_traces.entry(before.key.trace).or_default();
        totals.add(before, -1);
        totals.add(&after, 1);
        self.remove(before);
        self.add(after);
    }

    /// Sorts what [`Writes::replace`] added and drops what came to nothing.
    pub(crate) fn settle_replaced(&mut self) {
        self.old_calls.sort_unstable();
        self.new_calls.sort_unstable_by_key(|call| call.key);
        self.changed_traces
            .retain(|_, totals| *totals != TraceTotals::default());
        self.deltas.settle();
    }

    fn diff_trace(&mut self, known: &Known, outcome: &Outcome) {
        let mut old: HashMap<CallKey, &CallRow> =
            known.calls.iter().map(|call| (call.key, call)).collect();
        for new in &outcome.calls {
            match old.remove(&new.key) {
                Some(before) if before == new => continue,
                Some(before) => self.remove(before),
                None => {}
            }
            self.add(new.clone());
        }
        for gone in old.into_values() {
            self.remove(gone);
        }
        if known.trace != outcome.trace {
            if let Some(trace) = &known.trace {
                self.deltas.count(trace, -1);
            }
            if let Some(trace) = &outcome.trace {
                self.deltas.count(trace, 1);
            }
            self.old_traces
                .extend(known.trace.as_ref().map(|trace| trace.key));
            self.new_traces.extend(outcome.trace.clone());
        }
        self.paths.extend(
            outcome
                .paths
                .iter()
                .map(|path| (known.key.project, path.clone())),
        );
    }

    /// Keys with start days of the calls in [`SAMPLED_LANES`] that are gone or changed, and of those there or changed.
    pub(crate) fn sampled(&self) -> (Vec<DatedCall>, Vec<DatedCall>) {
        let is_sampled = |(call, _): &DatedCall| call.trace.lane() < SAMPLED_LANES;
        let keyed = |call: &CallRow| (call.key, call.start_day());
        let changed = || self.changed_calls.iter().map(keyed);
        let gone = self.old_calls.iter().copied().chain(changed());
        let there = self.new_calls.iter().map(keyed).chain(changed());
        (
            gone.filter(is_sampled).collect(),
            there.filter(is_sampled).collect(),
        )
    }

    fn add(&mut self, call: CallRow) {
        let project = call.key.trace.project;
        self.deltas.add(&call);
        self.series
            .entry((project, call.series))
            .or_insert_with(|| SeriesRow::of(&call));
        self.classes.insert((project, ClassSet::of(&call)));
        self.new_calls.push(call);
    }

    fn remove(&mut self, call: &CallRow) {
        self.deltas.subtract(call);
        self.old_calls.push((call.key, call.start_day()));
    }

    fn diff_claims(&mut self, old: Vec<ClaimRow>, new: Vec<ClaimRow>) {
        let mut gone: HashMap<ClaimKey, ClaimRow> =
            old.into_iter().map(|claim| (claim.key, claim)).collect();
        for claim in new {
            match gone.remove(&claim.key) {
                Some(before) if before == claim => continue,
                Some(before) => self.old_claims.push((before.key, before.landed_day)),
                None => {}
            }
            self.new_claims.push(claim);
        }
        self.old_claims.extend(
            gone.into_values()
                .map(|claim| (claim.key, claim.landed_day)),
        );
        self.old_claims.sort_unstable();
        self.new_claims.sort_unstable_by_key(|claim| claim.key);
    }
}

/// Adds what becomes of the count of traces when one at `start_us` has `calls` counted calls after a change.
pub(crate) fn count_changed(
    counts: &mut BTreeMap<(i32, i64), i64>,
    trace: TraceKey,
    (start_us, calls): (i64, i64),
    change: &TraceTotals,
) {
    *counts
        .entry(trace_bucket(trace.project, start_us))
        .or_default() += counted_more(calls, change.calls);
}

/// Every row that was read under a lock is still there when it is written.
pub(crate) fn expect_rows(written: u64, expected: usize) -> Result<(), StoreError> {
    if written == expected as u64 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// A trace that is due, with the marks that are settled with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The trace.
    pub trace: TraceKey,
    /// Marks read before; their spans are committed, so settling sees them.
    pub marks: Vec<MarkId>,
}

impl Due {
    /// The traces of some marks, each once, with all their marks.
    #[must_use]
    pub fn of(marks: &[Mark]) -> Vec<Self> {
        let mut by_trace: BTreeMap<TraceKey, Vec<MarkId>> = BTreeMap::new();
        for mark in marks {
            by_trace.entry(mark.trace).or_default().push(mark.id);
        }
        by_trace
            .into_iter()
            .map(|(trace, marks)| Self { trace, marks })
            .collect()
    }
}
