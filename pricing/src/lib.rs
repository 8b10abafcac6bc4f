//! What one model call costs. Pure: no I/O, no clock, no async.
//!
//! A call's story, in the order of the modules: what a span reported becomes disjoint token
//! classes ([`usage`], [`normal`]), the catalog finds the price in force ([`catalog`]), and quantity × rate is
//! written down line by line ([`receipt`]) in integer pico-dollars ([`usd`]).

pub mod normal;
pub mod receipt;
pub mod usage;
pub mod usd;

pub use normal::{Normal, normalise};
pub use receipt::{Accounting, CatalogId, Flag, Flags, Line, PriceRow, Receipt, Unpriced};
pub use usage::{Counter, ReportedUsage, TokenClass, Usage};
pub use usd::{Usd, UsdSum};
