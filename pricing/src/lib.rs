//! What one model call costs. Pure: no I/O, no clock, no async.
//!
//! A call's story, in the order of the modules: what a span reported becomes disjoint token
//! classes ([`usage`], [`normal`]), the catalog finds the price in force ([`catalog`], by the rules
//! of [`matching`], changed by [`overrides`], prices as exact decimals of [`rate`]), and quantity × rate ([`price`]) is written
//! down line by line ([`receipt`]) in integer pico-dollars ([`usd`]).
//!
//! ```
//! use costflame_pricing::{Accounting, Catalog, PriceRequest, ReportedUsage, normalise};
//!
//! let reported = ReportedUsage { input: Some(1_234), output: Some(567), ..ReportedUsage::default() };
//! let normal = normalise(&reported, Accounting::Spec, Some("openai"));
//! let request = PriceRequest { provider: Some("openai"), response_model: Some("gpt-4o"), ..PriceRequest::default() };
//! let receipt = Catalog::embedded().price(&request, normal.as_ref());
//! assert_eq!(receipt.cost.map(|cost| cost.to_string()).as_deref(), Some("0.008755"));
//! ```

mod card;
pub mod catalog;
pub mod matching;
pub mod normal;
pub mod overrides;
pub mod price;
mod quote;
pub mod rate;
pub mod receipt;
pub mod usage;
pub mod usd;

pub use card::{RateCard, UnitRate};
pub use catalog::{Catalog, CatalogError, provider_of_model};
pub use normal::{Normal, normalise};
pub use overrides::{OverrideError, Overrides};
pub use price::{CountedCost, PriceRequest};
pub use receipt::{
    Accounting, Asked, CatalogId, Flag, Flags, Line, PriceRow, Receipt, Unit, UnpackError, Unpriced,
};
pub use usage::{Counter, ReportedUsage, TokenClass, Usage};
pub use usd::{Usd, UsdSum};
