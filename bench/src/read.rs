//! What one core decodes, recognises and prices, without a socket or a database.

use std::time::Duration;

use anyhow::Result;

use costflame_bench::{
    load::{Body, CALLS_PER_TRACE, SPANS_PER_TRACE},
    processor,
};
use costflame_collector::{
    decode::{Limits, walk_traces},
    dialect::land::Lander,
};
use costflame_pricing::Catalog;

use crate::figures::Figures;

/// Reads the same request again and again for `time` of the processor.
pub(crate) fn measure(figures: &mut Figures, time: Duration) -> Result<()> {
    let body = Body::new(1, 100, 1_795_388_725_000_000_000).stamped(1);
    let (catalog, limits) = (Catalog::embedded(), Limits::default());
    let (mut spans, mut used, start) = (0u64, Duration::ZERO, processor::of_this_thread()?);
    while used < time {
        let mut lander = Lander::new(&catalog);
        let mut rows = Vec::new();
        let walked = walk_traces(&body, &limits, |resource, scope, span| {
            rows.push(lander.land(resource, scope, span, 1, 1_795_388_725_000_000));
        });
        assert!(walked.is_ok(), "the benchmark's own body is whole");
        spans += rows.len() as u64;
        std::hint::black_box(rows);
        used = processor::of_this_thread()? - start;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = spans as f64 / used.as_secs_f64();
    figures.add("decode, recognise, price (one core)", "spans_per_s", rate);
    #[expect(clippy::cast_precision_loss, reason = "small constants")]
    let share = CALLS_PER_TRACE as f64 / SPANS_PER_TRACE as f64;
    figures.add(
        "decode, recognise, price (one core)",
        "of_them_calls_per_s",
        rate * share,
    );
    Ok(())
}
