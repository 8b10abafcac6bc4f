//! Reading the catalog's file: the genai-prices v2 format, numbers as text.

use std::{borrow::Cow, collections::HashMap, fmt};

use jiff::civil::{Date, Time};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    CatalogError, Model, Provider,
    prices::{
        Constraint, DAY_US, Day, Price, PriceKey, Prices, Scheduled, Tariff, Tier, Variant, Window,
    },
};
use crate::{
    matching::{Matcher, Pattern},
    rate::Rate,
};

#[derive(Deserialize)]
struct ProviderSource<'a> {
    id: String,
    api_pattern: String,
    provider_match: Option<Matcher>,
    model_match: Option<Matcher>,
    #[serde(default)]
    fallback_model_providers: Option<Vec<String>>,
    #[serde(borrow)]
    models: Vec<ModelSource<'a>>,
}

#[derive(Deserialize)]
struct ModelSource<'a> {
    id: String,
    r#match: Matcher,
    #[serde(borrow)]
    prices: &'a RawValue,
    #[serde(borrow, default)]
    price_variants: Option<Vec<VariantSource<'a>>>,
}

#[derive(Deserialize)]
struct ScheduledSource<'a> {
    #[serde(borrow)]
    constraint: Option<ConstraintSource<'a>>,
    #[serde(borrow)]
    prices: PricesSource<'a>,
}

#[derive(Deserialize)]
struct VariantSource<'a> {
    when: HashMap<String, String>,
    #[serde(borrow)]
    constraint: Option<ConstraintSource<'a>>,
    #[serde(borrow)]
    prices: PricesSource<'a>,
}

#[derive(Deserialize)]
struct ConstraintSource<'a> {
    #[serde(borrow)]
    start_date: Option<Cow<'a, str>>,
    #[serde(borrow)]
    start_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    end_time: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct TieredSource<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    #[serde(borrow)]
    tiers: Vec<TierSource<'a>>,
}

#[derive(Deserialize)]
struct TierSource<'a> {
    start: u64,
    #[serde(borrow)]
    price: &'a RawValue,
}

/// Prices of known keys, and whether there was any key at all.
struct PricesSource<'a> {
    by_key: Vec<(PriceKey, &'a RawValue)>,
    empty: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for PricesSource<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = PricesSource<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of prices")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut source = PricesSource {
                    by_key: Vec::new(),
                    empty: true,
                };
                while let Some((key, value)) = map.next_entry::<KeySource, &RawValue>()? {
                    if value.get() == "null" {
                        continue;
                    }
                    source.empty = false;
                    if let Some(key) = key.0 {
                        source.by_key.retain(|(own, _)| *own != key);
                        source.by_key.push((key, value));
                    }
                }
                Ok(source)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

struct KeySource(Option<PriceKey>);

impl<'de> Deserialize<'de> for KeySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = KeySource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a price")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(KeySource(PriceKey::from_name(name)))
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// Reads providers, in the order of the file: the first match wins.
pub(super) fn read(json: &[u8]) -> Result<Vec<Provider>, CatalogError> {
    let sources: Vec<ProviderSource<'_>> = serde_json::from_slice(json)?;
    let mut index = HashMap::with_capacity(sources.len());
    for (at, source) in sources.iter().enumerate() {
        if index.insert(source.id.clone(), at).is_some() {
            return Err(CatalogError::Duplicate(source.id.clone()));
        }
    }
    sources
        .into_iter()
        .map(|source| provider(source, &index))
        .collect()
}

fn provider(
    source: ProviderSource<'_>,
    index: &HashMap<String, usize>,
) -> Result<Provider, CatalogError> {
    let ProviderSource {
        id,
        api_pattern,
        provider_match,
        model_match,
        fallback_model_providers,
        models,
    } = source;
    let fallbacks = fallback_model_providers.unwrap_or_default();
    let models = models
        .into_iter()
        .map(|source| model(source, &id))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Provider::new(
        id,
        Pattern::from(format!("^(?:{api_pattern})")),
        provider_match,
        model_match,
        fallbacks
            .iter()
            .filter_map(|id| index.get(id).copied())
            .collect(),
        models,
    ))
}

fn model(source: ModelSource<'_>, provider: &str) -> Result<Model, CatalogError> {
    let tariff = tariff(&source).map_err(|problem| CatalogError::Price {
        provider: provider.to_owned(),
        model: source.id.clone(),
        problem,
    })?;
    Ok(Model {
        id: source.id.into_boxed_str(),
        matcher: source.r#match,
        tariff,
    })
}

fn tariff(source: &ModelSource<'_>) -> Result<Tariff, String> {
    let schedule = if source.prices.get().starts_with('[') {
        let entries: Vec<ScheduledSource<'_>> = parse(source.prices)?;
        entries
            .iter()
            .map(scheduled)
            .collect::<Result<Vec<_>, _>>()?
    } else {
        vec![Scheduled {
            constraint: None,
            prices: prices(&parse(source.prices)?)?,
        }]
    };
    if schedule.is_empty() {
        return Err("no price entry".to_owned());
    }
    let variants = source
        .price_variants
        .iter()
        .flatten()
        .map(variant)
        .collect::<Result<_, _>>()?;
    Ok(Tariff { schedule, variants })
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|error| error.to_string())
}

fn scheduled(source: &ScheduledSource<'_>) -> Result<Scheduled, String> {
    let constraint = source.constraint.as_ref().map(constraint).transpose()?;
    Ok(Scheduled {
        constraint,
        prices: prices(&source.prices)?,
    })
}

fn variant(source: &VariantSource<'_>) -> Result<Variant, String> {
    if source.when.is_empty() {
        return Err("a variant without a condition".to_owned());
    }
    let boxed = |text: &String| text.clone().into_boxed_str();
    let mut when: Vec<_> = source
        .when
        .iter()
        .map(|(key, value)| (boxed(key), boxed(value)))
        .collect();
    when.sort_unstable();
    let constraint = source.constraint.as_ref().map(constraint).transpose()?;
    Ok(Variant {
        when,
        constraint,
        prices: prices(&source.prices)?,
    })
}

fn prices(source: &PricesSource<'_>) -> Result<Prices, String> {
    let price = |(key, raw): &(PriceKey, &RawValue)| Ok((*key, price(raw)?));
    let by_key = source
        .by_key
        .iter()
        .map(price)
        .collect::<Result<_, String>>()?;
    Ok(Prices {
        by_key,
        empty: source.empty,
    })
}

fn price(raw: &RawValue) -> Result<Price, String> {
    if !raw.get().starts_with('{') {
        return Ok(Price::flat(rate(raw)?));
    }
    let source: TieredSource<'_> = parse(raw)?;
    let tier = |source: &TierSource<'_>| {
        Ok(Tier {
            above: source.start,
            rate: rate(source.price)?,
        })
    };
    let mut tiers = source
        .tiers
        .iter()
        .map(tier)
        .collect::<Result<Vec<_>, String>>()?;
    tiers.sort_by_key(|tier| tier.above);
    Ok(Price {
        base: rate(source.base)?,
        tiers: tiers.into_boxed_slice(),
    })
}

fn rate(raw: &RawValue) -> Result<Rate, String> {
    Rate::parse(raw.get()).ok_or_else(|| format!("{} is no price", raw.get()))
}

fn constraint(source: &ConstraintSource<'_>) -> Result<Constraint, String> {
    match (&source.start_date, &source.start_time, &source.end_time) {
        (Some(date), None, None) => day(date).map(Constraint::From),
        (None, Some(from), Some(until)) => Ok(Constraint::Daily(Window {
            from_us: time_of_day(from)?,
            until_us: time_of_day(until)?,
        })),
        _ => Err("a constraint is a start_date, or a start_time and an end_time".to_owned()),
    }
}

/// Reads `2026-10-14`.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    let no_day = |error: jiff::Error| format!("{text:?} is no day: {error}");
    let date: Date = text.parse().map_err(no_day)?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(no_day)?;
    Ok(Day {
        date,
        start_us: midnight.timestamp().as_microsecond(),
    })
}

/// Reads `16:30:00Z` or `16:30:00+02:00` into microseconds since midnight UTC.
fn time_of_day(text: &str) -> Result<i64, String> {
    let read = || {
        let zone = text.find(['Z', '+', '-'])?;
        let offset_us = match text[zone..].split_at(1) {
            ("Z", "") => 0,
            ("-", offset) => -clock(offset)?,
            (_, offset) => clock(offset)?,
        };
        Some((clock(&text[..zone])? - offset_us).rem_euclid(DAY_US))
    };
    read().ok_or_else(|| format!("{text:?} is no time of day"))
}

/// Reads `16:30` or `16:30:00` into microseconds since midnight.
pub(crate) fn clock(text: &str) -> Option<i64> {
    let time: Time = text.parse().ok()?;
    i64::try_from(time.duration_since(Time::midnight()).as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_utc() {
        let minutes = |text| time_of_day(text).unwrap() / 60_000_000;
        assert_eq!(minutes("01:00:00Z"), 60);
        assert_eq!(minutes("16:30:00Z"), 16 * 60 + 30);
        assert_eq!(minutes("00:30:00+01:00"), 23 * 60 + 30);
        assert_eq!(minutes("23:30:00-01:30"), 60);
        for text in ["", "01:00:00", "25:00:00Z", "01:00:00+1", "x"] {
            assert!(time_of_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_begin_at_midnight_utc() {
        assert_eq!(day("1970-01-02").unwrap().start_us, DAY_US);
        assert_eq!(day("2026-10-14").unwrap().start_us, 1_791_936_000_000_000);
        assert!(day("2026-02-30").is_err());
    }

    #[test]
    fn later_keys_win_and_null_is_absent() {
        let source: PricesSource<'_> = serde_json::from_str(
            r#"{"input_mtok": 1, "future_unit": 9, "input_mtok": 2.50, "output_mtok": null}"#,
        )
        .unwrap();
        let prices = prices(&source).unwrap();
        assert_eq!(
            prices.by_key,
            [(PriceKey::Input, Price::flat(Rate::parse("2.5").unwrap()))]
        );
        assert!(!prices.empty);
        let nothing: PricesSource<'_> = serde_json::from_str(r#"{"output_mtok": null}"#).unwrap();
        assert!(nothing.empty);
    }
}
