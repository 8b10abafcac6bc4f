//! Load for any OTLP endpoint: seeded agent traces as pre-serialised bodies ([`load`]), sent over several connections at
//! a rate or as fast as they are acknowledged ([`send`]), and what processors spent on it ([`processor`]).

pub mod load;
pub mod processor;
pub mod send;
