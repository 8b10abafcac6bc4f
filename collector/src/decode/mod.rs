//! Bytes to our own span type, once, at the edge.

pub mod span;

pub use span::{Attributes, Resource, Scope, Span, Status, Value};
