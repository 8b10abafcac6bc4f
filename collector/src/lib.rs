//! OTLP in, recognise, price, commit, acknowledge; settle; OTLP out.

pub mod decode;
pub mod dialect;
