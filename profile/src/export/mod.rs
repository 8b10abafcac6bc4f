//! The cost tree in the formats of other tools.

pub mod folded;
