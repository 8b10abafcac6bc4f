//! From everything known about one trace to the rows it should have. Pure.

use std::collections::HashSet;

use costflame_profile::{PathRow, SettledCall, SpanId, TraceSummary, settle};

use crate::{
    CallRow, LandingRow, TraceKey, TraceRow, TraceTotals, call_row::day_of, clean::clean,
    retention::DroppedBefore,
};

/// Landed rows of one trace that are settled; the first received ones. More are not read, which is counted.
pub(crate) const MOST_ROWS: usize = 250_000;

/// What is known about a trace that is due.
pub(crate) struct Known {
    pub(crate) key: TraceKey,
    /// Every landed version of every span that is still there.
    pub(crate) landed: Vec<LandingRow>,
    /// Its row, if it has been settled with calls before.
    pub(crate) trace: Option<TraceRow>,
    /// Its calls as they are now.
    pub(crate) calls: Vec<CallRow>,
}

/// When a trace is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// Microseconds after its first span was received.
    pub(crate) length_us: i64,
    /// What is not there any more.
    pub(crate) dropped: DroppedBefore,
}

/// What a trace should have; the verdicts of the election are not in it yet.
pub(crate) struct Outcome {
    pub(crate) calls: Vec<CallRow>,
    pub(crate) paths: Vec<PathRow>,
    /// `None` when there are no calls.
    pub(crate) trace: Option<TraceRow>,
    /// UTC day on which it was first received.
    pub(crate) landed_day: i32,
}

/// Settles a trace.
///
/// Spans received within the horizon decide together, in whatever order they came. A span received
/// later finds the trace sealed: it is kept as a call at its best known path and changes no other.
pub(crate) fn outcome(known: &mut Known, horizon: Horizon) -> Outcome {
    let landed = std::mem::take(&mut known.landed);
    let received = || landed.iter().map(|row| row.received_us);
    let before = known.trace.as_ref();
    let first = received()
        .chain(before.map(|trace| trace.first_received_us))
        .min()
        .unwrap_or_default();
    let last = received()
        .chain(before.map(|trace| trace.last_received_us))
        .max()
        .unwrap_or_default();
    let sealed_at = first.saturating_add(horizon.length_us);
    let is_complete = first >= horizon.dropped.landing_us;
    let is_late = |row: &LandingRow| !is_complete || row.received_us >= sealed_at;

    let (base, late) = if landed.iter().any(is_late) {
        let on_time: Vec<LandingRow> = landed.iter().filter(|row| !is_late(row)).cloned().collect();
        (on_time, Some(landed))
    } else {
        (landed, None)
    };
    let sealed_ids: HashSet<SpanId> = base.iter().map(|row| row.span.span_id).collect();
    let (mut calls, mut paths, summary) = rows_of(known.key, base);
    if !is_complete {
        calls = known.calls.clone();
    }
    if let Some(all) = late {
        let late_ids: HashSet<SpanId> = all
            .iter()
            .filter(|row| is_late(row))
            .map(|row| row.span.span_id)
            .filter(|id| !sealed_ids.contains(id))
            .collect();
        paths.extend(add_late(&mut calls, known, all, &late_ids));
    }
    // Sealed: their sums stay as they are, and they would not be kept.
    calls.retain(|call| call.start_day() >= horizon.dropped.calls_day);
    let trace = (!calls.is_empty()).then(|| {
        let row = match before.filter(|_| !is_complete) {
            Some(before) => before.clone(),
            None => trace_row(known.key, first, summary),
        };
        // A late call may lie outside of what the sealed trace spans.
        let starts = calls.iter().map(|call| call.start_us);
        let ends = calls.iter().map(|call| call.end_us);
        TraceRow {
            start_us: starts.fold(row.start_us, i64::min),
            end_us: ends.fold(row.end_us, i64::max),
            first_received_us: first,
            last_received_us: last,
            totals: TraceTotals::of(&calls),
            ..row
        }
    });
    Outcome {
        calls,
        paths,
        trace,
        landed_day: day_of(first),
    }
}

/// Adds the calls of late spans: as they were stored, or, when they are new, as the whole trace places them.
fn add_late(
    calls: &mut Vec<CallRow>,
    known: &Known,
    all: Vec<LandingRow>,
    late: &HashSet<SpanId>,
) -> Vec<PathRow> {
    let mut there: HashSet<SpanId> = calls.iter().map(|call| call.key.span_id).collect();
    for call in known.calls.iter().filter(|call| call.late) {
        if there.insert(call.key.span_id) {
            calls.push(call.clone());
        }
    }
    let (placed, paths, _) = rows_of(known.key, all);
    for mut call in placed {
        if late.contains(&call.key.span_id) && there.insert(call.key.span_id) {
            call.late = true;
            calls.push(call);
        }
    }
    paths
}

fn rows_of(key: TraceKey, landed: Vec<LandingRow>) -> (Vec<CallRow>, Vec<PathRow>, TraceSummary) {
    let settled = settle(key.project, landed);
    let row = |call: &SettledCall| {
        CallRow::settled(&settled.rows[call.span], &settled.rows[call.source], call)
    };
    let calls = settled.calls.iter().filter_map(row).collect();
    (calls, settled.paths, settled.trace)
}

fn trace_row(key: TraceKey, first_received_us: i64, summary: TraceSummary) -> TraceRow {
    TraceRow {
        key,
        start_us: summary.start_us,
        end_us: summary.end_us,
        first_received_us,
        last_received_us: first_received_us,
        spans: summary.spans,
        failed_spans: summary.errors,
        top: summary.top,
        has_root: summary.root_seen,
        service: clean(summary.service),
        kind: summary.kind,
        label: clean(summary.name),
        totals: TraceTotals::default(),
    }
}
