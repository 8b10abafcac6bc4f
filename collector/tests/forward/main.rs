//! A receiver, a real database and real servers to forward to: what arrives, when, and what becomes of the rest.

#![allow(clippy::unwrap_used)] // a test fails by panicking
#![allow(unreachable_pub)] // a test program

mod backend;
#[path = "../common/mod.rs"]
mod common;
mod cost;
mod pipeline;
mod spend;
mod tls;
mod trouble;
mod wire;
