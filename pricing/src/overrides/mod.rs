//! Prices that stand above the catalog: a user's own, and built-in corrections of known gaps.
//!
//! Both are the same TOML: a list of `[[override]]`, the first in force wins.
//!
//! ```toml
//! [[override]]
//! provider = "azure"                        # any spelling; absent = every provider
//! service = "checkout"                      # `service.name`; absent = every service
//! environment = "production"                # deployment environment; absent = every one
//! match = { equals = "my-prod-gpt4o" }      # or starts_with, ends_with, contains, regex, and, or
//! alias_of = "openai/gpt-4o"                # priced as this entry
//! multiplier = 0.85                         # or { input_mtok = 0.5, output_mtok = 0.5 }
//! from = 2026-07-01                         # midnight UTC
//! until = 2027-01-01                        # not this day any more
//!
//! [[override]]
//! match = { equals = "in-house" }
//! context = { service_tier = "flex" }       # only for such requests
//! hours = ["01:00-04:00"]                   # UTC
//! days = ["sat", "sun"]                     # UTC
//! rates = { input_mtok = 0.15, output_mtok = { base = 0.6, tiers = [{ start = 200000, price = 1.2 }] } }
//! source = "https://example.com/prices"
//! ```
//!
//! `rates` replaces the rates that it names and leaves the others of the entry as they are.

mod source;
mod suggestion;

use std::sync::Arc;

pub use suggestion::Suggestion;

use crate::{
    catalog::prices::{DAY_US, Day, PriceKey, Prices, Window},
    matching::Matcher,
};

/// The corrections that [`crate::Catalog::embedded`] applies, as TOML, each with its source.
pub const CORRECTIONS: &str = include_str!("../corrections.toml");

/// Why a list of overrides was refused. Not worth a retry: the text itself is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct OverrideError {
    /// Line in the text, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl OverrideError {
    /// Always false: the same text fails again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

/// A checked list of overrides, cheap to clone.
#[derive(Clone, Debug)]
pub struct Overrides {
    pub(crate) entries: Arc<[Override]>,
    pub(crate) text: Arc<str>,
}

impl Overrides {
    /// Reads overrides from TOML. Numbers are read as decimals, not as floats.
    ///
    /// # Errors
    ///
    /// [`OverrideError`] names the line: no TOML, an unknown key, a value that is none.
    pub fn from_toml(text: &str) -> Result<Self, OverrideError> {
        Ok(Self {
            entries: source::read(text)?.into(),
            text: text.into(),
        })
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// One override.
#[derive(Debug)]
pub(crate) struct Override {
    /// Where it stands in the text, from 1.
    pub(crate) line: usize,
    /// As [`crate::catalog::names::canonical`] writes it.
    pub(crate) provider: Option<Box<str>>,
    pub(crate) matcher: Matcher,
    pub(crate) service: Option<Box<str>>,
    pub(crate) environment: Option<Box<str>>,
    pub(crate) when: Vec<(Box<str>, Box<str>)>,
    pub(crate) from: Option<Day>,
    pub(crate) until: Option<Day>,
    /// Empty = all day.
    pub(crate) hours: Vec<Window>,
    pub(crate) days: Days,
    /// Provider and model id of the catalog.
    pub(crate) alias: Option<(Box<str>, Box<str>)>,
    pub(crate) prices: Prices,
    pub(crate) multiplier: Multiplier,
    pub(crate) source: Option<Box<str>>,
}

impl Override {
    /// True when it is in force at this time; its context is not looked at.
    pub(crate) fn holds(&self, at_us: i64) -> bool {
        self.from.is_none_or(|day| at_us >= day.start_us)
            && self.until.is_none_or(|day| at_us < day.start_us)
            && (self.hours.is_empty() || self.hours.iter().any(|window| window.contains(at_us)))
            && self.days.contains(at_us)
    }
}

impl Override {
    /// True when it is for this service and environment, or for all of them.
    pub(crate) fn concerns(&self, service: Option<&str>, environment: Option<&str>) -> bool {
        let fits = |wanted: &Option<Box<str>>, given: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| given == Some(wanted))
        };
        fits(&self.service, service) && fits(&self.environment, environment)
    }
}

/// A set of weekdays, Monday the lowest bit; none = every day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days(pub(crate) u8);

impl Days {
    fn contains(self, at_us: i64) -> bool {
        // The first of January 1970 was a Thursday.
        let weekday = (at_us.div_euclid(DAY_US) + 3).rem_euclid(7);
        self.0 == 0 || self.0 & (1 << weekday) != 0
    }
}

/// Factors in parts per 10¹².
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Multiplier {
    pub(crate) all: Option<i64>,
    pub(crate) by_key: Vec<(PriceKey, i64)>,
}

impl Multiplier {
    pub(crate) fn factor(&self, key: PriceKey) -> Option<i64> {
        self.by_key
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, factor)| *factor)
            .or(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends() {
        let weekend = Days(0b110_0000);
        let day = |date: i64| date * DAY_US;
        // 1970-01-03 was a Saturday.
        assert!(
            !weekend.contains(day(1))
                && weekend.contains(day(2))
                && weekend.contains(day(3))
                && !weekend.contains(day(4))
        );
        assert!(weekend.contains(-4 * DAY_US) && !weekend.contains(-DAY_US));
        assert!(Days::default().contains(0));
    }

    #[test]
    fn every_correction_has_a_source() {
        let corrections = Overrides::from_toml(CORRECTIONS).unwrap();
        assert!(!corrections.is_empty());
        for entry in corrections.entries.iter() {
            entry.matcher.check().unwrap();
            assert!(
                entry
                    .source
                    .as_deref()
                    .is_some_and(|source| source.starts_with("https://")),
                "line {}",
                entry.line
            );
        }
    }
}
