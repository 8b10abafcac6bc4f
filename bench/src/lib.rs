//! Load for costflame: seeded agent traces as pre-serialised OTLP bodies.

pub mod load;
