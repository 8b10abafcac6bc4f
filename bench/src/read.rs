//! What one core decodes, recognises and prices, without a socket or a database.
//!
//! The clock is the thread's own processor time, so that a busy machine gives the same figures.

use std::time::Duration;

use anyhow::{Context, Result};

use costflame_bench::load::{Body, CALLS_PER_TRACE, SPANS_PER_TRACE};
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
    let (mut spans, mut used, start) = (0u64, Duration::ZERO, processor_time()?);
    while used < time {
        let mut lander = Lander::new(&catalog);
        let mut rows = Vec::new();
        let walked = walk_traces(&body, &limits, |resource, scope, span| {
            rows.push(lander.land(resource, scope, span, 1, 1_795_388_725_000_000));
        });
        assert!(walked.is_ok(), "the benchmark's own body is whole");
        spans += rows.len() as u64;
        std::hint::black_box(rows);
        used = processor_time()? - start;
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

/// What this thread has used of the processor so far.
fn processor_time() -> Result<Duration> {
    const SCHEDULED: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(SCHEDULED).with_context(|| format!("no {SCHEDULED}"))?;
    let nanoseconds = text.split_whitespace().next().unwrap_or_default();
    let nanoseconds = nanoseconds
        .parse()
        .with_context(|| format!("{SCHEDULED}: {text}"))?;
    Ok(Duration::from_nanos(nanoseconds))
}
