//! The cost tree. Pure: no I/O, no clock, no async.
//!
//! Landed spans of one trace ([`span`]) are put into a canonical order, each call is counted once
//! ([`counting`]) and placed at its call path with what it inherits ([`place`], [`attribution`]):
//! that is [`settle`]. Calls seen in more than one trace claim one [`identity`], and an
//! [`election`] decides. What counts is summed up in a cost [`tree`] that can be merged, pruned,
//! compared and [`export`]ed; [`change`] says why it became dearer.

pub mod attribution;
pub mod change;
pub mod counting;
pub mod election;
pub mod export;
pub mod frame;
pub mod identity;
mod join;
pub mod metrics;
mod nearest;
mod order;
pub mod outline;
pub mod pairs;
pub mod place;
pub mod settle;
pub mod span;
mod told;
pub mod tree;
mod usage_match;

pub use attribution::Attribution;
pub use change::{Cause, ModelSums};
pub use counting::Rule;
pub use election::{Verdict, elect};
pub use frame::{Frame, FrameKind, PathId};
pub use identity::{Claim, Identity, Twin};
pub use metrics::{Compared, Measure, Metric, Metrics};
pub use outline::{OutlineSpan, outline};
pub use place::PathRow;
pub use settle::{Excluded, Settled, SettledCall, TraceSummary, settle};
pub use span::{Call, Role, Signal, Span, SpanId, SpanKind, Step, Text, TraceId};
pub use tree::{Node, Pruned, Tree};
