//! The columns of `claims` and `traces` between a row and a database.

use costflame_profile::{Identity, Text};

use crate::{
    StoreError, TraceKey, TraceRow, TraceTotals,
    call_columns::sixteen,
    claim_row::{ClaimKey, ClaimRow},
    landing::{frame_kind, span_id, trace_id},
    packed,
};

/// The columns of `claims` that are written, in order.
macro_rules! claims_columns {
    () => {
        "order_key, start_us, end_us, project_id, landed_day, identity_lane, side, identity, trace_id, span_id, twin"
    };
}
pub(crate) use claims_columns;

/// The columns of `claims` that a [`ClaimRow`] is read from, of a table called `c`.
macro_rules! claim_row_columns {
    () => {
        "c.order_key, c.start_us, c.end_us, c.project_id, c.landed_day, c.side, c.identity, c.trace_id, c.span_id, c.twin"
    };
}
pub(crate) use claim_row_columns;

/// Reads a row of [`claim_row_columns`] of either database.
macro_rules! read_claim_row {
    ($row:expr) => {
        $crate::claim_columns::RawClaim {
            order_key: $row.try_get(0)?,
            start_us: $row.try_get(1)?,
            end_us: $row.try_get(2)?,
            project: $row.try_get(3)?,
            landed_day: $row.try_get(4)?,
            side: $row.try_get(5)?,
            identity: $row.try_get(6)?,
            trace_id: $row.try_get(7)?,
            span_id: $row.try_get(8)?,
            twin: $row.try_get(9)?,
        }
        .read()
    };
}
pub(crate) use read_claim_row;

/// A row of [`claim_row_columns`] before its values are checked.
pub(crate) struct RawClaim<'a> {
    pub(crate) order_key: i64,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) project: i32,
    pub(crate) landed_day: i32,
    pub(crate) side: i16,
    pub(crate) identity: &'a [u8],
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) twin: Option<&'a [u8]>,
}

impl RawClaim<'_> {
    /// The row, with every value checked.
    pub(crate) fn read(&self) -> Result<ClaimRow, StoreError> {
        Ok(ClaimRow {
            key: ClaimKey {
                project: self.project,
                identity: Identity(sixteen("identity", self.identity)?),
                side: self.side,
                order_key: self.order_key,
                trace_id: trace_id(self.trace_id)?,
                span_id: span_id(self.span_id)?,
            },
            start_us: self.start_us,
            end_us: self.end_us,
            landed_day: self.landed_day,
            twin: self.twin.map(packed::read_twin).transpose()?,
        })
    }
}

/// The columns of `traces` that hold no sums, in the order of [`RawTrace`], of a table called `t`.
macro_rules! trace_row_columns {
    () => {
        "t.start_us, t.end_us, t.first_received_us, t.last_received_us, t.project_id, t.spans, t.calls, t.errors, \
         t.failed_spans, t.unpriced_calls, t.excluded_calls, t.root_kind, t.has_root, t.trace_id, t.root_span_id, \
         t.root_service, t.root_label"
    };
}
pub(crate) use trace_row_columns;

/// Reads a row of [`trace_row_columns`] followed by the sums, which `sums` reads.
macro_rules! read_trace_row {
    ($row:expr, $sums:expr) => {
        $crate::claim_columns::RawTrace {
            start_us: $row.try_get(0)?,
            end_us: $row.try_get(1)?,
            first_received_us: $row.try_get(2)?,
            last_received_us: $row.try_get(3)?,
            project: $row.try_get(4)?,
            spans: $row.try_get(5)?,
            calls: $row.try_get(6)?,
            errors: $row.try_get(7)?,
            failed_spans: $row.try_get(8)?,
            unpriced_calls: $row.try_get(9)?,
            excluded_calls: $row.try_get(10)?,
            root_kind: $row.try_get(11)?,
            has_root: $row.try_get(12)?,
            trace_id: $row.try_get(13)?,
            root_span_id: $row.try_get(14)?,
            root_service: $row.try_get(15)?,
            root_label: $row.try_get(16)?,
        }
        .read($sums)
    };
}
pub(crate) use read_trace_row;

/// A row of [`trace_row_columns`] before its values are checked.
pub(crate) struct RawTrace<'a> {
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) first_received_us: i64,
    pub(crate) last_received_us: i64,
    pub(crate) project: i32,
    pub(crate) spans: i32,
    pub(crate) calls: i32,
    pub(crate) errors: i32,
    pub(crate) failed_spans: i32,
    pub(crate) unpriced_calls: i32,
    pub(crate) excluded_calls: i32,
    pub(crate) root_kind: i16,
    pub(crate) has_root: bool,
    pub(crate) trace_id: &'a [u8],
    pub(crate) root_span_id: Option<&'a [u8]>,
    pub(crate) root_service: &'a str,
    pub(crate) root_label: &'a str,
}

impl RawTrace<'_> {
    /// The row; `sums` are cost, excluded cost, tokens in and tokens out.
    pub(crate) fn read(
        &self,
        [cost, excluded_cost, tokens_in, tokens_out]: [i128; 4],
    ) -> Result<TraceRow, StoreError> {
        Ok(TraceRow {
            key: TraceKey {
                project: self.project,
                trace_id: trace_id(self.trace_id)?,
            },
            start_us: self.start_us,
            end_us: self.end_us,
            first_received_us: self.first_received_us,
            last_received_us: self.last_received_us,
            spans: self.spans.cast_unsigned(),
            failed_spans: self.failed_spans.cast_unsigned(),
            top: self.root_span_id.map(span_id).transpose()?,
            has_root: self.has_root,
            service: Text::from(self.root_service),
            kind: frame_kind(self.root_kind)?,
            label: Text::from(self.root_label),
            totals: TraceTotals {
                calls: self.calls.into(),
                errors: self.errors.into(),
                unpriced_calls: self.unpriced_calls.into(),
                excluded_calls: self.excluded_calls.into(),
                cost: costflame_pricing::UsdSum(cost),
                excluded_cost: costflame_pricing::UsdSum(excluded_cost),
                tokens_in,
                tokens_out,
            },
        })
    }
}

/// A count of a trace as its column holds it.
pub(crate) fn count(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}
