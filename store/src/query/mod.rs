//! Read queries: one file per question.
//!
//! Every answer is read from one [`Snapshot`]. Most questions are sums over the calls of a
//! [`Filter`], grouped ([`facts`], from the cheapest [`source`]); lists read calls and traces by the key of their last row.

mod ask;
mod breakdown;
mod by_model;
mod calls;
mod clauses;
mod count;
mod days;
mod facts;
mod filter;
mod flamegraph;
mod live;
pub(crate) mod outbox;
mod paths;
mod pieces;
mod plan;
mod priced;
mod prompts;
mod ranking;
mod receipt;
mod snapshot;
mod source;
mod sql;
mod status;
mod summary;
mod sums;
mod tags;
mod timeseries;
mod trace;
mod traces;
mod values;
mod verdicts;

pub use ask::Value;
pub use breakdown::{Breakdown, breakdown};
pub use by_model::{ByModel, by_model};
pub use calls::{CallId, CallRecord, Why, calls, stand_ins};
pub use count::{TraceCount, count_traces};
pub use days::{DaySums, sums_by_day};
pub use filter::{Clause, Column, Dimension, Filter, OneOf};
pub use flamegraph::{PathSums, path_sums};
pub use live::{Minute, Place, Settled, minutes, place, settled};
pub use paths::{Paths, paths};
pub use priced::{CostDifference, UnpricedModel, cost_differences, unpriced_models};
pub use prompts::{Prompt, PromptKey, Prompts, Repeats, prompts, repeated};
#[doc(hidden)]
pub use prompts::{prompts_grouped, repeated_grouped};
pub use receipt::{CallReceipt, Catalog, receipt};
pub(crate) use snapshot::Row;
pub use snapshot::Snapshot;
pub(crate) use sql::{Arg, Dialect, Sql};
pub use status::{Pending, extent, pending};
pub use summary::{Summary, summary};
pub use sums::Sums;
pub use tags::tag_keys;
pub use timeseries::{Series, Timeseries, timeseries};
pub use trace::{Trace, trace};
pub use traces::{Order, Sort, TraceKey, TraceRecord, traces, traces_of_user};
pub use values::{Values, values};
pub use verdicts::Verdict;
pub(crate) use verdicts::{pending_traces, verdicts};
