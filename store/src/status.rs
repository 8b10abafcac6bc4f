//! How the database is doing.

use costflame_pricing::UsdSum;

/// What waits, and who works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Traces with spans that are not settled yet.
    pub pending_traces: u64,
    /// Calls and aggregates among those spans.
    pub pending_calls: u64,
    /// At most this much cost is added when they settle.
    pub pending_cost: UsdSum,
    /// When the oldest of those spans was received, microseconds since 1970 UTC.
    pub oldest_pending_us: Option<i64>,
    /// Differences not yet folded into rollups.
    pub unfolded: u64,
    /// Deliveries waiting in the outbox; a request has one per destination.
    pub outbox: u64,
    /// Collectors that hold lanes, with how many.
    pub owners: Vec<(String, u64)>,
    /// Bytes on disk.
    pub bytes: u64,
}
