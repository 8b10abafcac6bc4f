//! One row of `traces`: what the list of traces shows.

use costflame_pricing::UsdSum;
use costflame_profile::{FrameKind, SpanId, Text};

use crate::{CallRow, TraceKey, call_row::day_of};

/// A settled trace that has calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRow {
    /// The trace.
    pub key: TraceKey,
    /// Earliest start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// Latest end.
    pub end_us: i64,
    /// When its first span was received.
    pub first_received_us: i64,
    /// When its last span was received.
    pub last_received_us: i64,
    /// Spans, each id once.
    pub spans: u32,
    /// Spans that failed.
    pub failed_spans: u32,
    /// The root; without one the first span whose parent is missing.
    pub top: Option<SpanId>,
    /// `top` is the root.
    pub has_root: bool,
    /// Service of `top`.
    pub service: Text,
    /// Kind of the frame of `top`.
    pub kind: FrameKind,
    /// Label of `top`.
    pub label: Text,
    /// Sums over its calls.
    pub totals: TraceTotals,
}

impl TraceRow {
    /// The UTC day it was first received.
    pub(crate) fn landed_day(&self) -> i32 {
        day_of(self.first_received_us)
    }
}

/// Sums over the calls of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceTotals {
    /// Calls that count.
    pub calls: i64,
    /// Calls that count and failed.
    pub errors: i64,
    /// Calls that count and have no cost.
    pub unpriced_calls: i64,
    /// Calls that do not count.
    pub excluded_calls: i64,
    /// Cost of the calls that count.
    pub cost: UsdSum,
    /// Cost of the calls that do not.
    pub excluded_cost: UsdSum,
    /// Input tokens of the calls that count.
    pub tokens_in: i128,
    /// Output tokens of the calls that count.
    pub tokens_out: i128,
}

impl TraceTotals {
    /// Adds a call, or with `sign` -1 takes it away.
    pub(crate) fn add(&mut self, call: &CallRow, sign: i8) {
        let (one, many) = (i64::from(sign), i128::from(sign));
        let cost = many * call.call.cost.map_or(0, |cost| i128::from(cost.0));
        if call.why().is_some() {
            self.excluded_calls += one;
            self.excluded_cost.0 += cost;
            return;
        }
        self.calls += one;
        self.errors += one * i64::from(call.error);
        self.unpriced_calls += one * i64::from(call.call.cost.is_none());
        self.cost.0 += cost;
        self.tokens_in += many * i128::from(call.call.usage.total_input());
        self.tokens_out += many * i128::from(call.call.usage.total_output());
    }

    /// The sums over some calls.
    pub(crate) fn of<'a>(calls: impl IntoIterator<Item = &'a CallRow>) -> Self {
        let mut totals = Self::default();
        for call in calls {
            totals.add(call, 1);
        }
        totals
    }
}
