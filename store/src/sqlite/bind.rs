//! Settled rows as parameters.

use std::sync::LazyLock;

use super::multi_row::Insert;
use crate::{
    CallRow, Measures, TraceRow,
    call_columns::{instead_bytes, tags_json, texts, tokens, unpriced_number, why_number},
    call_row::day_of,
    claim_columns::count,
    claim_row::{ClaimRow, identity_lane},
    clean::clean,
    delta::{DimKey, PathKey},
    halves::split,
    measures::{COUNTS, SUMS},
    packed,
};

/// The columns of all measures: counts, then two per sum.
pub(super) static MEASURES: LazyLock<String> = LazyLock::new(|| {
    let counts = COUNTS.iter().map(|&column| column.to_owned());
    let sums = SUMS
        .iter()
        .map(|column| format!("{column}_hi, {column}_lo"));
    counts.chain(sums).collect::<Vec<_>>().join(", ")
});

/// A row of `calls`.
pub(super) fn call(insert: Insert, row: &CallRow) -> Insert {
    let why = row.why();
    let insert = insert
        .bind(row.start_us)
        .bind(row.end_us)
        .bind(row.call.cost.map(|cost| cost.0))
        .bind(row.unseen_cost().map(|cost| cost.0))
        .bind(row.receipt.reported.map(|cost| cost.0))
        .bind(row.receipt.computed.map(|cost| cost.0))
        .bind(row.key.trace.project)
        .bind(row.start_day())
        .bind(row.flags.0.cast_signed())
        .bind(row.weight_milli.cast_signed())
        .bind(row.key.trace.lane())
        .bind(why_number(row))
        .bind(unpriced_number(row))
        .bind(row.signal as i16)
        .bind(row.span_kind as i16)
        .bind(row.error)
        .bind(row.late)
        .bind(row.key.trace.trace_id.0.to_vec())
        .bind(row.key.span_id.0.to_vec())
        .bind(row.path.0.to_vec())
        .bind(row.series.0.to_vec())
        .bind(why.map(|(_, (trace, _))| trace.0.to_vec()))
        .bind(why.map(|(_, (_, span))| span.0.to_vec()))
        .bind(
            row.lost_response
                .map(|instead| instead_bytes(instead).to_vec()),
        )
        .bind(
            row.lost_usage
                .map(|instead| instead_bytes(instead).to_vec()),
        )
        .bind(
            (!row.claims.is_empty())
                .then(|| packed::bytes(|out| packed::write_claims(&row.claims, out))),
        );
    let insert = tokens(row).fold(insert, |insert, tokens| insert.bind(tokens));
    let insert = texts(row)
        .into_iter()
        .fold(insert, |insert, text| insert.bind(text.cloned()));
    insert
        .bind(tags_json(row))
        .bind(row.receipt.catalog.0.to_vec())
        .bind(packed::bytes(|out| {
            packed::write_receipt(&row.receipt, out)
        }))
        .bind(row.sent.request)
        .bind(row.sent.system)
}

/// A row of `claims`.
pub(super) fn claim(insert: Insert, row: &ClaimRow) -> Insert {
    insert
        .bind(row.key.order_key)
        .bind(row.start_us)
        .bind(row.end_us)
        .bind(row.key.project)
        .bind(row.landed_day)
        .bind(identity_lane(&row.key.identity))
        .bind(row.key.side)
        .bind(row.key.identity.0.to_vec())
        .bind(row.key.trace_id.0.to_vec())
        .bind(row.key.span_id.0.to_vec())
        .bind(
            row.twin
                .as_ref()
                .map(|twin| packed::bytes(|out| packed::write_twin(twin, out))),
        )
}

/// A row of `traces`.
pub(super) fn trace(insert: Insert, row: &TraceRow) -> Insert {
    let totals = &row.totals;
    let insert = insert
        .bind(row.start_us)
        .bind(row.end_us)
        .bind(row.first_received_us)
        .bind(row.last_received_us)
        .bind(row.key.project)
        .bind(day_of(row.start_us))
        .bind(row.spans.cast_signed())
        .bind(count(totals.calls))
        .bind(count(totals.errors))
        .bind(row.failed_spans.cast_signed())
        .bind(count(totals.unpriced_calls))
        .bind(count(totals.excluded_calls))
        .bind(row.key.lane())
        .bind(row.kind as i16)
        .bind(row.has_root)
        .bind(row.key.trace_id.0.to_vec())
        .bind(row.top.map(|span| span.0.to_vec()))
        .bind(clean(row.service.clone()))
        .bind(clean(row.label.clone()));
    [
        totals.cost.0,
        totals.excluded_cost.0,
        totals.tokens_in,
        totals.tokens_out,
    ]
    .into_iter()
    .fold(insert, sum)
}

/// A row of `rollup_deltas`.
pub(super) fn delta(insert: Insert, (key, measures): (&PathKey, &Measures)) -> Insert {
    let insert = insert
        .bind(key.project)
        .bind(key.bucket_us)
        .bind(key.path.0.to_vec())
        .bind(key.series.0.to_vec());
    sums(insert, measures)
}

/// A row of `dim_deltas`.
pub(super) fn dim_delta(insert: Insert, (key, measures): (&DimKey, &Measures)) -> Insert {
    let insert = insert
        .bind(key.project)
        .bind(key.day())
        .bind(key.dimension.clone())
        .bind(key.value.clone())
        .bind(key.series.0.to_vec())
        .bind(key.path.0.to_vec())
        .bind(key.hour_us);
    sums(insert, measures)
}

fn sums(insert: Insert, measures: &Measures) -> Insert {
    let insert = measures
        .counts
        .into_iter()
        .fold(insert, |insert, count| insert.bind(count));
    measures.sums.into_iter().fold(insert, sum)
}

pub(super) fn sum(insert: Insert, sum: i128) -> Insert {
    let (hi, lo) = split(sum);
    insert.bind(hi).bind(lo)
}
