//! The collector's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 UTC.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Goes on evenly whatever is done to the system's clock. Microseconds since 1970 UTC by that clock when this one was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    start: Instant,
    start_us: i64,
}

impl Steady {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            start_us: now_us(),
        }
    }

    pub(crate) fn now_us(&self) -> i64 {
        let since = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.start_us.saturating_add(since)
    }

    /// A time by the system's clock, which says `system_us` now, by this one. What seems to be still to come was written
    /// before that clock was set back, or by a clock that is ahead: it is taken for now.
    pub(crate) fn time_of(&self, time_us: i64, system_us: i64) -> i64 {
        let age_us = system_us.saturating_sub(time_us).max(0);
        self.now_us().saturating_sub(age_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_kept_and_the_future_is_now() {
        let steady = Steady::start();
        let before_us = steady.now_us();
        let hour_us = 3_600_000_000;
        assert!(steady.time_of(7, 7 + hour_us) >= before_us - hour_us);
        assert!(steady.time_of(7, 7 + hour_us) <= steady.now_us() - hour_us);
        assert!(steady.time_of(before_us + hour_us, before_us) >= before_us);
        assert!(steady.time_of(before_us + hour_us, before_us) <= steady.now_us());
    }
}
