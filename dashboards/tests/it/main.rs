//! The API over real databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod empty;
mod errors;
mod exports;
mod golden;
mod laws;
mod lists;
mod live;
mod oracle;
mod pages;
mod prompts;
mod support;
mod traffic;
