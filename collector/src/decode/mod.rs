//! Bytes to our own span type, once, at the edge.
//!
//! A request is inflated, turned into protobuf if it is JSON, checked as a whole (`check`) and
//! walked span by span ([`walk_traces`]). Every bound is in [`Limits`], every refusal in [`Outcome`] or [`DecodeError`].

mod check;
mod event;
pub mod limits;
pub mod outcome;
pub mod span;
pub mod traces;
pub mod value;
pub mod wire;

pub use event::event;
pub use limits::Limits;
pub use outcome::{Adjustment, DecodeError, Outcome, Reason};
pub use span::{Attributes, Resource, Scope, Span, Status, Value};
pub use traces::walk_traces;
pub use value::Count;
