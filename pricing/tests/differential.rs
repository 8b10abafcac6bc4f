//! Our integers against the floats of the crate `genai-prices` over the same catalog.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use costflame_pricing::{Catalog, Counter, Normal, PriceRequest, TokenClass, Unpriced, Usage};
use genai_prices::{Calculator, UsageKey};
use proptest::{prelude::*, sample::Index};

/// The other implementation with our catalog.
fn calculator() -> &'static Calculator {
    static CALCULATOR: LazyLock<Calculator> =
        LazyLock::new(|| Calculator::from_json(Catalog::embedded_json()).unwrap());
    &CALCULATOR
}

/// Our catalog as the other implementation sees it: without corrections.
fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> =
        LazyLock::new(|| Catalog::from_json(Catalog::embedded_json()).unwrap());
    &CATALOG
}

/// A model name that the entry of this id in the file matches, whatever else the entry matches.
fn names() -> Vec<(String, String)> {
    let providers: serde_json::Value = serde_json::from_slice(Catalog::embedded_json()).unwrap();
    let mut names = Vec::new();
    for provider in providers.as_array().unwrap() {
        let id = provider["id"].as_str().unwrap();
        for model in provider["models"].as_array().unwrap() {
            names.push((id.to_owned(), model["id"].as_str().unwrap().to_owned()));
            literals(&model["match"], &mut |literal| {
                names.push((id.to_owned(), literal.to_owned()))
            });
        }
    }
    names
}

fn literals(rule: &serde_json::Value, found: &mut impl FnMut(&str)) {
    match rule {
        serde_json::Value::String(literal) => found(literal),
        serde_json::Value::Array(rules) => rules.iter().for_each(|rule| literals(rule, found)),
        serde_json::Value::Object(rule) => {
            for (_, argument) in rule.iter().filter(|(operation, _)| *operation != "regex") {
                literals(argument, found);
            }
        }
        _ => {}
    }
}

/// The same usage as nested counts, as the other implementation takes it.
fn nested(usage: &Usage) -> genai_prices::Usage {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let sum =
        |classes: &[TokenClass]| classes.iter().map(|class| usage.get(*class)).sum::<u64>() as f64;
    use TokenClass as C;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let searches = usage.count(Counter::WebSearches) as f64;
    genai_prices::Usage::from([
        (
            UsageKey::INPUT_TOKENS,
            sum(&C::ALL.map(|class| if class.is_input() { class } else { C::Input })[..8]),
        ),
        (
            UsageKey::OUTPUT_TOKENS,
            sum(&[C::Output, C::Reasoning, C::AudioOut, C::ImageOut]),
        ),
        (
            UsageKey::CACHE_READ_TOKENS,
            sum(&[C::CacheRead, C::CacheReadAudio]),
        ),
        (
            UsageKey::CACHE_WRITE_TOKENS,
            sum(&[C::CacheWrite, C::CacheWrite1h]),
        ),
        (UsageKey::CACHE_WRITE_1H_TOKENS, sum(&[C::CacheWrite1h])),
        (
            UsageKey::INPUT_AUDIO_TOKENS,
            sum(&[C::AudioIn, C::CacheReadAudio]),
        ),
        (UsageKey::CACHE_AUDIO_READ_TOKENS, sum(&[C::CacheReadAudio])),
        (UsageKey::INPUT_IMAGE_TOKENS, sum(&[C::ImageIn])),
        (UsageKey::CACHE_IMAGE_READ_TOKENS, 0.0),
        (UsageKey::INPUT_VIDEO_TOKENS, sum(&[C::VideoIn])),
        (UsageKey::OUTPUT_REASONING_TOKENS, sum(&[C::Reasoning])),
        (UsageKey::OUTPUT_AUDIO_TOKENS, sum(&[C::AudioOut])),
        (UsageKey::OUTPUT_IMAGE_TOKENS, sum(&[C::ImageOut])),
        (UsageKey::WEB_SEARCHES, searches),
    ])
}

fn usage() -> impl Strategy<Value = Usage> {
    let tokens = prop_oneof![3 => Just(0_u64), 4 => 0_u64..5_000, 2 => 100_000_u64..400_000];
    (proptest::array::uniform12(tokens), 0_u64..3).prop_map(|(tokens, searches)| {
        let mut usage = Usage {
            tokens,
            ..Usage::default()
        };
        usage.counters[Counter::WebSearches as usize] = searches;
        usage
    })
}

/// Seconds from January 2024 to January 2028, when prices in the catalog change.
fn times() -> impl Strategy<Value = i64> {
    1_704_067_200_i64..1_830_000_000
}

fn context() -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>)> {
    let tier = proptest::option::of(prop_oneof![
        Just("flex"),
        Just("priority"),
        Just("fast"),
        Just("default")
    ]);
    (tier, proptest::option::of(Just("batch")))
}

#[derive(Debug, PartialEq)]
enum Agreement {
    Same,
    /// We have no rate for a class that the other leaves out of its sum, which is this.
    Unknown(f64),
    /// We know more spellings than the other.
    More,
}

fn compare(
    provider: &str,
    model: &str,
    usage: Usage,
    seconds: i64,
    (service_tier, processing): (Option<&str>, Option<&str>),
) -> Result<Agreement, TestCaseError> {
    let nested = nested(&usage);
    let mut theirs = genai_prices::PriceRequest::new(model, &nested)
        .with_provider_id(provider)
        .with_timestamp(UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs()));
    for (key, value) in [("service_tier", service_tier), ("processing", processing)] {
        if let Some(value) = value {
            theirs = theirs.with_price_context(key, value);
        }
    }
    let request = PriceRequest {
        provider: Some(provider),
        request_model: Some(model),
        at_us: seconds * 1_000_000,
        service_tier,
        processing,
        ..PriceRequest::default()
    };
    let ours = catalog().price(
        &request,
        Some(&Normal {
            usage,
            ..Normal::default()
        }),
    );
    let theirs = match calculator().calculate(&theirs) {
        Ok(theirs) => theirs,
        Err(error) if error.kind() == genai_prices::ErrorKind::ModelNotFound => {
            return Ok(if ours.cost.is_some() {
                Agreement::More
            } else {
                Agreement::Same
            });
        }
        Err(error) => return Err(TestCaseError::fail(format!("{provider}/{model}: {error}"))),
    };
    let price = ours
        .price
        .as_ref()
        .ok_or_else(|| TestCaseError::fail(format!("{provider}/{model} not found")))?;
    prop_assert_eq!(&price.model, &theirs.model_id);
    let Some(cost) = ours.cost else {
        prop_assert_eq!(ours.unpriced, Some(Unpriced::NoRate));
        return Ok(Agreement::Unknown(theirs.total_price));
    };
    #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
    let cost = cost.0 as f64 / 1e12;
    let tolerance = 1e-11 + 1e-9 * theirs.total_price;
    prop_assert!(
        (cost - theirs.total_price).abs() <= tolerance,
        "{}/{}: {} instead of {}",
        provider,
        model,
        cost,
        theirs.total_price
    );
    Ok(Agreement::Same)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn same_as_the_floats(at in any::<Index>(), usage in usage(), seconds in times(), context in context()) {
        let names = names_once();
        let (provider, model) = at.get(names);
        compare(provider, model, usage, seconds, context)?;
    }
}

fn names_once() -> &'static [(String, String)] {
    static NAMES: LazyLock<Vec<(String, String)>> = LazyLock::new(names);
    &NAMES
}

#[test]
fn every_name_resolves_to_the_same_model_and_price() {
    let mut usage = Usage::default();
    usage.set(TokenClass::Input, 1_000);
    let mut same = 0;
    for (provider, model) in names_once() {
        match compare(provider, model, usage, 1_795_000_000, (None, None)) {
            Ok(Agreement::Same) => same += 1,
            // Entries without a price for input tokens: speech, pages, and those nobody entered.
            Ok(Agreement::Unknown(theirs)) => {
                assert!(theirs.abs() < f64::EPSILON, "{provider}/{model}: {theirs}")
            }
            Ok(Agreement::More) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        same > 5_500,
        "only {same} of {} names agree",
        names_once().len()
    );
}
