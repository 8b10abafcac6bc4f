//! Bytes to our own span type, once, at the edge.
//!
//! A request is inflated ([`inflate`]), turned into protobuf if it is JSON ([`json_to_protobuf`]), checked as a whole and
//! walked span by span ([`walk_traces`]) or log record by log record ([`walk_logs`]), counters of metrics
//! scope by scope ([`walk_points`]). Every bound is in [`Limits`],
//! every refusal in [`Outcome`] or [`DecodeError`].

mod check;
pub mod compression;
mod envelope;
mod event;
mod json;
pub mod limits;
pub mod logs;
pub mod outcome;
pub mod points;
mod records;
mod schema;
pub mod span;
pub mod traces;
pub mod value;
pub mod wire;

pub use compression::{Encoding, InflateError, inflate};
pub use event::event;
pub use json::{json_to_protobuf, protobuf_to_json};
pub use limits::Limits;
pub use logs::walk_logs;
pub use outcome::{Adjustment, DecodeError, Outcome, Reason};
pub use points::walk_points;
pub use records::count_records;
pub use span::{Attributes, LogRecord, Point, Resource, Scope, Span, Status, Value};
pub use traces::walk_traces;
pub use value::Count;
