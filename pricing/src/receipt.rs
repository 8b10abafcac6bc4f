//! The receipt of one call: quantity × rate = amount, line by line, and where each came from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Counter, PriceRequest, TokenClass, Usage, Usd};

/// Identity of a catalog snapshot: the first 8 bytes of the SHA-256 of its source text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct CatalogId(pub [u8; 8]);

/// Which rule decided whether cached and cache-written tokens are part of the reported input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accounting {
    /// The conventions: input includes its parts (OpenTelemetry gen_ai, OpenInference).
    #[default]
    Spec,
    /// A listed emitter that is known to include its parts although its provider does not.
    EmitterInclusive,
    /// A listed emitter whose input excludes cached and cache-written tokens.
    EmitterExclusive,
    /// The parts exceed the input, so they cannot be inside it.
    ArithmeticExclusive,
    /// The emitter itself reported disjoint classes.
    Disjoint,
}

/// One thing a reader of the receipt should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Flag {
    /// A part exceeded its whole and was cut down to it.
    Clamped = 0,
    /// Output was raised by reasoning tokens that the emitter left out.
    ReasoningAdded = 1,
    /// The usage is repeated from the calls below (agent, workflow, chain).
    Aggregate = 2,
    /// Recognised by the spelling of its usage alone, not by a known library.
    Generic = 3,
    /// The amount does not fit 64 bits of pico-dollars.
    Overflow = 4,
    /// The span ended with an error and still reported usage.
    FailedWithUsage = 5,
    /// The price was taken from the provider's fallback provider.
    FallbackProvider = 6,
    /// The model was found without its provider.
    ProviderGuessed = 7,
    /// The request model was priced, since the response model is unknown to the catalog.
    RequestModel = 8,
    /// A number on the span was negative, fractional, not a number or above 2⁵³ and was ignored.
    BadNumber = 9,
    /// The cost is the reported one, since there is no price or since reported costs count.
    ReportedCost = 10,
    /// May be the same call as another one (law 3 f); both count.
    PossibleDuplicate = 11,
    /// The processing tier (flex, priority, batch) is known but has no price of its own.
    TierUnpriced = 12,
    /// Usage was estimated by the emitter, not reported by the provider.
    Estimated = 13,
    /// The price is the user's own.
    Overridden = 14,
    /// The catalog's price was corrected by a built-in rule.
    Corrected = 15,
    /// The price is from the second source, since the first does not know the model.
    SecondSource = 16,
    /// A metric's sum over several calls that nothing else tells: priced as calls below the first context tier.
    FromMetrics = 17,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 18] = [
        Self::Clamped,
        Self::ReasoningAdded,
        Self::Aggregate,
        Self::Generic,
        Self::Overflow,
        Self::FailedWithUsage,
        Self::FallbackProvider,
        Self::ProviderGuessed,
        Self::RequestModel,
        Self::BadNumber,
        Self::ReportedCost,
        Self::PossibleDuplicate,
        Self::TierUnpriced,
        Self::Estimated,
        Self::Overridden,
        Self::Corrected,
        Self::SecondSource,
        Self::FromMetrics,
    ];

    /// The name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clamped => "clamped",
            Self::ReasoningAdded => "reasoning_added",
            Self::Aggregate => "aggregate",
            Self::Generic => "generic",
            Self::Overflow => "overflow",
            Self::FailedWithUsage => "failed_with_usage",
            Self::FallbackProvider => "fallback_provider",
            Self::ProviderGuessed => "provider_guessed",
            Self::RequestModel => "request_model",
            Self::BadNumber => "bad_number",
            Self::ReportedCost => "reported_cost",
            Self::PossibleDuplicate => "possible_duplicate",
            Self::TierUnpriced => "tier_unpriced",
            Self::Estimated => "estimated",
            Self::Overridden => "overridden",
            Self::Corrected => "corrected",
            Self::SecondSource => "second_source",
            Self::FromMetrics => "from_metrics",
        }
    }
}

/// A set of [`Flag`]s; the bit of a flag is its discriminant and never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flags(pub u32);

impl Flags {
    /// Adds a flag.
    pub const fn insert(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u8;
    }

    /// True when the flag is set.
    #[must_use]
    pub const fn contains(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that are not in the other set.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flags that looking up a price sets; the others say how the usage was read and who counts.
    #[must_use]
    pub fn of_pricing() -> Self {
        let mut flags = Self::default();
        for flag in [
            Flag::Overflow,
            Flag::FallbackProvider,
            Flag::ProviderGuessed,
            Flag::RequestModel,
            Flag::ReportedCost,
            Flag::TierUnpriced,
            Flag::Overridden,
            Flag::Corrected,
            Flag::SecondSource,
        ] {
            flags.insert(flag);
        }
        flags
    }

    /// The flags that are set, in order.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL
            .into_iter()
            .filter(move |flag| self.contains(*flag))
    }
}

/// What a line of a receipt counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Tokens of one class.
    Tokens(TokenClass),
    /// Another billed unit.
    Counter(Counter),
    /// One fee per request.
    Request,
}

impl Unit {
    /// The name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens(class) => class.name(),
            Self::Counter(counter) => counter.name(),
            Self::Request => "request",
        }
    }
}

/// One line: `amount = round_half_even(quantity × rate × multiplier / per)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What is counted.
    pub unit: Unit,
    /// How many.
    pub quantity: u64,
    /// Pico-dollars for `per` units, multiplier included.
    pub rate: i64,
    /// Units that `rate` buys: 1,000,000 for tokens, 1,000 for requests and searches.
    pub per: u32,
    /// The amount of this line.
    pub amount: Usd,
}

/// The price in the catalog that was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRow {
    /// Provider id in the catalog.
    pub provider: String,
    /// Model id in the catalog.
    pub model: String,
    /// What narrowed the choice, in words: `service_tier=flex`, `input above 200,000 tokens`. Empty if nothing.
    pub condition: String,
    /// First day (UTC, `YYYY-MM-DD`) this price was in force, if the catalog says so.
    pub since: Option<String>,
}

/// Why a call has no cost. Unknown is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpriced {
    /// The span carries no usage.
    NoUsage,
    /// The span names no model.
    NoModel,
    /// The catalog does not know the model.
    UnknownModel,
    /// The catalog knows the model but has no price for a class that was used.
    NoRate,
    /// The amount does not fit.
    Overflow,
}

impl Unpriced {
    /// The name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoUsage => "no_usage",
            Self::NoModel => "no_model",
            Self::UnknownModel => "unknown_model",
            Self::NoRate => "no_rate",
            Self::Overflow => "overflow",
        }
    }

    /// True when an override of the user can price such calls: they name a model and say what they used.
    #[must_use]
    pub const fn is_for_an_override(self) -> bool {
        matches!(self, Self::UnknownModel | Self::NoRate)
    }
}

/// What a price was looked up by beside models, time, service and environment, which stand on the call: as reported, so
/// that the call can be priced again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// See [`PriceRequest::provider`].
    pub provider: Option<Box<str>>,
    /// See [`PriceRequest::provider_guessed`].
    pub provider_guessed: bool,
    /// See [`PriceRequest::server_address`].
    pub server_address: Option<Box<str>>,
    /// The model that was asked for, where it is not the one that stands on the call.
    pub request_model: Option<Box<str>>,
    /// See [`PriceRequest::service_tier`].
    pub service_tier: Option<Box<str>>,
    /// See [`PriceRequest::processing`].
    pub processing: Option<Box<str>>,
    /// See [`PriceRequest::speed`].
    pub speed: Option<Box<str>>,
}

impl Asked {
    /// True when this is what the request asks by; its model is compared where `own_model` is set.
    #[must_use]
    pub fn is(&self, request: &PriceRequest<'_>, own_model: bool) -> bool {
        let same = |kept: &Option<Box<str>>, asked: Option<&str>| kept.as_deref() == asked;
        same(&self.provider, request.provider)
            && self.provider_guessed == request.provider_guessed
            && same(&self.server_address, request.server_address)
            && same(
                &self.request_model,
                request.request_model.filter(|_| own_model),
            )
            && same(&self.service_tier, request.service_tier)
            && same(&self.processing, request.processing)
            && same(&self.speed, request.speed)
    }

    /// What a request asks by; its model is kept where `own_model` is set.
    #[must_use]
    pub fn of(request: &PriceRequest<'_>, own_model: bool) -> Self {
        let kept = |asked: Option<&str>| asked.map(Box::from);
        Self {
            provider: kept(request.provider),
            provider_guessed: request.provider_guessed,
            server_address: kept(request.server_address),
            request_model: kept(request.request_model.filter(|_| own_model)),
            service_tier: kept(request.service_tier),
            processing: kept(request.processing),
            speed: kept(request.speed),
        }
    }
}

/// How one call came to its cost, or why it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Usage in normal form.
    pub usage: Usage,
    /// One line per class and unit used; empty when unpriced.
    pub lines: Vec<Line>,
    /// Sum of the lines; `None` = unknown, see `unpriced`.
    pub cost: Option<Usd>,
    /// Set exactly when `cost` is `None`.
    pub unpriced: Option<Unpriced>,
    /// The price applied; where the reported cost counts instead, the one of `computed`.
    pub price: Option<PriceRow>,
    /// The catalog the price is from.
    pub catalog: CatalogId,
    /// Which rule read the usage.
    pub accounting: Accounting,
    /// What else a reader should know.
    pub flags: Flags,
    /// The cost the emitter itself reported; never summed with ours.
    pub reported: Option<Usd>,
    /// The cost by our prices, where the reported one counts although there is a price.
    pub computed: Option<Usd>,
    /// What the price was looked up by; `None` if whoever keeps the receipt did not note it.
    pub asked: Option<Arc<Asked>>,
}

/// Bytes to append to a packed receipt that was written before [`Receipt::computed`] and [`Receipt::asked`] were its last
/// fields: both absent.
pub const PACKED_BEFORE_ASKED: [u8; 2] = [0, 0];

/// First byte of a packed receipt.
const PACK_VERSION: u8 = 2;

/// Why packed bytes are no receipt. None is worth a retry.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// No byte at all.
    #[error("a packed receipt is not empty")]
    Empty,
    /// Packed by a newer program.
    #[error("receipts of version {0} cannot be read by this program")]
    Version(u8),
    /// The bytes are damaged.
    #[error("the packed receipt is damaged: {0}")]
    Damaged(#[from] postcard::Error),
}

impl UnpackError {
    /// Always false: the same bytes fail again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

impl Receipt {
    /// A compact binary form, versioned by its first byte.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        bytes.push(PACK_VERSION);
        postcard::to_extend(self, bytes).expect("a receipt has no type that postcard refuses")
    }

    /// Reads what [`Receipt::pack`] wrote.
    ///
    /// # Errors
    ///
    /// [`UnpackError`] when the bytes are empty, of another version, damaged or followed by others.
    pub fn unpack(bytes: &[u8]) -> Result<Self, UnpackError> {
        let (version, body) = bytes.split_first().ok_or(UnpackError::Empty)?;
        if *version != PACK_VERSION {
            return Err(UnpackError::Version(*version));
        }
        let (receipt, rest) = postcard::take_from_bytes(body)?;
        if rest.is_empty() {
            Ok(receipt)
        } else {
            Err(UnpackError::Damaged(
                postcard::Error::DeserializeBadEncoding,
            ))
        }
    }
}
