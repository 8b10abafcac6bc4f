//! How long what settling needs is kept.

/// Width of a landing partition, microseconds.
pub(crate) const LANDING_WIDTH_US: i64 = 6 * 3_600_000_000;

/// Days of first receive in one partition of claims.
pub(crate) const CLAIM_DAYS: i64 = 4;

/// Claims are kept at least this many days: the horizon of seven, and one for clocks.
pub(crate) const CLAIMS_KEPT_DAYS: i64 = 8;

/// Name in `meta`: landed rows received before this time have been dropped.
pub(crate) const LANDING_DROPPED_BEFORE: &str = "landing_dropped_before_us";

/// Name in `meta`: claims of traces first received before this UTC day have been dropped.
pub(crate) const CLAIMS_DROPPED_BEFORE: &str = "claims_dropped_before_day";

/// Time for commits under way when the end of a trace's horizon is computed, microseconds.
pub(crate) const SLACK_US: i64 = 3_600_000_000;

/// Until when landed rows may go. A trace whose first span was received before that is sealed, and
/// no mark of a span received within its horizon is left.
pub(crate) fn droppable_before(now_us: i64, oldest_mark_us: Option<i64>, horizon_us: i64) -> i64 {
    let settled_us = oldest_mark_us.map_or(now_us, |mark| mark.min(now_us));
    settled_us
        .saturating_sub(horizon_us)
        .saturating_sub(SLACK_US)
}

/// Name in `meta`: calls that start before this UTC day have been dropped; their rollups are sealed.
pub(crate) const CALLS_DROPPED_BEFORE: &str = "calls_dropped_before_day";

/// Fewest days that calls can be kept: longer than traces change and claims are elected.
pub const FEWEST_CALL_DAYS: u32 = 14;

/// How long rows are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// After the first span of a trace it changes no more, microseconds.
    pub(crate) horizon_us: i64,
    /// Landed spans, at least the horizon, microseconds.
    pub(crate) landing_us: i64,
    /// Calls, days after their start; `None` = for ever.
    pub(crate) call_days: Option<i64>,
}

/// What has been dropped so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DroppedBefore {
    /// Landed rows received before this time.
    pub(crate) landing_us: i64,
    /// Claims of traces first received before this UTC day.
    pub(crate) claims_day: i32,
    /// Calls that start before this UTC day.
    pub(crate) calls_day: i32,
}

impl DroppedBefore {
    /// From the rows of `meta`.
    pub(crate) fn of(meta: &[(String, i64)]) -> Self {
        let value = |name: &str| {
            meta.iter()
                .find(|(known, _)| known == name)
                .map(|row| row.1)
        };
        let day =
            |name: &str| value(name).map_or(i32::MIN, |day| i32::try_from(day).unwrap_or(i32::MAX));
        Self {
            landing_us: value(LANDING_DROPPED_BEFORE).unwrap_or(i64::MIN),
            claims_day: day(CLAIMS_DROPPED_BEFORE),
            calls_day: day(CALLS_DROPPED_BEFORE),
        }
    }

    /// Of the days from the first to the last those whose calls are still there.
    pub(crate) fn kept(&self, (first, last): (i32, i32)) -> (i32, i32) {
        (first.max(self.calls_day), last)
    }
}

/// What [`crate::Store::drop_sealed`] dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Landed rows of sealed traces, or partitions of them on Postgres.
    pub landing: u64,
    /// Claims past the horizon, or partitions of them on Postgres.
    pub claims: u64,
    /// Calls past their retention, or partitions of them on Postgres.
    pub calls: u64,
}
