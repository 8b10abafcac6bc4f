//! OTLP in, recognise, price, commit, acknowledge; settle; OTLP out.
//!
//! A request's way: a port takes it ([`listen`]), [`receive`] reads it within bounds and answers it, [`decode`] walks its spans,
//! a [`dialect`] recognises and prices each, and [`commit`] makes them durable, many requests in
//! one transaction. The answer goes out after COMMIT, never before. Traces that have gone quiet are
//! then put together ([`settle`]), and what was received goes on to other backends ([`forward`]). [`service`] puts the parts together, [`health`] and [`metrics`]
//! show how they are.

pub mod commit;
pub mod decode;
pub mod dialect;
pub mod forward;
pub mod health;
pub mod listen;
pub mod metrics;
mod pem;
pub mod receive;
pub mod service;
pub mod settle;
pub mod size;
mod time;

pub use pem::TlsError;
pub use receive::{CommitConfig, ReceiverConfig};
pub use service::{Collector, Listeners};
