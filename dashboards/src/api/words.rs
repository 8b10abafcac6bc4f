//! Single values of the JSON: money, times, counts, and the fixed words of the vocabulary.

use std::borrow::Cow;

use costflame_pricing::{Accounting, Counter, Flag, TokenClass, Unit, Unpriced, Usd, UsdSum};
use costflame_profile::{Cause, FrameKind, Role, Rule, Signal};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, ObjectBuilder, RefOr, Schema, Type, schema::SchemaType},
};

/// Exact decimal dollars, no exponent, no trailing zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dollars(pub(super) UsdSum);

impl From<Usd> for Dollars {
    fn from(amount: Usd) -> Self {
        Self(amount.into())
    }
}

/// An integer as text, since it may exceed 2⁵³.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IntText(pub(super) i128);

/// A whole number; sums of tokens may exceed 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) i128);

/// Microseconds since 1970 UTC, shown as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) i64);

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for IntText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i128(self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A stored time outside of years -9999 to 9999 is shown as the nearest one inside.
        let bound = if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let time = Timestamp::from_microsecond(self.0).unwrap_or(bound);
        serializer.collect_str(&format_args!("{time:.6}"))
    }
}

fn text(description: &str, pattern: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
        .build()
}

/// The name of a dimension, in the document only: the filter grammar reads it.
pub(super) struct DimensionName;

impl PartialSchema for DimensionName {
    fn schema() -> RefOr<Schema> {
        let description = "A dimension, as in filters; tag.KEY is any tag.";
        let names = "model|provider|service|environment|feature|agent|tool|operation|user|session|prompt|path";
        text(description, &format!(r"^({names}|tag\..+)$"), "model").into()
    }
}

impl ToSchema for DimensionName {}

/// The id of a call path, in the document only.
pub(super) struct PathIdText;

impl PartialSchema for PathIdText {
    fn schema() -> RefOr<Schema> {
        let example = "5b8efff798038103d269b633813fc60c";
        text("The id of a call path.", "^[0-9a-f]{32}$", example).into()
    }
}

impl ToSchema for PathIdText {}

/// The fingerprint of a system prompt, in the document only.
pub(super) struct FingerprintText;

impl PartialSchema for FingerprintText {
    fn schema() -> RefOr<Schema> {
        text("A fingerprint.", "^([0-9a-f]{16})?$", "3c2acf6ccb2c4a47").into()
    }
}

impl ToSchema for FingerprintText {}

impl PartialSchema for Dollars {
    fn schema() -> RefOr<Schema> {
        let description = "Exact decimal dollars, no exponent, no trailing zeros.";
        text(description, r"^-?\d+(\.\d{0,11}[1-9])?$", "0.0290025").into()
    }
}

impl PartialSchema for IntText {
    fn schema() -> RefOr<Schema> {
        let description = "An integer in decimal digits, possibly beyond 2^53: pico-dollars, tokens, calls or microseconds.";
        text(description, r"^-?\d+$", "29002500000").into()
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let pattern = r"^-?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$";
        text(
            "RFC 3339, UTC, microseconds.",
            pattern,
            "2026-11-22T22:49:12.768354Z",
        )
        .into()
    }
}

impl PartialSchema for Count {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .description(Some("A whole number."))
            .minimum(Some(0))
            .build()
            .into()
    }
}

impl ToSchema for Dollars {
    fn name() -> Cow<'static, str> {
        "Usd".into()
    }
}

impl ToSchema for IntText {}

impl ToSchema for Time {}

impl ToSchema for Count {}

/// A fixed set of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident($type:ty), $all:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub(super) $type);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(word(self.0))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .enum_values(Some($all.into_iter().map(word)))
                    .build()
                    .into()
            }
        }

        impl ToSchema for $name {}
    };
}

/// What is called by a word in the JSON.
trait Word {
    fn word(self) -> &'static str;
}

fn word(value: impl Word) -> &'static str {
    value.word()
}

macro_rules! named {
    ($($type:ty),*) => {
        $(impl Word for $type {
            fn word(self) -> &'static str {
                self.name()
            }
        })*
    };
}
named!(Cause, FrameKind, Flag, Unpriced, Unit);

impl Word for Role {
    fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Call => "call",
            Self::Aggregate => "aggregate",
        }
    }
}

impl Word for Signal {
    fn word(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Log => "log",
            Self::Metric => "metric",
        }
    }
}

impl Word for Rule {
    /// The letters under which the documentation explains how calls are counted.
    fn word(self) -> &'static str {
        match self {
            Self::Aggregate => "a",
            Self::SameResponse => "b",
            Self::Wrapper => "c",
            Self::SameResponseElsewhere => "e",
            Self::DetachedTwin => "f",
            Self::ToldByCalls => "g",
        }
    }
}

impl Word for Accounting {
    fn word(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::EmitterInclusive => "emitter_inclusive",
            Self::EmitterExclusive => "emitter_exclusive",
            Self::ArithmeticExclusive => "arithmetic_exclusive",
            Self::Disjoint => "disjoint",
        }
    }
}

words!(
    /// What a frame stands for.
    Kind(FrameKind),
    FrameKind::ALL
);
words!(
    /// What changes in a step of `/why`.
    CauseWord(Cause),
    Cause::ALL
);
words!(
    /// Something a reader of a receipt should know.
    FlagWord(Flag),
    Flag::ALL
);
words!(
    /// Why a call has no cost.
    UnpricedWord(Unpriced),
    [Unpriced::NoUsage, Unpriced::NoModel, Unpriced::UnknownModel, Unpriced::NoRate, Unpriced::Overflow]
);
words!(
    /// What a receipt line counts; `request` is a fee per request.
    LineUnit(Unit),
    TokenClass::ALL
        .map(Unit::Tokens)
        .into_iter()
        .chain(Counter::ALL.map(Unit::Counter))
        .chain([Unit::Request])
);
words!(
    /// Whether a span is a call.
    RoleWord(Role),
    [Role::Plain, Role::Call, Role::Aggregate]
);
words!(
    /// The OTLP signal a call was read from.
    SignalWord(Signal),
    [Signal::Span, Signal::Log, Signal::Metric]
);
words!(
    /// Which rule left a call out: a aggregate above counted calls, b same response id in this trace, c wraps the
    /// calls below, e same response id in another trace, f pair of emitters known to detach, g a metric's sum of calls that are told one by one.
    RuleWord(Rule),
    Rule::ALL
);
words!(
    /// Which rule decided whether cached tokens are part of the reported input.
    AccountingWord(Accounting),
    [
        Accounting::Spec,
        Accounting::EmitterInclusive,
        Accounting::EmitterExclusive,
        Accounting::ArithmeticExclusive,
        Accounting::Disjoint,
    ]
);

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn values_are_exact() {
        assert_eq!(json(Dollars(UsdSum(29_002_500_000))), r#""0.0290025""#);
        assert_eq!(json(Dollars(UsdSum(-1))), r#""-0.000000000001""#);
        assert_eq!(json(IntText(i128::MAX)), format!("\"{}\"", i128::MAX));
        assert_eq!(
            json(Count(i128::from(u64::MAX) + 1)),
            "18446744073709551616"
        );
        assert_eq!(
            json(Time(1_795_387_752_768_354)),
            r#""2026-11-22T22:49:12.768354Z""#
        );
        assert_eq!(json(Time(0)), r#""1970-01-01T00:00:00.000000Z""#);
        assert_eq!(json(Time(i64::MAX)), r#""9999-12-30T22:00:00.999999Z""#);
    }

    #[test]
    fn words_are_the_vocabulary() {
        assert_eq!(json(Kind(FrameKind::Tool)), r#""tool""#);
        assert_eq!(
            json(LineUnit(Unit::Tokens(TokenClass::CacheWrite1h))),
            r#""cache_write_1h""#
        );
        assert_eq!(json(RuleWord(Rule::DetachedTwin)), r#""f""#);
    }
}
