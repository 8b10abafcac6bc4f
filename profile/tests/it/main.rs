//! The laws of the cost tree.

mod attribution;
mod common;
mod counting;
mod election;
mod forest;
mod join;
mod properties;
mod sums;
mod told;
mod tree;
