//! When each dirty trace is due. Pure: time is an argument.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use costflame_store::{Due, Mark, MarkId, TraceKey};

/// How long to wait before a trace is settled.
#[derive(Clone, Copy, Debug)]
pub struct SettleTimes {
    /// After its root has landed.
    pub after_root: Duration,
    /// After its last span, while no root has landed.
    pub after_quiet: Duration,
    /// At the latest, while it keeps growing.
    pub at_most: Duration,
}

/// A trace above this many spans is not settled again for every few spans that follow.
const LARGE_TRACE_SPANS: u64 = 10_000;
/// The longest a large trace waits between two settlings.
const LONGEST_BACK_OFF: i64 = 15 * 60 * 1_000_000;
/// What is remembered about settled traces, at most.
const REMEMBERED_TRACES: usize = 100_000;

/// A trace with marks that are not settled.
#[derive(Debug)]
struct Dirty {
    marks: BTreeSet<MarkId>,
    spans: u64,
    first_us: i64,
    last_us: i64,
    root_us: Option<i64>,
    due_us: i64,
}

/// What is known of a trace that was settled before.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    spans: u64,
    has_root: bool,
    not_before_us: i64,
}

/// Batches that may be under way at once; no two have traces of the same lane.
pub const BATCHES: usize = 2;

/// The dirty traces of the lanes this settler owns, by the time they are due.
#[derive(Debug)]
pub struct Schedule {
    times: SettleTimes,
    dirty: HashMap<TraceKey, Dirty>,
    by_due: [BTreeSet<(i64, TraceKey)>; BATCHES],
    settled: HashMap<TraceKey, Settled>,
}

impl Schedule {
    /// An empty schedule.
    #[must_use]
    pub fn new(times: SettleTimes) -> Self {
        Self {
            times,
            dirty: HashMap::new(),
            by_due: Default::default(),
            settled: HashMap::new(),
        }
    }

    /// Takes in a mark. The same mark may be observed any number of times.
    pub fn observe(&mut self, mark: &Mark) {
        let settled = self.settled.get(&mark.trace).copied();
        let dirty = self.dirty.entry(mark.trace).or_insert_with(|| Dirty {
            marks: BTreeSet::new(),
            spans: 0,
            first_us: mark.received_us,
            last_us: mark.received_us,
            root_us: None,
            due_us: i64::MIN,
        });
        if !dirty.marks.insert(mark.id) {
            return;
        }
        dirty.spans += u64::from(mark.spans);
        dirty.first_us = dirty.first_us.min(mark.received_us);
        dirty.last_us = dirty.last_us.max(mark.received_us);
        if mark.root_ended {
            let earlier = dirty.root_us.unwrap_or(mark.received_us);
            dirty.root_us = Some(earlier.min(mark.received_us));
        }
        let before = dirty.due_us;
        dirty.due_us = due(&self.times, dirty, settled);
        let after = dirty.due_us;
        let by_due = &mut self.by_due[batch_of(mark.trace)];
        by_due.remove(&(before, mark.trace));
        by_due.insert((after, mark.trace));
    }

    /// Whether so many traces of a batch are due.
    #[must_use]
    pub fn is_full(&self, batch: usize, now_us: i64, limit: usize) -> bool {
        let due = self.by_due[batch].iter().map(|(due_us, _)| *due_us);
        due.take_while(|due_us| *due_us <= now_us)
            .nth(limit.saturating_sub(1))
            .is_some()
    }

    /// Takes out at most `limit` traces of a batch that are due, the longest overdue first, and no more once those taken
    /// have `spans` new spans among them.
    pub fn take_due(&mut self, batch: usize, now_us: i64, limit: usize, spans: u64) -> Vec<Due> {
        let (mut taken, mut taken_spans) = (Vec::new(), 0);
        while taken.len() < limit && taken_spans < spans {
            let Some(entry) = self.by_due[batch].first().copied() else {
                break;
            };
            if entry.0 > now_us {
                break;
            }
            self.by_due[batch].remove(&entry);
            let trace = entry.1;
            let Some(dirty) = self.dirty.remove(&trace) else {
                continue;
            };
            self.remember(trace, &dirty, now_us);
            taken_spans += dirty.spans;
            let marks = dirty.marks.into_iter().collect();
            taken.push(Due { trace, marks });
        }
        taken
    }

    /// A trace that has become large waits before it is settled again, the longer the larger it is, so that
    /// settling it costs a bounded share of the time.
    fn remember(&mut self, trace: TraceKey, dirty: &Dirty, now_us: i64) {
        if self.settled.len() >= REMEMBERED_TRACES {
            self.settled.clear();
        }
        let known = self.settled.entry(trace).or_default();
        known.spans += dirty.spans;
        known.has_root |= dirty.root_us.is_some();
        let times = i64::try_from(known.spans / LARGE_TRACE_SPANS).unwrap_or(i64::MAX);
        let back_off = micros(self.times.at_most)
            .saturating_mul(times)
            .min(LONGEST_BACK_OFF);
        known.not_before_us = now_us.saturating_add(back_off);
    }

    /// Leaves a trace alone for a while: settling it fails, whatever else is settled with it.
    pub fn put_off(&mut self, trace: TraceKey, now_us: i64) {
        let known = self.settled.entry(trace).or_default();
        known.not_before_us = now_us.saturating_add(LONGEST_BACK_OFF);
    }

    /// Forgets everything; the marks must be read again from the first.
    pub fn clear(&mut self) {
        self.dirty.clear();
        self.by_due.iter_mut().for_each(BTreeSet::clear);
    }

    /// Forgets the traces of lanes that are no longer owned.
    pub fn keep_lanes(&mut self, owned: impl Fn(i16) -> bool) {
        self.dirty.retain(|trace, _| owned(trace.lane()));
        for by_due in &mut self.by_due {
            by_due.retain(|(_, trace)| owned(trace.lane()));
        }
        self.settled.retain(|trace, _| owned(trace.lane()));
    }

    /// When the next trace is due, in microseconds since 1970.
    #[must_use]
    pub fn next_due_us(&self) -> Option<i64> {
        let first = |by_due: &BTreeSet<(i64, TraceKey)>| by_due.first().map(|(due_us, _)| *due_us);
        self.by_due.iter().filter_map(first).min()
    }

    /// Traces that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dirty.len()
    }

    /// True when no trace waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dirty.is_empty()
    }
}

/// Which batch a trace may be in.
fn batch_of(trace: TraceKey) -> usize {
    usize::from(trace.lane().unsigned_abs()) % BATCHES
}

fn due(times: &SettleTimes, dirty: &Dirty, settled: Option<Settled>) -> i64 {
    let settled_root = settled.is_some_and(|settled| settled.has_root);
    let root_us = if settled_root {
        Some(dirty.last_us)
    } else {
        dirty.root_us
    };
    let waits = match root_us {
        Some(root_us) => root_us + micros(times.after_root),
        None => dirty.last_us + micros(times.after_quiet),
    };
    let at_most = dirty.first_us + micros(times.at_most);
    waits
        .min(at_most)
        .max(settled.map_or(i64::MIN, |settled| settled.not_before_us))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use costflame_pricing::UsdSum;
    use costflame_profile::TraceId;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn schedule() -> Schedule {
        Schedule::new(SettleTimes {
            after_root: Duration::from_secs(2),
            after_quiet: Duration::from_secs(30),
            at_most: Duration::from_secs(60),
        })
    }

    fn key(number: u8) -> TraceKey {
        TraceKey {
            project: 1,
            trace_id: TraceId([number; 16]),
        }
    }

    fn mark(number: u8, received_us: i64, root_ended: bool, spans: u32) -> Mark {
        let id = MarkId::new(received_us, i64::from(number));
        Mark {
            id,
            trace: key(number),
            received_us,
            spans,
            calls: 0,
            cost: UsdSum(0),
            root_ended,
        }
    }

    fn take(schedule: &mut Schedule, now_us: i64, limit: usize) -> Vec<Due> {
        (0..BATCHES)
            .flat_map(|batch| schedule.take_due(batch, now_us, limit, 1_000_000))
            .collect()
    }

    fn taken(schedule: &mut Schedule, now_us: i64) -> Vec<TraceKey> {
        take(schedule, now_us, 10)
            .into_iter()
            .map(|due| due.trace)
            .collect()
    }

    #[test]
    fn a_root_makes_a_trace_due_soon() {
        let mut schedule = schedule();
        schedule.observe(&mark(1, 0, false, 1));
        assert_eq!(schedule.next_due_us(), Some(30 * SECOND));
        schedule.observe(&mark(1, SECOND, true, 1));
        assert_eq!(schedule.next_due_us(), Some(3 * SECOND));
        assert!(taken(&mut schedule, 3 * SECOND - 1).is_empty());
        let due = take(&mut schedule, 3 * SECOND, 10);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].marks.len(), 2, "both marks are settled with it");
        assert!(schedule.is_empty());
    }

    #[test]
    fn a_batch_is_full_when_as_many_are_due_as_it_takes() {
        let mut schedule = schedule();
        let batch = batch_of(key(1));
        assert!(!schedule.is_full(batch, i64::MAX, 1));
        schedule.observe(&mark(1, 0, true, 1));
        assert!(!schedule.is_full(batch, 2 * SECOND - 1, 1));
        assert!(schedule.is_full(batch, 2 * SECOND, 1));
        assert!(!schedule.is_full(batch, 2 * SECOND, 2));
        assert!(
            !schedule.is_full(1 - batch, 2 * SECOND, 1),
            "of other lanes"
        );
    }

    #[test]
    fn a_trace_that_keeps_growing_is_settled_at_the_latest() {
        let mut schedule = schedule();
        for second in 0..100 {
            schedule.observe(&mark(1, second * SECOND, false, 1));
        }
        assert_eq!(schedule.next_due_us(), Some(60 * SECOND));
    }

    #[test]
    fn late_spans_below_a_settled_root_do_not_wait_for_another_root() {
        let mut schedule = schedule();
        schedule.observe(&mark(1, 0, true, 10));
        assert_eq!(taken(&mut schedule, 2 * SECOND), [key(1)]);
        schedule.observe(&mark(1, 100 * SECOND, false, 1));
        assert_eq!(schedule.next_due_us(), Some(102 * SECOND));
    }

    #[test]
    fn a_large_trace_waits_between_settlings() {
        let mut schedule = schedule();
        schedule.observe(&mark(1, 0, false, 50_000));
        assert_eq!(taken(&mut schedule, 60 * SECOND), [key(1)]);
        schedule.observe(&mark(1, 61 * SECOND, false, 1));
        assert_eq!(schedule.next_due_us(), Some((60 + 5 * 60) * SECOND));
    }

    #[test]
    fn what_is_put_off_comes_again_much_later() {
        let mut schedule = schedule();
        schedule.observe(&mark(1, 0, true, 1));
        assert_eq!(taken(&mut schedule, 2 * SECOND), [key(1)]);
        schedule.put_off(key(1), 2 * SECOND);
        schedule.observe(&mark(1, 0, true, 1));
        assert_eq!(schedule.next_due_us(), Some((2 + 15 * 60) * SECOND));
    }

    #[test]
    fn the_same_mark_twice_changes_nothing_and_the_oldest_goes_first() {
        let mut schedule = schedule();
        for _ in 0..2 {
            schedule.observe(&mark(2, 2 * SECOND, true, 1));
            schedule.observe(&mark(1, SECOND, true, 1));
        }
        assert_eq!(schedule.len(), 2);
        let due = schedule.take_due(batch_of(key(1)), 100 * SECOND, 1, 1_000_000);
        assert_eq!(
            (due.len(), due[0].trace, due[0].marks.len()),
            (1, key(1), 1)
        );
        assert_eq!(taken(&mut schedule, 100 * SECOND), [key(2)]);
    }

    #[test]
    fn a_batch_ends_when_it_has_many_spans() {
        let mut schedule = schedule();
        let batch = batch_of(key(1));
        let same = (1..=255).filter(|number| batch_of(key(*number)) == batch);
        for number in same.take(3) {
            schedule.observe(&mark(number, i64::from(number), true, 10));
        }
        for expected in [2, 1] {
            let due = schedule.take_due(batch, 100 * SECOND, 10, 15);
            assert_eq!(due.len(), expected);
        }
    }

    #[test]
    fn lanes_that_are_lost_are_forgotten() {
        assert_ne!(key(1).lane(), key(2).lane(), "the test needs two lanes");
        let mut schedule = schedule();
        schedule.observe(&mark(1, 0, true, 1));
        schedule.observe(&mark(2, 0, true, 1));
        schedule.keep_lanes(|lane| lane == key(2).lane());
        assert_eq!(taken(&mut schedule, 100 * SECOND), [key(2)]);
    }
}
