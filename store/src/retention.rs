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

/// What [`crate::Store::drop_sealed`] dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Landed rows of sealed traces, or partitions of them on Postgres.
    pub landing: u64,
    /// Claims past the horizon, or partitions of them on Postgres.
    pub claims: u64,
}
