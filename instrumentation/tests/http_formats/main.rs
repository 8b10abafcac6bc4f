//! Every provider's format, whole and streamed, split wherever bytes can be split: what the span says, and that the
//! caller sees the same bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod harness;
mod laws;
mod openai;
mod requests;
mod unread;
