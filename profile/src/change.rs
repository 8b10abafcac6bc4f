//! Why a cost changed: split into steps from one side to the other, each of which replaces one cause.
//!
//! The steps are differences of exact states, so they add up to the change. Between the two real sides the states are
//! rational numbers; each is rounded once.

use std::collections::BTreeMap;

use costflame_pricing::{TokenClass, UsdSum};
use num_bigint::BigInt;

const CLASSES: usize = TokenClass::ALL.len();

/// What the calls of one model sent, received and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelSums {
    /// Counted calls.
    pub calls: u64,
    /// Tokens by [`TokenClass`].
    pub tokens: [i128; CLASSES],
    /// Cost by [`TokenClass`].
    pub amounts: [UsdSum; CLASSES],
    /// Cost of what is not tokens. With `amounts` it is the whole cost.
    pub other: UsdSum,
}

/// What changes in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// How many calls there are.
    Calls,
    /// Which models make them.
    Models,
    /// How many tokens a call of a model sends.
    Prompt,
    /// How these divide into fresh and cached ones, and by modality.
    Cache,
    /// How many tokens a call of a model receives.
    Output,
    /// What a token costs, and everything not billed by token.
    Price,
}

impl Cause {
    /// Every cause, in the order of the steps.
    pub const ALL: [Self; 6] = [
        Self::Calls,
        Self::Models,
        Self::Prompt,
        Self::Cache,
        Self::Output,
        Self::Price,
    ];

    /// The name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Models => "models",
            Self::Prompt => "prompt",
            Self::Cache => "cache",
            Self::Output => "output",
            Self::Price => "price",
        }
    }
}

/// The change from `base` to `now`, by model on both sides, in the order of [`Cause::ALL`].
///
/// A model that is new is taken to have sent what the models that are gone sent, at its own rates; what all models sent
/// if none is gone. Where one side has no calls, all of the change is calls.
#[must_use]
pub fn split<M: Ord>(
    base: &BTreeMap<M, ModelSums>,
    now: &BTreeMap<M, ModelSums>,
) -> [(Cause, UsdSum); 6] {
    let (all_base, all_now) = (sum(base.values()), sum(now.values()));
    let (start, end) = (all_base.cost(), all_now.cost());
    if all_base.calls == 0 || all_now.calls == 0 {
        return steps([start, end, end, end, end, end, end]);
    }
    let gone = base
        .iter()
        .filter(|(model, _)| now.get(model).is_none_or(|now| now.calls == 0));
    let gone = sum(gone.map(|(_, sums)| sums));
    let before = if gone.calls > 0 { gone } else { all_base };
    let models: Vec<Model<'_>> = now
        .iter()
        .filter(|(_, now)| now.calls > 0)
        .map(|(model, now)| Model {
            now,
            known: base.get(model).filter(|base| base.calls > 0),
            before: &before,
        })
        .collect();
    let more_calls = ratio(&[start.0, all_now.calls.into()], &[all_base.calls.into()]);
    let state = |prompt, shares, output| {
        let terms = models
            .iter()
            .map(|model| model.cost(prompt, shares, output));
        rounded(&terms.sum())
    };
    use Side::{Base, Now};
    steps([
        start,
        rounded(&more_calls),
        state(Base, Base, Base),
        state(Now, Base, Base),
        state(Now, Now, Base),
        state(Now, Now, Now),
        end,
    ])
}

fn steps(states: [UsdSum; 7]) -> [(Cause, UsdSum); 6] {
    std::array::from_fn(|step| (Cause::ALL[step], states[step + 1] - states[step]))
}

/// Which side something is taken from.
#[derive(Clone, Copy)]
enum Side {
    Base,
    Now,
}

/// A model with calls now.
struct Model<'a> {
    now: &'a ModelSums,
    /// Its calls before, if it had any.
    known: Option<&'a ModelSums>,
    /// Calls that a new one is compared with.
    before: &'a ModelSums,
}

impl Model<'_> {
    fn base(&self) -> &ModelSums {
        self.known.unwrap_or(self.before)
    }

    fn side(&self, side: Side) -> &ModelSums {
        match side {
            Side::Base => self.base(),
            Side::Now => self.now,
        }
    }

    /// What its calls would cost at the rates of the base, with these lengths and shares: pico-dollars, [`SCALE`]d.
    fn cost(&self, prompt: Side, shares: Side, output: Side) -> BigInt {
        let calls = i128::from(self.now.calls);
        let (length, mut divided) = (self.side(prompt), self.side(shares));
        if divided.prompt() == 0 {
            // Without prompt tokens there is no way they divide: the other side's stands for both.
            divided = match shares {
                Side::Base => self.now,
                Side::Now => self.base(),
            };
        }
        let received = self.side(output);
        let mut cost = BigInt::ZERO;
        for class in TokenClass::ALL {
            let (amount, tokens) = self.rate(class);
            cost += if class.is_input() {
                ratio(
                    &[
                        calls,
                        length.prompt(),
                        divided.tokens[class as usize],
                        amount,
                    ],
                    &[length.calls.into(), divided.prompt(), tokens],
                )
            } else {
                ratio(
                    &[calls, received.tokens[class as usize], amount],
                    &[received.calls.into(), tokens],
                )
            };
        }
        let fees = self.known.unwrap_or(self.now);
        cost + ratio(&[calls, fees.other.0], &[fees.calls.into()])
    }

    /// Amount and tokens of a class: of this model before, else of this model now, else of those it is compared with.
    fn rate(&self, class: TokenClass) -> (i128, i128) {
        let sources = [self.known, Some(self.now), Some(self.before)];
        let used = sources
            .into_iter()
            .flatten()
            .find(|sums| sums.tokens[class as usize] > 0);
        used.map_or((0, 0), |sums| {
            (sums.amounts[class as usize].0, sums.tokens[class as usize])
        })
    }
}

impl ModelSums {
    fn prompt(&self) -> i128 {
        let classes = TokenClass::ALL.into_iter().filter(|class| class.is_input());
        classes.map(|class| self.tokens[class as usize]).sum()
    }

    fn cost(&self) -> UsdSum {
        self.amounts
            .into_iter()
            .fold(self.other, |cost, amount| UsdSum(cost.0 + amount.0))
    }
}

fn sum<'a>(models: impl Iterator<Item = &'a ModelSums>) -> ModelSums {
    let mut whole = ModelSums::default();
    for sums in models {
        whole.calls += sums.calls;
        whole.other += sums.other;
        for class in 0..CLASSES {
            whole.tokens[class] += sums.tokens[class];
            whole.amounts[class] += sums.amounts[class];
        }
    }
    whole
}

/// Fractions are kept to so many bits: states that are the same number stay the same after a thousand terms.
const SCALE: u32 = 64;

/// The product of some numbers by that of others, [`SCALE`]d; 0 for nothing by nothing.
fn ratio(above: &[i128], below: &[i128]) -> BigInt {
    let product = |numbers: &[i128]| {
        numbers
            .iter()
            .copied()
            .map(BigInt::from)
            .product::<BigInt>()
    };
    (product(above) << SCALE)
        .checked_div(&product(below))
        .unwrap_or_default()
}

/// The nearest whole number; where rates are absurd, as much as can still be subtracted.
fn rounded(scaled: &BigInt) -> UsdSum {
    let half = BigInt::from(1) << (SCALE - 1);
    let whole: BigInt = (scaled + half) >> SCALE;
    UsdSum(whole.try_into().unwrap_or(i128::MAX / 4))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use TokenClass::{CacheRead, Input, Output};

    /// Calls, then tokens and micro-dollars of each by class.
    fn sums(calls: u64, by_class: &[(TokenClass, i128, i128)]) -> ModelSums {
        let mut sums = ModelSums {
            calls,
            ..ModelSums::default()
        };
        for (class, tokens, each) in by_class {
            sums.tokens[*class as usize] = *tokens;
            sums.amounts[*class as usize] = UsdSum(tokens * each * 1_000_000);
        }
        sums
    }

    type Side = BTreeMap<&'static str, ModelSums>;

    fn side(models: &[(&'static str, ModelSums)]) -> Side {
        models.iter().copied().collect()
    }

    /// What is not zero, in micro-dollars.
    fn causes(base: &Side, now: &Side) -> Vec<(Cause, i128)> {
        let found = split(base, now).into_iter();
        found
            .filter(|(_, amount)| amount.0 != 0)
            .map(|(cause, amount)| {
                assert_eq!(amount.0 % 1_000_000, 0, "{cause:?} {amount:?}");
                (cause, amount.0 / 1_000_000)
            })
            .collect()
    }

    fn usual() -> Side {
        side(&[(
            "m",
            sums(
                100,
                &[(Input, 1_000, 10), (CacheRead, 9_000, 1), (Output, 500, 40)],
            ),
        )])
    }

    #[test]
    fn each_cause_alone_is_all_of_the_change() {
        let cases = [
            (
                Cause::Calls,
                39_000,
                sums(
                    200,
                    &[
                        (Input, 2_000, 10),
                        (CacheRead, 18_000, 1),
                        (Output, 1_000, 40),
                    ],
                ),
            ),
            (
                Cause::Prompt,
                19_000,
                sums(
                    100,
                    &[
                        (Input, 2_000, 10),
                        (CacheRead, 18_000, 1),
                        (Output, 500, 40),
                    ],
                ),
            ),
            (
                Cause::Cache,
                81_000,
                sums(100, &[(Input, 10_000, 10), (Output, 500, 40)]),
            ),
            (
                Cause::Output,
                -20_000,
                sums(100, &[(Input, 1_000, 10), (CacheRead, 9_000, 1)]),
            ),
            (
                Cause::Price,
                1_000,
                sums(
                    100,
                    &[(Input, 1_000, 11), (CacheRead, 9_000, 1), (Output, 500, 40)],
                ),
            ),
        ];
        for (cause, amount, now) in cases {
            assert_eq!(causes(&usual(), &side(&[("m", now)])), [(cause, amount)]);
        }
        assert_eq!(causes(&usual(), &usual()), []);
    }

    #[test]
    fn price_and_models_are_told_apart() {
        let dear = side(&[("m", sums(100, &[(Input, 1_000, 10)]))]);
        let raised = side(&[("m", sums(100, &[(Input, 1_000, 30)]))]);
        let other = side(&[("n", sums(100, &[(Input, 1_000, 30)]))]);
        assert_eq!(causes(&dear, &raised), [(Cause::Price, 20_000)]);
        assert_eq!(causes(&dear, &other), [(Cause::Models, 20_000)]);
        // The new model sends more, too: more of it at its own rate.
        let longer = side(&[("n", sums(100, &[(Input, 1_500, 30)]))]);
        assert_eq!(
            causes(&dear, &longer),
            [(Cause::Models, 20_000), (Cause::Prompt, 15_000)]
        );
        // Of two models the dear one makes more of the calls.
        let both = |m, n| {
            let of = |calls: u64, rate| sums(calls, &[(Input, i128::from(calls) * 10, rate)]);
            side(&[("m", of(m, 10)), ("n", of(n, 30))])
        };
        assert_eq!(
            causes(&both(90, 10), &both(50, 50)),
            [(Cause::Models, 8_000)]
        );
        // One is new beside one that stays: it is compared with what all sent before.
        let beside = side(&[("m", dear["m"]), ("n", sums(100, &[(Input, 1_000, 30)]))]);
        assert_eq!(
            causes(&dear, &beside),
            [(Cause::Calls, 10_000), (Cause::Models, 20_000)]
        );
    }

    #[test]
    fn from_and_to_nothing_is_all_calls() {
        assert_eq!(causes(&side(&[]), &usual()), [(Cause::Calls, 39_000)]);
        assert_eq!(causes(&usual(), &side(&[])), [(Cause::Calls, -39_000)]);
        assert_eq!(causes(&side(&[]), &side(&[])), []);
    }

    #[test]
    fn fees_are_price() {
        let fee = |other: i128| {
            let mut sums = sums(100, &[(Input, 1_000, 10)]);
            sums.other = UsdSum(other * 1_000_000);
            side(&[("m", sums)])
        };
        assert_eq!(causes(&fee(100), &fee(300)), [(Cause::Price, 200)]);
    }

    fn model() -> impl Strategy<Value = ModelSums> {
        let class = (0..1_i128 << 50, 0..1_i128 << 80);
        let classes = proptest::collection::vec(prop_oneof![Just((0, 0)), class], CLASSES);
        (1..1_u64 << 33, classes, 0..1_i128 << 70).prop_map(|(calls, classes, other)| ModelSums {
            calls,
            tokens: std::array::from_fn(|class| classes[class].0),
            amounts: std::array::from_fn(|class| UsdSum(classes[class].1)),
            other: UsdSum(other),
        })
    }

    proptest! {
        #[test]
        fn the_steps_add_up_to_the_change(
            base in proptest::collection::btree_map(0..6_u8, model(), 0..5),
            now in proptest::collection::btree_map(0..6_u8, model(), 0..5),
        ) {
            let change = sum(now.values()).cost() - sum(base.values()).cost();
            let total: i128 = split(&base, &now).iter().map(|(_, amount)| amount.0).sum();
            prop_assert_eq!(UsdSum(total), change);
        }

        #[test]
        fn the_same_calls_many_times_are_more_calls_alone(
            base in proptest::collection::btree_map(0..6_u8, model(), 1..5), times in 2..50_i128,
        ) {
            let now = base.iter().map(|(model, sums)| (*model, ModelSums {
                calls: sums.calls * u64::try_from(times).unwrap(),
                tokens: sums.tokens.map(|tokens| tokens * times),
                amounts: sums.amounts.map(|amount| UsdSum(amount.0 * times)),
                other: UsdSum(sums.other.0 * times),
            })).collect();
            for (cause, amount) in split(&base, &now) {
                prop_assert!(cause == Cause::Calls || amount.0.abs() <= 1, "{:?} {:?}", cause, amount);
            }
        }
    }
}
