//! Prices of 247 calls that other implementations agree on, or that were decided by the price pages.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use costflame_pricing::{
    Accounting, Catalog, Counter, Flag, Normal, PriceRequest, Receipt, ReportedUsage, TokenClass,
    Usd, UsdSum, normalise,
};
use jiff::Timestamp;
use serde_json::Value;

fn cases() -> Vec<Value> {
    include_str!("oracle.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text<'a>(case: &'a Value, path: &str) -> Option<&'a str> {
    case.pointer(path).and_then(Value::as_str)
}

fn request(case: &Value) -> PriceRequest<'_> {
    PriceRequest {
        provider: text(case, "/provider"),
        response_model: text(case, "/model"),
        at_us: text(case, "/timestamp")
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
            .as_microsecond(),
        service_tier: text(case, "/context/service_tier"),
        processing: text(case, "/context/processing"),
        ..PriceRequest::default()
    }
}

/// The usage of a case as disjoint classes.
fn classes(case: &Value) -> Normal {
    let mut normal = Normal {
        accounting: Accounting::Disjoint,
        ..Normal::default()
    };
    for (name, tokens) in case["classes"].as_object().unwrap() {
        let tokens = tokens.as_u64().unwrap();
        match name.as_str() {
            "cache_write_5m" => normal.usage.set(TokenClass::CacheWrite, tokens),
            "web_search" => normal.usage.counters[Counter::WebSearches as usize] = tokens,
            name => {
                let class = TokenClass::ALL
                    .into_iter()
                    .find(|class| class.name() == name)
                    .expect("a known class");
                normal.usage.set(class, tokens);
            }
        }
    }
    normal
}

/// The usage of a case as an emitter that follows the conventions reports it.
fn attributes(case: &Value) -> ReportedUsage {
    let number = |key: &str| {
        case["span_attributes"]
            .get(key)
            .map(|value| value.as_u64().unwrap())
    };
    ReportedUsage {
        input: number("gen_ai.usage.input_tokens"),
        output: number("gen_ai.usage.output_tokens"),
        cache_read: number("gen_ai.usage.cache_read.input_tokens"),
        cache_write: number("gen_ai.usage.cache_creation.input_tokens"),
        reasoning: number("gen_ai.usage.reasoning.output_tokens"),
        audio_in: number("gen_ai.usage.audio.input_tokens"),
        audio_out: number("gen_ai.usage.audio.output_tokens"),
        image_in: number("gen_ai.usage.image.input_tokens"),
        image_out: number("gen_ai.usage.image.output_tokens"),
        ..ReportedUsage::default()
    }
}

/// The conventions have no attributes for these.
fn attributes_say_all(case: &Value) -> bool {
    let classes = case["classes"].as_object().unwrap();
    !["cache_write_1h", "cache_read_audio", "web_search"]
        .iter()
        .any(|class| classes.contains_key(*class))
}

fn cost(receipt: &Receipt) -> Option<String> {
    receipt.cost.map(|cost| cost.to_string())
}

/// What a case must cost: `Some(None)` = unknown, `None` = it is not decided.
fn expected(case: &Value) -> Option<Option<String>> {
    let decimal = |text: &str| Usd::parse_decimal(text).unwrap().to_string();
    match text(case, "/verdict/use").unwrap() {
        "both" | "genai_prices" => Some(text(case, "/genai_prices/cost").map(decimal)),
        // A float, exact in its first 15 digits.
        "litellm" => Some(
            case["litellm"]["cost"]
                .as_f64()
                .and_then(Usd::from_f64)
                .map(|cost| cost.to_string()),
        ),
        "none" => Some(None),
        _ => None,
    }
}

#[test]
fn every_decided_case_is_exact() {
    let catalog = Catalog::embedded();
    let (mut decided, mut wrong) = (0, Vec::new());
    for case in cases() {
        let Some(expected) = expected(&case) else {
            continue;
        };
        decided += 1;
        let spec = normalise(
            &attributes(&case),
            Accounting::Spec,
            text(&case, "/provider"),
        )
        .unwrap();
        let mut usages = vec![classes(&case)];
        usages.extend(attributes_say_all(&case).then_some(spec));
        for normal in usages {
            let receipt = catalog.price(&request(&case), Some(&normal));
            if cost(&receipt) != expected {
                wrong.push(format!(
                    "{}: {:?}, expected {expected:?}, {:?}",
                    case["id"],
                    cost(&receipt),
                    receipt.price
                ));
            }
            assert_eq!(receipt.cost.is_none(), receipt.unpriced.is_some());
            if let Some(cost) = receipt.cost {
                assert_eq!(
                    UsdSum::from(cost),
                    receipt.lines.iter().map(|line| line.amount).sum()
                );
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {decided} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(decided >= 242, "only {decided} cases were decided");
}

#[test]
fn attributes_carry_the_same_classes() {
    for case in cases().iter().filter(|case| attributes_say_all(case)) {
        let spec = normalise(&attributes(case), Accounting::Spec, text(case, "/provider")).unwrap();
        assert_eq!(spec.usage, classes(case).usage, "{}", case["id"]);
        assert!(!spec.flags.contains(Flag::Clamped), "{}", case["id"]);
    }
}
