//! The API over real databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod empty;
mod laws;
mod oracle;
mod support;
mod traffic;
