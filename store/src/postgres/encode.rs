//! Settled rows as binary COPY.

use std::{collections::BTreeMap, sync::LazyLock};

use super::copy::CopyBuffer;
use crate::{
    CallRow, Measures, TraceRow,
    call_columns::{
        CALLS_COLUMN_COUNT, instead_bytes, tags_json, texts, tokens, unpriced_number, why_number,
    },
    call_row::day_of,
    claim_columns::count,
    claim_row::{ClaimRow, identity_lane},
    delta::{DimKey, PathKey},
    measures::{COUNTS, SUMS},
    packed,
};

pub(super) const COPY_TRACES: &str = "COPY traces (start_us, end_us, first_received_us, last_received_us, project_id, \
     start_day, spans, calls, errors, failed_spans, unpriced_calls, excluded_calls, lane, root_kind, has_root, trace_id, \
     root_span_id, root_service, root_label, cost, excluded_cost, tokens_in, tokens_out) FROM STDIN (FORMAT binary)";

pub(super) static COPY_DELTAS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "COPY rollup_deltas (project_id, bucket_us, path_id, series_id, {}) FROM STDIN (FORMAT binary)",
        measures()
    )
});

pub(super) static COPY_DIM_DELTAS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "COPY dim_deltas (project_id, day, dimension, value, series_id, path_id, hour_us, {}) FROM STDIN (FORMAT binary)",
        measures()
    )
});

/// The columns of all measures.
pub(super) fn measures() -> String {
    COUNTS
        .iter()
        .chain(&SUMS)
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Rows of `calls`; `None` if there are none, as with the others here.
pub(super) fn calls(rows: &[CallRow]) -> Option<CopyBuffer> {
    let mut out = CopyBuffer::of(rows.len(), CALLS_COLUMN_COUNT, 800)?;
    for row in rows {
        call(row, &mut out);
    }
    Some(out)
}

fn call(row: &CallRow, out: &mut CopyBuffer) {
    let why = row.why();
    out.row();
    out.i64(row.start_us);
    out.i64(row.end_us);
    out.optional(row.call.cost.as_ref(), |out, cost| out.i64(cost.0));
    out.optional(row.unseen_cost().as_ref(), |out, cost| out.i64(cost.0));
    out.optional(row.receipt.reported.as_ref(), |out, cost| out.i64(cost.0));
    out.optional(row.receipt.computed.as_ref(), |out, cost| out.i64(cost.0));
    out.i32(row.key.trace.project);
    out.i32(row.start_day());
    out.i32(row.flags.0.cast_signed());
    out.i32(row.weight_milli.cast_signed());
    out.i16(row.key.trace.lane());
    out.i16(why_number(row));
    out.optional(unpriced_number(row).as_ref(), |out, reason| {
        out.i16(*reason)
    });
    out.i16(row.signal as i16);
    out.i16(row.span_kind as i16);
    out.bool(row.error);
    out.bool(row.late);
    out.bytes(&row.key.trace.trace_id.0);
    out.bytes(&row.key.span_id.0);
    out.bytes(&row.path.0);
    out.bytes(&row.series.0);
    out.optional(why.as_ref(), |out, (_, (trace, _))| out.bytes(&trace.0));
    out.optional(why.as_ref(), |out, (_, (_, span))| out.bytes(&span.0));
    out.optional(row.lost_response.as_ref(), |out, instead| {
        out.bytes(&instead_bytes(*instead))
    });
    out.optional(row.lost_usage.as_ref(), |out, instead| {
        out.bytes(&instead_bytes(*instead))
    });
    match row.claims.is_empty() {
        true => out.null(),
        false => out.packed(|bytes| packed::write_claims(&row.claims, bytes)),
    }
    for tokens in tokens(row) {
        out.optional(tokens.as_ref(), |out, tokens| out.i64(*tokens));
    }
    for text in texts(row) {
        out.optional(text, |out, text| out.text(text));
    }
    out.optional(tags_json(row).as_deref(), CopyBuffer::jsonb);
    out.bytes(&row.receipt.catalog.0);
    out.packed(|bytes| packed::write_receipt(&row.receipt, bytes));
    for hash in [row.sent.request, row.sent.system] {
        out.optional(hash.as_ref(), |out, hash| out.i64(*hash));
    }
}

/// Rows of `claims`.
pub(super) fn claims(rows: &[ClaimRow]) -> Option<CopyBuffer> {
    let mut out = CopyBuffer::of(rows.len(), 11, 150)?;
    for row in rows {
        out.row();
        out.i64(row.key.order_key);
        out.i64(row.start_us);
        out.i64(row.end_us);
        out.i32(row.key.project);
        out.i32(row.landed_day);
        out.i16(identity_lane(&row.key.identity));
        out.i16(row.key.side);
        out.bytes(&row.key.identity.0);
        out.bytes(&row.key.trace_id.0);
        out.bytes(&row.key.span_id.0);
        match &row.twin {
            Some(twin) => out.packed(|bytes| packed::write_twin(twin, bytes)),
            None => out.null(),
        }
    }
    Some(out)
}

/// Rows of [`COPY_TRACES`].
pub(super) fn traces(rows: &[TraceRow]) -> Option<CopyBuffer> {
    let mut out = CopyBuffer::of(rows.len(), 23, 300)?;
    for row in rows {
        let totals = &row.totals;
        out.row();
        out.i64(row.start_us);
        out.i64(row.end_us);
        out.i64(row.first_received_us);
        out.i64(row.last_received_us);
        out.i32(row.key.project);
        out.i32(day_of(row.start_us));
        out.i32(row.spans.cast_signed());
        out.i32(count(totals.calls));
        out.i32(count(totals.errors));
        out.i32(row.failed_spans.cast_signed());
        out.i32(count(totals.unpriced_calls));
        out.i32(count(totals.excluded_calls));
        out.i16(row.key.lane());
        out.i16(row.kind as i16);
        out.bool(row.has_root);
        out.bytes(&row.key.trace_id.0);
        out.optional(row.top.as_ref(), |out, span| out.bytes(&span.0));
        out.text(&row.service);
        out.text(&row.label);
        out.numeric(totals.cost.0);
        out.numeric(totals.excluded_cost.0);
        out.numeric(totals.tokens_in);
        out.numeric(totals.tokens_out);
    }
    Some(out)
}

/// Rows of [`COPY_DELTAS`].
pub(super) fn deltas(rows: &BTreeMap<PathKey, Measures>) -> Option<CopyBuffer> {
    let mut out = CopyBuffer::of(rows.len(), 4 + COUNTS.len() + SUMS.len(), 600)?;
    for (key, sums) in rows {
        out.row();
        out.i32(key.project);
        out.i64(key.bucket_us);
        out.bytes(&key.path.0);
        out.bytes(&key.series.0);
        sums_of(sums, &mut out);
    }
    Some(out)
}

/// Rows of [`COPY_DIM_DELTAS`].
pub(super) fn dim_deltas(rows: &BTreeMap<DimKey, Measures>) -> Option<CopyBuffer> {
    let mut out = CopyBuffer::of(rows.len(), 7 + COUNTS.len() + SUMS.len(), 600)?;
    for (key, sums) in rows {
        out.row();
        out.i32(key.project);
        out.i32(key.day());
        out.text(&key.dimension);
        out.text(&key.value);
        out.bytes(&key.series.0);
        out.bytes(&key.path.0);
        out.i64(key.hour_us);
        sums_of(sums, &mut out);
    }
    Some(out)
}

fn sums_of(measures: &Measures, out: &mut CopyBuffer) {
    for count in measures.counts {
        out.i64(count);
    }
    for sum in measures.sums {
        out.numeric(sum);
    }
}
