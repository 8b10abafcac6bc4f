//! Landed spans to settled traces: which trace is due ([`schedule`]), the task that settles it ([`settler`]),
//! and what it counts ([`metrics`]).

pub mod metrics;
pub mod schedule;
pub mod settler;
pub(crate) mod spend;

pub use metrics::SettleMetrics;
pub use schedule::SettleTimes;
pub use settler::{SettleConfig, Settler};
pub use spend::Spend;
