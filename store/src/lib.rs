//! The database: schema, migrations, writes, queries. SQLite embedded, Postgres for real.
//!
//! A span lands as a row ([`rows`]) in one transaction with a mark on its trace ([`Store::commit`]).
//! When the trace is due, its marks are settled into calls, claims, traces and signed differences of
//! the rollups, which are folded later. What is to be passed on lands beside it (`outbox`). [`Store`] carries the contract of all of it; `sqlite` and
//! `postgres` are its two implementations, which only differ in how they execute statements.

mod access;
mod accounts;
mod added;
mod audit;
mod call_columns;
mod call_row;
mod change;
mod claim_columns;
mod claim_row;
mod classes;
mod clean;
mod clock;
mod correction;
mod delta;
#[cfg(feature = "testing")]
mod dump;
mod election;
mod erase;
mod error;
mod forget;
mod guard;
mod halves;
mod landing;
mod leases;
mod measures;
mod outbox;
mod outcome;
mod packed;
mod plan;
mod postgres;
pub mod query;
mod reprice;
mod retention;
mod rows;
mod saved_views;
mod seen;
mod series;
mod session;
mod settle;
mod snapshot;
mod sqlite;
mod status;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod trace_row;
mod verify;

pub use access::{ApiKey, DEFAULT_PROJECT, KeyScope, Project};
pub use accounts::{Method, Role, Session, User};
pub use audit::{Act, AuditLine, DONE, NOTHING};
pub use call_row::{CallKey, CallRow, DAY_US, Instead, UNSAMPLED, day_of, unseen_cost};
pub use classes::ClassSet;
pub use delta::TIERS;
pub use error::{OLDEST_POSTGRES, StoreError};
pub use forget::Forgotten;
pub use measures::{COUNTS, Measures, SUMS};
pub use outbox::{Delivery, Finish, Letter, Level, OutboxRow, Request, Selection, Trimmed};
pub use plan::Due;
pub use reprice::{ModelTotals, Repricing, RepricingState, Totals};
pub use retention::{Dropped, FEWEST_CALL_DAYS};
pub use rows::{
    CatalogRow, LANES, LandingRow, Mark, MarkId, MarkPage, PriceKind, PriceSourceRow, Sent,
    TraceKey, lane,
};
pub use saved_views::{MOST_VIEWS, SavedView};
pub use series::{SeriesId, SeriesRow};
pub use settle::{Lease, SettleReport};
pub use status::Status;
pub use store::{Options, Store};
pub use trace_row::{TraceRow, TraceTotals};
pub use verify::{Difference, Verified};

/// Tables with rows of projects.
#[cfg(feature = "testing")]
pub const PROJECT_TABLES: &[&str] = &erase::TABLES;
