//! How long to wait after a failure: exponentially longer, never twice the same, and never less than the destination asks for.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that we choose.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after `failures` in a row (at least 1), between half and all of an exponentially growing time, which ends at
/// 30 s. `told` is the least a destination asks for; a tenth of it is spread, so that not everybody comes back at once.
/// `random` is 0 to 1.
pub(crate) fn pause(failures: u32, told: Option<Duration>, random: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let own = doubled.min(LONGEST).mul_f64(0.5 + 0.5 * random);
    let told = told.map(|told| told.mul_f64(1.0 + 0.1 * random));
    own.max(told.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_are_spread() {
        let milliseconds = |failures, random| pause(failures, None, random).as_millis();
        assert_eq!(
            [1, 2, 3, 4].map(|failures| milliseconds(failures, 1.0)),
            [1_000, 2_000, 4_000, 8_000]
        );
        assert_eq!(
            [1, 2, 3, 4].map(|failures| milliseconds(failures, 0.0)),
            [500, 1_000, 2_000, 4_000]
        );
        assert_eq!(
            [6, 100, u32::MAX].map(|failures| milliseconds(failures, 1.0)),
            [30_000; 3]
        );
    }

    #[test]
    fn nobody_comes_back_before_the_time_they_were_told() {
        let told = Some(Duration::from_secs(120));
        assert_eq!(pause(1, told, 0.0), Duration::from_secs(120));
        assert_eq!(pause(1, told, 1.0), Duration::from_secs(132));
        assert_eq!(
            pause(6, Some(Duration::from_secs(1)), 1.0),
            Duration::from_secs(30)
        );
    }
}
