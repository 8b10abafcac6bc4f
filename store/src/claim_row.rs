//! One row of `claims`: what a call claims across traces, ordered for the election.

use costflame_profile::{Claim, Identity, SpanId, TraceId, Twin, pairs};

use crate::{CallKey, TraceKey, call_row::CallRow};

/// Claims by usage end at most this long after their start, so that all that can meet a claim lie
/// within a known stretch of [`ClaimRow::order_key`].
pub(crate) const LONGEST_US: i64 = 3_600_000_000;

/// Identities of one lane are elected by one transaction at a time.
pub(crate) fn identity_lane(identity: &Identity) -> i16 {
    i16::from(identity.0[0] & 63)
}

/// Sides of a listed pair.
pub(crate) const BY_RESPONSE: i16 = 0;
pub(crate) const OUTER: i16 = 1;
pub(crate) const INNER: i16 = 2;

/// A claim with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimRow {
    pub(crate) key: ClaimKey,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) landed_day: i32,
    pub(crate) twin: Option<Twin>,
}

/// The primary key, in its order: by response id the smallest is the winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClaimKey {
    pub(crate) project: i32,
    pub(crate) identity: Identity,
    pub(crate) side: i16,
    pub(crate) order_key: i64,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
}

impl ClaimKey {
    /// The call that claims.
    pub(crate) fn call(&self) -> CallKey {
        CallKey {
            trace: TraceKey {
                project: self.project,
                trace_id: self.trace_id,
            },
            span_id: self.span_id,
        }
    }
}

impl ClaimRow {
    /// The claims of a call whose trace was first received on `landed_day`.
    pub(crate) fn of(call: &CallRow, landed_day: i32) -> impl Iterator<Item = Self> {
        let project = call.key.trace.project;
        call.full_claims()
            .map(move |claim| Self::new(project, landed_day, claim))
    }

    fn new(project: i32, landed_day: i32, claim: Claim) -> Self {
        let (side, order_key, end_us) = match &claim.twin {
            None => (BY_RESPONSE, -i64::from(claim.standing), claim.end_us),
            Some(twin) => {
                let longest = claim.start_us.saturating_add(LONGEST_US);
                (
                    side_of(&twin.scope),
                    claim.start_us,
                    claim.end_us.min(longest),
                )
            }
        };
        Self {
            key: ClaimKey {
                project,
                identity: claim.identity,
                side,
                order_key,
                trace_id: claim.trace_id,
                span_id: claim.span_id,
            },
            start_us: claim.start_us,
            end_us,
            landed_day,
            twin: claim.twin,
        }
    }

    /// The claim as the election reads it.
    pub(crate) fn claim(&self) -> Claim {
        let standing = match self.key.side {
            BY_RESPONSE => u8::try_from(-self.key.order_key).unwrap_or_default(),
            _ => 0,
        };
        Claim {
            identity: self.key.identity,
            trace_id: self.key.trace_id,
            span_id: self.key.span_id,
            start_us: self.start_us,
            end_us: self.end_us,
            standing,
            twin: self.twin.clone(),
        }
    }
}

fn side_of(scope: &str) -> i16 {
    let (outer, inner) = pairs::sides(scope);
    i16::from(outer) * OUTER + i16::from(inner) * INNER
}
