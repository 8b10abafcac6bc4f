//! Processor time as Linux counts it, so that a busy machine gives the same figures.

use std::time::Duration;

use anyhow::{Context, Result};

/// What this thread has used so far.
///
/// # Errors
/// Where the system does not tell.
pub fn of_this_thread() -> Result<Duration> {
    const SCHEDULED: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(SCHEDULED).with_context(|| format!("no {SCHEDULED}"))?;
    let nanoseconds = text.split_whitespace().next().unwrap_or_default();
    let nanoseconds = nanoseconds
        .parse()
        .with_context(|| format!("{SCHEDULED}: {text}"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Seconds that a process, in user and system mode, has used so far; to a hundredth.
///
/// # Errors
/// When there is no such process.
pub fn seconds_of(process: u32) -> Result<f64> {
    Ok(Stat::of(process)?.own)
}

/// The same with all its children, also those that have ended: a server that has a process per connection.
///
/// # Errors
/// When there is no such process.
pub fn seconds_of_family(process: u32) -> Result<f64> {
    let parent = Stat::of(process)?;
    let children = std::fs::read_dir("/proc")?.flatten().filter_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = Stat::of(child).ok()?;
        (stat.parent == process).then_some(stat.own)
    });
    Ok(parent.own + parent.ended + children.sum::<f64>())
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    parent: u32,
    /// Seconds of processor time.
    own: f64,
    /// Those of its children that have ended.
    ended: f64,
}

impl Stat {
    fn of(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/stat");
        let stat = std::fs::read_to_string(&path).with_context(|| format!("no {path}"))?;
        // The name in brackets may hold anything; the fields behind it are numbers.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let field = |place: usize| -> Result<f64> {
            let field = fields
                .get(place)
                .with_context(|| format!("{path} is short"))?;
            Ok(field.parse()?)
        };
        let parent = fields
            .get(1)
            .with_context(|| format!("{path} is short"))?
            .parse()?;
        Ok(Self {
            parent,
            own: (field(11)? + field(12)?) / 100.0,
            ended: (field(13)? + field(14)?) / 100.0,
        })
    }
}
