//! What goes into the database and what comes out of it before settling.

use costflame_pricing::{CatalogId, Receipt, UsdSum};
use costflame_profile::{Span, TraceId};
use xxhash_rust::xxh3::xxh3_64;

/// Number of lanes.
pub const LANES: i16 = 64;

/// The unit of ownership a trace belongs to: 0 to 63.
#[must_use]
pub fn lane(trace: &TraceId) -> i16 {
    (xxh3_64(&trace.0) & 63) as i16
}

/// One span as received, recognised and priced. Content is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingRow {
    /// The project; 1 until projects exist.
    pub project: i32,
    /// When it was received, microseconds since 1970 UTC, by the collector's clock.
    pub received_us: i64,
    /// The span.
    pub span: Span,
    /// Set for calls and aggregates.
    pub receipt: Option<Receipt>,
    /// Fingerprints of what a call sent.
    pub sent: Sent,
}

/// Fingerprints of what a call sent, as far as it was on the wire. They tell whether two calls sent the same, not what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Of everything: system prompt, messages, tools.
    pub request: Option<i64>,
    /// Of the system prompt alone.
    pub system: Option<i64>,
}

impl LandingRow {
    /// The trace it belongs to.
    #[must_use]
    pub fn trace(&self) -> TraceKey {
        TraceKey {
            project: self.project,
            trace_id: self.span.trace_id,
        }
    }
}

impl AsRef<Span> for LandingRow {
    fn as_ref(&self) -> &Span {
        &self.span
    }
}

/// A trace of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceKey {
    /// The project.
    pub project: i32,
    /// The trace.
    pub trace_id: TraceId,
}

impl TraceKey {
    /// The lane of the trace.
    #[must_use]
    pub fn lane(&self) -> i16 {
        lane(&self.trace_id)
    }
}

/// A place in the order of marks. Reading on from it skips no mark that was committed late; some
/// marks may be read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkId {
    pub(crate) tx: i64,
    pub(crate) id: i64,
}

impl MarkId {
    /// A place that a test makes up; real ones come from [`crate::Store::marks_after`].
    #[cfg(feature = "testing")]
    #[must_use]
    pub const fn new(tx: i64, id: i64) -> Self {
        Self { tx, id }
    }
}

/// One commit touched one trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its identity.
    pub id: MarkId,
    /// The trace.
    pub trace: TraceKey,
    /// The latest receive time among the spans of this mark, microseconds since 1970 UTC.
    pub received_us: i64,
    /// Spans landed with it.
    pub spans: u32,
    /// Calls and aggregates among them: at most so many count.
    pub calls: u32,
    /// Their cost: at most this is added when the trace settles.
    pub cost: UsdSum,
    /// The trace's root is among them. A span is sent when it has ended.
    pub root_ended: bool,
}

/// Some marks in order, and where to read on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkPage {
    /// The marks.
    pub marks: Vec<Mark>,
    /// Reading on from here misses nothing. It may be before some of `marks`, whose transactions
    /// overlapped with others that had not committed; those marks come again.
    pub next: MarkId,
}

/// A price snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogRow {
    /// First 8 bytes of `sha256`.
    pub id: CatalogId,
    /// Where it is from.
    pub source: String,
    /// Of the source text.
    pub sha256: [u8; 32],
    /// When it was fetched, microseconds since 1970 UTC.
    pub fetched_us: i64,
    /// The source text, compressed with zstd.
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_the_same_high_or_low_bytes_spread_over_all_lanes() {
        for fixed in [0..12, 4..16] {
            let mut used = [false; LANES as usize];
            for number in 0..2000_u32 {
                let mut id = [0xab; 16];
                let free = if fixed.start == 0 { 12..16 } else { 0..4 };
                id[free].copy_from_slice(&number.to_be_bytes());
                used[lane(&TraceId(id)) as usize] = true;
            }
            assert!(used.iter().all(|used| *used));
        }
    }
}

/// Which list of prices a source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceKind {
    /// The catalog that is asked first, in the format of genai-prices.
    Catalog = 0,
    /// The map of LiteLLM, for models that the catalog does not know.
    Second = 1,
}

/// Prices as they were fetched. Of each kind the newest is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceSourceRow {
    /// What it is.
    pub kind: PriceKind,
    /// When it was fetched, microseconds since 1970 UTC.
    pub fetched_us: i64,
    /// The file or URL.
    pub source: String,
    /// Of the text.
    pub sha256: [u8; 32],
    /// The text, compressed with zstd; empty = the built-in catalog again, or no second source.
    pub body: Vec<u8>,
}
