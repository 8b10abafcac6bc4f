//! The cost tree. Pure: no I/O, no clock, no async.
//!
//! Spans of one trace ([`span`]) are settled into calls at call paths; everything else here adds
//! up, prunes, compares and exports the trees that follow.

pub mod attribution;
pub mod frame;
pub mod span;

pub use attribution::Attribution;
pub use frame::{Frame, FrameKind, PathId};
pub use span::{Call, Role, Signal, Span, SpanId, SpanKind, Text, TraceId};
