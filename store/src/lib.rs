//! The database: schema, migrations, writes, queries. SQLite embedded, Postgres for real.
//!
//! A span lands as a row ([`rows`]) in one transaction with a mark on its trace ([`Store::commit`]).
//! When the trace is due, its marks are settled into calls, claims, traces and signed differences of
//! the rollups, which are folded later. [`Store`] carries the contract of all of it; `sqlite` and
//! `postgres` are its two implementations, which only differ in how they execute statements.

mod error;
mod guard;
mod halves;
mod landing;
mod packed;
mod postgres;
mod rows;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{OLDEST_POSTGRES, StoreError};
pub use rows::{CatalogRow, LANES, LandingRow, Mark, MarkId, OutboxRow, TraceKey, lane};
pub use store::{Options, Store};
