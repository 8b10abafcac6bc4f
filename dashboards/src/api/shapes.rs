//! What several answers have in common.

use std::collections::BTreeMap;

use costflame_pricing::{TokenClass, Usd, UsdSum};
use costflame_profile::{Attribution, PathId, PathRow, Rule};
use costflame_store::{
    UNSAMPLED,
    query::{CallRecord, Paths, Sums, Value, Why},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema},
};

use super::words::{Count, Dollars, FlagWord, IntText, Kind, RuleWord, UnpricedWord};

/// Tokens by class. Classes are disjoint: `output` is without `reasoning`, `input` without anything cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens(pub(super) [i128; TokenClass::ALL.len()]);

impl Tokens {
    /// True when every class is zero.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|tokens| *tokens == 0)
    }
}

impl From<[u64; TokenClass::ALL.len()]> for Tokens {
    fn from(tokens: [u64; TokenClass::ALL.len()]) -> Self {
        Self(tokens.map(i128::from))
    }
}

/// By class, then "other"; absent is zero.
fn serialize_classes<S: Serializer, T: Serialize>(
    serializer: S,
    values: impl Iterator<Item = (&'static str, Option<T>)>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in values {
        if let Some(value) = value {
            map.serialize_entry(name, &value)?;
        }
    }
    map.end()
}

impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = TokenClass::ALL
            .into_iter()
            .zip(self.0)
            .map(|(class, tokens)| (class.name(), (tokens != 0).then_some(Count(tokens))));
        serialize_classes(serializer, values)
    }
}

impl PartialSchema for Tokens {
    fn schema() -> RefOr<Schema> {
        let description = "Tokens by class. Classes are disjoint: output is without reasoning, input without \
                           anything cached. An absent class is zero.";
        let object = ObjectBuilder::new().description(Some(description));
        TokenClass::ALL
            .into_iter()
            .fold(object, |object, class| {
                object.property(class.name(), Count::schema())
            })
            .into()
    }
}

impl ToSchema for Tokens {}

/// Cost by token class and of everything not billed by token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    by_class: [UsdSum; TokenClass::ALL.len()],
    other: UsdSum,
}

impl Amounts {
    /// The amounts of sums that were read with them.
    #[must_use]
    pub(super) const fn of(sums: &Sums) -> Self {
        Self {
            by_class: sums.amounts,
            other: sums.other_amount,
        }
    }

    fn values(&self) -> impl Iterator<Item = (&'static str, Option<UsdSum>)> {
        let names = TokenClass::ALL
            .map(TokenClass::name)
            .into_iter()
            .chain(["other"]);
        let amounts = self.by_class.into_iter().chain([self.other]);
        names.zip(amounts.map(|amount| Some(amount).filter(|amount| *amount != UsdSum::default())))
    }
}

impl Serialize for Amounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_classes(
            serializer,
            self.values()
                .map(|(name, amount)| (name, amount.map(Dollars))),
        )
    }
}

fn amounts_schema(description: &str, value: &RefOr<Schema>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().description(Some(description));
    TokenClass::ALL
        .map(TokenClass::name)
        .into_iter()
        .chain(["other"])
        .fold(object, |object, name| object.property(name, value.clone()))
        .into()
}

impl PartialSchema for Amounts {
    fn schema() -> RefOr<Schema> {
        let description = "Cost by token class; other is everything not billed by token. Adds up to the cost \
                           beside it. Absent is zero.";
        amounts_schema(description, &Dollars::schema())
    }
}

impl ToSchema for Amounts {}

/// The same in pico-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PicoAmounts(pub(super) Amounts);

impl PicoAmounts {
    /// True when every amount is zero.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.0 == Amounts::default()
    }
}

impl Serialize for PicoAmounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self
            .0
            .values()
            .map(|(name, amount)| (name, amount.map(|UsdSum(pico)| IntText(pico))));
        serialize_classes(serializer, values)
    }
}

impl PartialSchema for PicoAmounts {
    fn schema() -> RefOr<Schema> {
        let description = "Cost in pico-dollars by token class; other is everything not billed by token. Absent is \
                           zero.";
        amounts_schema(description, &IntText::schema())
    }
}

impl ToSchema for PicoAmounts {}

/// What it would be had samplers left out nothing: every call counts as often as its sampler says. Never part of any other
/// figure.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Estimate {
    /// Cost; null where that of the observed call is unknown.
    #[schema(required)]
    pub(super) cost_usd: Option<Dollars>,
    /// Calls, to a thousandth.
    pub(super) calls: f64,
}

impl Estimate {
    /// Of sums; `None` when nothing in them was sampled.
    #[must_use]
    pub(super) fn of(sums: &Sums) -> Option<Self> {
        let (calls, cost) = sums.estimate()?;
        Some(Self {
            cost_usd: Some(Dollars(cost)),
            calls: calls as f64 / f64::from(UNSAMPLED),
        })
    }

    /// Of one call; `None` when it stands for itself alone.
    #[must_use]
    pub(super) fn of_call(call: &CallRecord) -> Option<Self> {
        let unseen = call.unseen_cost?;
        let whole = |cost: Usd| Dollars(UsdSum(i128::from(cost.0) + i128::from(unseen.0)));
        Some(Self {
            cost_usd: call.cost.map(whole),
            calls: f64::from(call.weight_milli) / f64::from(UNSAMPLED),
        })
    }
}

/// Sums over counted calls. Calls without a price add to `calls` and `tokens`, not to `cost_usd`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Sums)]
pub(super) struct SumsBody {
    /// Cost of the calls with a price.
    pub(super) cost_usd: Dollars,
    /// Counted calls.
    pub(super) calls: u64,
    /// Calls whose span ended with an error.
    pub(super) errors: u64,
    /// Tokens of all of them, priced or not.
    pub(super) tokens: Tokens,
    /// What the cost leaves out.
    pub(super) unpriced: UnpricedSums,
    /// Only where something was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) estimate: Option<Estimate>,
}

/// Calls without a known price, and their tokens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct UnpricedSums {
    /// Calls.
    pub(super) calls: u64,
    /// Tokens of all classes.
    pub(super) tokens: Count,
}

impl From<&Sums> for SumsBody {
    fn from(sums: &Sums) -> Self {
        Self {
            cost_usd: Dollars(sums.cost),
            calls: sums.calls,
            errors: sums.errors,
            tokens: Tokens(sums.tokens),
            unpriced: UnpricedSums {
                calls: sums.unpriced_calls,
                tokens: Count(sums.unpriced_tokens),
            },
            estimate: Estimate::of(sums),
        }
    }
}

/// One step of a call path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FrameRef {
    /// Path id, hex.
    pub(super) id: String,
    /// Empty if the resource named none.
    pub(super) service: String,
    /// What it stands for.
    pub(super) kind: Kind,
    /// Low-cardinality label.
    pub(super) label: String,
}

impl From<&PathRow> for FrameRef {
    fn from(path: &PathRow) -> Self {
        Self {
            id: path.id.to_string(),
            service: path.frame.service.to_string(),
            kind: Kind(path.frame.kind),
            label: path.frame.label.to_string(),
        }
    }
}

/// The frames from the root down to a path.
#[must_use]
pub(super) fn frames(paths: &Paths, id: PathId) -> Vec<FrameRef> {
    paths.frames(id).into_iter().map(FrameRef::from).collect()
}

/// A value as text, and its frames if it is a path.
#[must_use]
pub(super) fn value(paths: &Paths, value: &Value) -> (Option<String>, Option<Vec<FrameRef>>) {
    match value {
        Value::Series(_) | Value::Absent => (None, None),
        Value::Text(text) => (Some(text.clone()), None),
        Value::Path(id) => (Some(id.to_string()), Some(frames(paths, *id))),
    }
}

/// `part` of `whole`, 0 to 1, cut after nine decimals, so that 1 means all; null when there is no whole.
#[must_use]
pub(super) fn share(part: i128, whole: i128) -> Option<f64> {
    const DECIMALS: i128 = 1_000_000_000;
    let cut = part.saturating_mul(DECIMALS).checked_div(whole)?;
    // 0 to 10⁹, or as wrong as the parts are.
    Some(f64::from(i32::try_from(cut).ok()?) / f64::from(1_000_000_000))
}

/// Which rule of counting left a call out, and in favour of what.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Why)]
pub(super) struct WhyBody {
    /// The rule.
    pub(super) rule: RuleWord,
    /// The call that counts; for rules a and c one of those below.
    #[schema(required)]
    pub(super) by: Option<CallRef>,
    /// How many calls stand for this one (rules a and c: those below).
    pub(super) calls: usize,
}

/// A span of a trace.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CallRef {
    /// 32 hex digits.
    pub(super) trace_id: String,
    /// 16 hex digits.
    pub(super) span_id: String,
}

/// The part of a call that lists show.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CallBrief {
    /// Provider.
    #[schema(required)]
    pub(super) provider: Option<String>,
    /// The one that served, else the one asked for.
    #[schema(required)]
    pub(super) model: Option<String>,
    /// `chat`, `embeddings`, …
    #[schema(required)]
    pub(super) operation: Option<String>,
    /// The provider's id of the response.
    #[schema(required)]
    pub(super) response_id: Option<String>,
    /// Tokens by class.
    pub(super) tokens: Tokens,
    /// null = unknown, see `unpriced`. Also given when the call is not counted.
    #[schema(required)]
    pub(super) cost_usd: Option<Dollars>,
    /// What the calls that it stands for cost together. Only where it was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) estimate: Option<Estimate>,
    /// Set exactly when there is no cost.
    #[schema(required)]
    pub(super) unpriced: Option<UnpricedWord>,
    /// True when the call is part of the sums.
    pub(super) counted: bool,
    /// Set exactly when not counted.
    #[schema(required)]
    pub(super) why: Option<WhyBody>,
    /// What else a reader should know.
    pub(super) flags: Vec<FlagWord>,
}

impl CallBrief {
    /// A call, and how many stand for it if it does not count and that is known.
    #[must_use]
    pub(super) fn new(call: &CallRecord, stand_ins: Option<usize>) -> Self {
        Self {
            provider: call.provider.clone(),
            model: call.model().map(str::to_owned),
            operation: call.operation.clone(),
            response_id: call.response_id.clone(),
            tokens: Tokens::from(call.tokens),
            cost_usd: call.cost.map(Dollars::from),
            estimate: Estimate::of_call(call),
            unpriced: call.unpriced.map(UnpricedWord),
            counted: call.why.is_none(),
            why: call.why.map(|why| why_body(why, stand_ins)),
            flags: call.flags.iter().map(FlagWord).collect(),
        }
    }
}

fn why_body(why: Why, stand_ins: Option<usize>) -> WhyBody {
    let by = why.by.map(|(trace, span)| CallRef {
        trace_id: trace.to_string(),
        span_id: span.to_string(),
    });
    let below = stand_ins.filter(|_| matches!(why.rule, Rule::Aggregate | Rule::Wrapper));
    let calls = below.unwrap_or(usize::from(by.is_some()));
    WhyBody {
        rule: RuleWord(why.rule),
        by,
        calls,
    }
}

/// Who and what a call is attributed to.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = Attribution)]
pub(super) struct AttributionBody {
    /// Deployment environment.
    #[schema(required)]
    pub(super) environment: Option<String>,
    /// Feature.
    #[schema(required)]
    pub(super) feature: Option<String>,
    /// User.
    #[schema(required)]
    pub(super) user: Option<String>,
    /// Session or conversation.
    #[schema(required)]
    pub(super) session: Option<String>,
    /// Nearest agent.
    #[schema(required)]
    pub(super) agent: Option<String>,
    /// Nearest tool.
    #[schema(required)]
    pub(super) tool: Option<String>,
    /// Prompt name.
    #[schema(required)]
    pub(super) prompt: Option<String>,
    /// Prompt version.
    #[schema(required)]
    pub(super) prompt_version: Option<String>,
    /// Tags by key.
    pub(super) tags: BTreeMap<String, String>,
}

impl From<&Attribution> for AttributionBody {
    fn from(from: &Attribution) -> Self {
        let text = |value: &Option<costflame_profile::Text>| value.as_deref().map(str::to_owned);
        let tags = from
            .tags
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        Self {
            environment: text(&from.environment),
            feature: text(&from.feature),
            user: text(&from.user),
            session: text(&from.session),
            agent: text(&from.agent),
            tool: text(&from.tool),
            prompt: text(&from.prompt),
            prompt_version: text(&from.prompt_version),
            tags: tags.collect(),
        }
    }
}
