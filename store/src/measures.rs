//! The sums that rollups hold, and what one call adds to them.

use costflame_pricing::{TokenClass, receipt::Unit};

use crate::{CallRow, call_row::UNSAMPLED};

/// Sums that count calls; 64 bits are enough for any number of calls.
pub const COUNTS: [&str; 4] = ["calls", "errors", "unpriced_calls", "excluded_calls"];

/// Sums of amounts, tokens and microseconds, in the order of [`Measures::sums`]. Postgres holds each as
/// numeric, SQLite as two integers, `{name}_hi` and `{name}_lo`: hi × 2³² + lo.
pub const SUMS: [&str; 31] = [
    "unpriced_tokens",
    "excluded_cost",
    "duration_us",
    "cost",
    "cost_other",
    "tokens_input",
    "tokens_cache_read",
    "tokens_cache_write",
    "tokens_cache_write_1h",
    "tokens_audio_in",
    "tokens_cache_read_audio",
    "tokens_image_in",
    "tokens_video_in",
    "tokens_output",
    "tokens_reasoning",
    "tokens_audio_out",
    "tokens_image_out",
    "cost_input",
    "cost_cache_read",
    "cost_cache_write",
    "cost_cache_write_1h",
    "cost_audio_in",
    "cost_cache_read_audio",
    "cost_image_in",
    "cost_video_in",
    "cost_output",
    "cost_reasoning",
    "cost_audio_out",
    "cost_image_out",
    "unseen_calls",
    "unseen_cost",
];

// Places in `SUMS`.
pub(crate) const UNPRICED_TOKENS: usize = 0;
pub(crate) const EXCLUDED_COST: usize = 1;
pub(crate) const DURATION: usize = 2;
pub(crate) const COST: usize = 3;
pub(crate) const COST_OTHER: usize = 4;
pub(crate) const TOKENS: usize = 5;
pub(crate) const COSTS: usize = TOKENS + TokenClass::ALL.len();
/// Thousandths of calls that samplers left out, as the adjusted counts of those they kept estimate them.
pub(crate) const UNSEEN_CALLS: usize = COSTS + TokenClass::ALL.len();
/// What they cost, estimated; with the cost it adds up to the estimate of the whole.
pub(crate) const UNSEEN_COST: usize = UNSEEN_CALLS + 1;

/// The sums over some calls. Adding is exact, commutative and reversible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// By [`COUNTS`].
    pub counts: [i64; COUNTS.len()],
    /// By [`SUMS`].
    pub sums: [i128; SUMS.len()],
}

impl Measures {
    /// What one call adds. A call that does not count adds only to the excluded ones.
    #[must_use]
    pub fn of(call: &CallRow) -> Self {
        let mut measures = Self::default();
        let cost = call.call.cost.map(|cost| i128::from(cost.0));
        if call.why().is_some() {
            measures.counts[3] = 1;
            measures.sums[EXCLUDED_COST] = cost.unwrap_or(0);
            return measures;
        }
        measures.counts = [1, i64::from(call.error), i64::from(cost.is_none()), 0];
        measures.sums[DURATION] = i128::from(call.end_us) - i128::from(call.start_us);
        for (sum, tokens) in measures.sums[TOKENS..COSTS]
            .iter_mut()
            .zip(call.call.usage.tokens)
        {
            *sum = i128::from(tokens);
        }
        measures.sums[UNSEEN_CALLS] = i128::from(call.weight_milli) - i128::from(UNSAMPLED);
        measures.sums[UNSEEN_COST] = call.unseen_cost().map_or(0, |cost| i128::from(cost.0));
        match cost {
            Some(cost) => measures.add_cost(cost, call),
            None => measures.sums[UNPRICED_TOKENS] = measures.sums[TOKENS..COSTS].iter().sum(),
        }
        measures
    }

    fn add_cost(&mut self, cost: i128, call: &CallRow) {
        self.sums[COST] = cost;
        self.sums[COST_OTHER] = cost;
        for line in &call.receipt.lines {
            if let Unit::Tokens(class) = line.unit {
                self.sums[COSTS + class as usize] += i128::from(line.amount.0);
                self.sums[COST_OTHER] -= i128::from(line.amount.0);
            }
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, 1);
    }

    /// Takes another away.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, -1);
    }

    /// Cost of the calls that count, in pico-dollars.
    #[must_use]
    pub const fn cost(&self) -> i128 {
        self.sums[COST]
    }

    /// The same with what samplers left out, estimated.
    #[must_use]
    pub const fn estimated_cost(&self) -> i128 {
        self.sums[COST] + self.sums[UNSEEN_COST]
    }

    /// Calls that count.
    #[must_use]
    pub const fn calls(&self) -> i64 {
        self.counts[0]
    }

    /// Tokens of a class of the calls that count.
    #[must_use]
    pub const fn tokens(&self, class: TokenClass) -> i128 {
        self.sums[TOKENS + class as usize]
    }

    /// Without what samplers left out.
    pub(crate) fn forget_unseen(&mut self) {
        self.sums[UNSEEN_CALLS] = 0;
        self.sums[UNSEEN_COST] = 0;
    }

    /// True when nothing is left.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.counts.iter().all(|count| *count == 0) && self.sums.iter().all(|sum| *sum == 0)
    }

    fn combine(&mut self, other: &Self, sign: i8) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += i64::from(sign) * theirs;
        }
        for (mine, theirs) in self.sums.iter_mut().zip(other.sums) {
            *mine += i128::from(sign) * theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use costflame_pricing::{Flags, Line, Receipt, Usd};
    use costflame_profile::{Call, PathId, Rule, Signal, SpanId, SpanKind, TraceId};

    use super::*;
    use crate::{CallKey, SeriesId, TraceKey};

    fn call() -> CallRow {
        let line = |unit, amount| Line {
            unit,
            quantity: 1,
            rate: 1,
            per: 1,
            amount: Usd(amount),
        };
        let mut receipt = Receipt {
            cost: Some(Usd(100)),
            ..Receipt::default()
        };
        receipt.usage.set(TokenClass::Input, 7);
        receipt.usage.set(TokenClass::Reasoning, 5);
        receipt.lines = vec![
            line(Unit::Tokens(TokenClass::Input), 60),
            line(Unit::Request, 40),
        ];
        CallRow {
            key: CallKey {
                trace: TraceKey {
                    project: 1,
                    trace_id: TraceId([1; 16]),
                },
                span_id: SpanId([1; 8]),
            },
            start_us: 10,
            end_us: 35,
            error: true,
            signal: Signal::Span,
            span_kind: SpanKind::Client,
            weight_milli: 1000,
            call: Call {
                usage: receipt.usage,
                cost: receipt.cost,
                ..Call::default()
            },
            receipt,
            sent: crate::Sent::default(),
            service: "".into(),
            emitter: "".into(),
            attribution: Arc::default(),
            path: PathId([0; 16]),
            series: SeriesId([0; 16]),
            flags: Flags::default(),
            late: false,
            local: None,
            lost_response: None,
            lost_usage: None,
            claims: Vec::new(),
        }
    }

    fn sum(measures: &Measures, name: &str) -> i128 {
        measures.sums[SUMS.iter().position(|known| *known == name).unwrap()]
    }

    #[test]
    fn columns_follow_the_token_classes() {
        for class in TokenClass::ALL {
            assert_eq!(
                SUMS[TOKENS + class as usize],
                format!("tokens_{}", class.name())
            );
            assert_eq!(
                SUMS[COSTS + class as usize],
                format!("cost_{}", class.name())
            );
        }
    }

    #[test]
    fn a_counted_call_adds_its_parts_and_its_whole() {
        let measures = Measures::of(&call());
        assert_eq!(measures.counts, [1, 1, 0, 0]);
        let named = [
            ("cost", 100),
            ("cost_input", 60),
            ("cost_other", 40),
            ("duration_us", 25),
        ];
        for (name, value) in named
            .into_iter()
            .chain([("tokens_reasoning", 5), ("unpriced_tokens", 0)])
        {
            assert_eq!(sum(&measures, name), value, "{name}");
        }
    }

    #[test]
    fn a_sampled_call_adds_what_it_stands_for_beside_what_it_is() {
        let mut call = call();
        call.weight_milli = 3335;
        let measures = Measures::of(&call);
        assert_eq!(measures.counts, [1, 1, 0, 0]);
        for (name, value) in [
            ("cost", 100),
            ("unseen_calls", 2335),
            // 333.5 is rounded to the even neighbour.
            ("unseen_cost", 234),
        ] {
            assert_eq!(sum(&measures, name), value, "{name}");
        }
        call.call.cost = Some(Usd(i64::MAX - 7));
        let measures = Measures::of(&call);
        assert_eq!(sum(&measures, "unseen_cost"), 7, "as much as fits");
        call.local = Some((Rule::Wrapper, SpanId([2; 8])));
        let measures = Measures::of(&call);
        assert_eq!(sum(&measures, "unseen_calls"), 0, "it does not count");
    }

    #[test]
    fn an_unpriced_call_adds_its_tokens_and_no_cost() {
        let mut call = call();
        call.call.cost = None;
        let measures = Measures::of(&call);
        assert_eq!(measures.counts, [1, 1, 1, 0]);
        assert_eq!(
            (sum(&measures, "unpriced_tokens"), sum(&measures, "cost")),
            (12, 0)
        );
    }

    #[test]
    fn a_call_that_does_not_count_adds_only_to_the_excluded() {
        let mut call = call();
        call.local = Some((Rule::Wrapper, SpanId([2; 8])));
        let measures = Measures::of(&call);
        assert_eq!(measures.counts, [0, 0, 0, 1]);
        assert_eq!(
            measures.sums.iter().sum::<i128>(),
            sum(&measures, "excluded_cost")
        );
        assert_eq!(sum(&measures, "excluded_cost"), 100);
    }
}
