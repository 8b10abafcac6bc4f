//! Processor time as Linux counts it, so that a busy machine gives the same figures.

use std::time::Duration;

use anyhow::{Context, Result};

/// What this thread has used so far.
pub(crate) fn of_this_thread() -> Result<Duration> {
    const SCHEDULED: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(SCHEDULED).with_context(|| format!("no {SCHEDULED}"))?;
    let nanoseconds = text.split_whitespace().next().unwrap_or_default();
    let nanoseconds = nanoseconds
        .parse()
        .with_context(|| format!("{SCHEDULED}: {text}"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Seconds that a process, in user and system mode, has used so far; to a hundredth.
pub(crate) fn seconds_of(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("no {path}"))?;
    // The name in brackets may hold anything; the fields behind it are numbers.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |place: usize| -> Result<f64> {
        let field = fields
            .get(place)
            .with_context(|| format!("{path} is short"))?;
        Ok(field.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
