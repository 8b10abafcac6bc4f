//! Every operation's span and metrics, attribute by attribute, against tables taken from the conventions' pages, in every
//! generation of names.

#[path = "../support/mod.rs"]
mod support;

mod metrics;
mod operations;
mod pages;
mod spans;
