//! From the bytes of a request to spans.

mod bounds;
mod build;
mod compression;
mod corpus;
mod json;
mod laws;
mod logs;
mod points;
mod random;
mod seen;
mod traces;
