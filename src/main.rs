//! The costflame binary.

fn main() {}
