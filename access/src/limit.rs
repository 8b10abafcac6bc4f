//! How often somebody may do something.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// So many at once, and as many again each minute, for each key.
///
/// Keys share 65,536 places by a hash that nobody outside can foresee, so memory is bounded however many keys come; two that share a
/// place share its limit.
#[derive(Debug)]
pub struct Limit {
    places: DefaultKeyedRateLimiter<u16>,
    clock: DefaultClock,
    hasher: RandomState,
}

impl Limit {
    /// A limit of so many a minute.
    #[must_use]
    pub fn per_minute(number: NonZeroU32) -> Self {
        Self {
            places: RateLimiter::keyed(Quota::per_minute(number)),
            clock: DefaultClock::default(),
            hasher: RandomState::new(),
        }
    }

    /// Takes one of what `key` may do.
    ///
    /// # Errors
    /// After how long it may do so again.
    pub fn take(&self, key: impl Hash) -> Result<(), Duration> {
        let hash = self.hasher.hash_one(key);
        // A few bits of it are the place.
        let refused = self.places.check_key(&(hash as u16)).err();
        match refused {
            Some(not_until) => Err(not_until.wait_time_from(self.clock.now())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_limit_of_their_own() {
        let limit = Limit::per_minute(NonZeroU32::new(3).expect("three"));
        for _ in 0..3 {
            assert_eq!(limit.take("alice"), Ok(()));
        }
        let wait = limit.take("alice").expect_err("the fourth");
        assert!(
            wait > Duration::ZERO && wait <= Duration::from_secs(20),
            "{wait:?}"
        );
        // One of these may share the place of alice, not all of them.
        assert!(
            ["bob", "carol", "dave"]
                .iter()
                .any(|name| limit.take(name).is_ok())
        );
    }

    #[test]
    fn memory_is_bounded() {
        let limit = Limit::per_minute(NonZeroU32::MIN);
        for key in 0..200_000 {
            let _ = limit.take(key);
        }
        assert!(limit.places.len() <= 1 << 16);
    }
}
