//! What takes an hour, or another version of the program: part of `cargo xtask soak` alone.

#![expect(
    clippy::print_stdout,
    reason = "what takes long should be seen to go on"
)]

#[path = "../support/mod.rs"]
mod support;

mod endurance;
mod upgrade;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}
