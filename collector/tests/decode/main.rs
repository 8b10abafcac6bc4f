//! From the bytes of a request to spans.

mod build;
mod compression;
mod corpus;
mod json;
mod laws;
mod seen;
mod traces;
