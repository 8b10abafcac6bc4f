//! From any bytes to receipts: never a panic, and every receipt obeys the laws.
//!
//! Inputs are recorded bodies of real libraries, damaged byte by byte, and requests in which values and keys of those bodies
//! are exchanged for others. They depend on a seed and a number alone, so a failure names the input that shows it again:
//! `FUZZ_FIRST=4711 FUZZ_INPUTS=1`. `FUZZ_INPUTS` is their number, a million in `cargo xtask soak`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod laws;
mod mutate;
mod seeds;

use costflame_collector::{
    decode::{Limits, json_to_protobuf, walk_logs, walk_traces},
    dialect::Lander,
};
use costflame_pricing::{Catalog, CountedCost};
use costflame_profile::Signal;

use mutate::Random;
use seeds::Seeds;

/// Inputs of a run that somebody waits for.
const INPUTS: u64 = 3_000;

/// 2026-11-22, microseconds since 1970 UTC.
const NOW_US: i64 = 1_795_300_000_000_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn bytes_become_lawful_receipts_or_an_error() {
    let seeds = Seeds::read();
    let (first, inputs) = (number("FUZZ_FIRST", 0), number("FUZZ_INPUTS", INPUTS));
    let catalogs = [
        Catalog::embedded().counting(CountedCost::Computed),
        Catalog::embedded().counting(CountedCost::Reported),
    ];
    let mut receipts = 0;
    for input in first..first + inputs {
        let outcome = std::panic::catch_unwind(|| run(&seeds, &catalogs, input));
        receipts += outcome.unwrap_or_else(|_| panic!("input {input} shows it again"));
    }
    // A generator that makes nothing but garbage would find nothing.
    assert!(
        inputs < INPUTS || receipts > inputs / 2,
        "{receipts} receipts of {inputs} inputs"
    );
}

/// One input; how many receipts it made.
fn run(seeds: &Seeds, catalogs: &[Catalog; 2], input: u64) -> u64 {
    let mut random = Random::new(input);
    let (signal, bytes) = seeds.input(&mut random);
    let catalog = &catalogs[random.below(2)];
    let limits = Limits::default();
    let bytes = if random.one_in(16) {
        match json_to_protobuf(signal, &seeds.json(&mut random), &limits) {
            Ok(bytes) => bytes,
            Err(_) => bytes,
        }
    } else {
        bytes
    };
    let mut receipts = 0;
    let mut lander = Lander::new(catalog);
    let mut again = Lander::new(catalog);
    match signal {
        Signal::Log => {
            let _ = walk_logs(&bytes, &limits, |resource, scope, record| {
                let row = lander.land_log(resource, scope, record, 1, NOW_US);
                assert_eq!(row, again.land_log(resource, scope, record, 1, NOW_US));
                receipts += row.map_or(0, |row| laws::check(&row, catalog));
            });
        }
        _ => {
            let _ = walk_traces(&bytes, &limits, |resource, scope, span| {
                let row = lander.land(resource, scope, span, 1, NOW_US);
                assert_eq!(row, again.land(resource, scope, span, 1, NOW_US));
                receipts += laws::check(&row, catalog);
            });
        }
    }
    receipts
}
