//! What is added up at every node of a cost tree.

use costflame_pricing::{TokenClass, UsdSum};

use crate::{Call, Span};

/// What the width of a frame shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Pico-dollars.
    #[default]
    Cost,
    /// Tokens of all classes.
    Tokens,
    /// Calls.
    Calls,
    /// Microseconds spent in calls.
    Duration,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 4] = [Self::Cost, Self::Tokens, Self::Calls, Self::Duration];

    /// The name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Tokens => "tokens",
            Self::Calls => "calls",
            Self::Duration => "duration",
        }
    }

    /// The unit of its values.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Cost => "picousd",
            Self::Tokens => "tokens",
            Self::Calls => "calls",
            Self::Duration => "microseconds",
        }
    }
}

/// Something that can be summed up a tree: adding is commutative and associative, the default is its zero.
pub trait Measure: Clone + Default {
    /// Adds another.
    fn add(&mut self, other: &Self);

    /// Value of a metric, in [`Metric::unit`].
    fn value(&self, metric: Metric) -> i128;

    /// Size by a metric, never negative, for choosing what to keep.
    fn weight(&self, metric: Metric) -> u128 {
        self.value(metric).unsigned_abs()
    }
}

/// Sums over the calls that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Cost of the priced calls.
    pub cost: UsdSum,
    /// Tokens by [`TokenClass`]; saturate.
    pub tokens: [u64; TokenClass::ALL.len()],
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Calls without a known cost.
    pub unpriced: u64,
    /// Microseconds from start to end, added up over calls.
    pub duration_us: u64,
}

impl Metrics {
    /// One call and the span that gives its times and status.
    #[must_use]
    pub fn of(span: &Span, call: &Call) -> Self {
        Self {
            cost: call.cost.unwrap_or_default().into(),
            tokens: call.usage.tokens,
            calls: 1,
            errors: u64::from(span.error),
            unpriced: u64::from(call.cost.is_none()),
            duration_us: span
                .end_us
                .saturating_sub(span.start_us)
                .try_into()
                .unwrap_or(0),
        }
    }
}

impl Measure for Metrics {
    fn add(&mut self, other: &Self) {
        self.cost += other.cost;
        for (mine, theirs) in self.tokens.iter_mut().zip(other.tokens) {
            *mine = mine.saturating_add(theirs);
        }
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.unpriced = self.unpriced.saturating_add(other.unpriced);
        self.duration_us = self.duration_us.saturating_add(other.duration_us);
    }

    fn value(&self, metric: Metric) -> i128 {
        match metric {
            Metric::Cost => self.cost.0,
            Metric::Tokens => self.tokens.iter().map(|n| i128::from(*n)).sum(),
            Metric::Calls => self.calls.into(),
            Metric::Duration => self.duration_us.into(),
        }
    }
}

/// The same frame in two selections of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// In the selection looked at.
    pub now: Metrics,
    /// In the one it is compared with.
    pub base: Metrics,
}

impl Measure for Compared {
    fn add(&mut self, other: &Self) {
        self.now.add(&other.now);
        self.base.add(&other.base);
    }

    fn value(&self, metric: Metric) -> i128 {
        self.now.value(metric)
    }

    fn weight(&self, metric: Metric) -> u128 {
        self.now
            .weight(metric)
            .saturating_add(self.base.weight(metric))
    }
}
