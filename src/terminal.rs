//! What commands print.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A text that somebody else wrote, in one line: it must not write into the terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// How long ago a time is, microseconds since 1970 UTC, to the second.
pub(crate) fn ago(time_us: i64) -> String {
    let then = UNIX_EPOCH + Duration::from_micros(u64::try_from(time_us).unwrap_or_default());
    let age = SystemTime::now().duration_since(then).unwrap_or_default();
    format!(
        "{} ago",
        humantime::format_duration(Duration::from_secs(age.as_secs()))
    )
}
