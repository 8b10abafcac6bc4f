//! Receipts as a reader sees them, and the laws that every receipt keeps.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;

use costflame_pricing::{
    Accounting, Catalog, Flag, Normal, PriceRequest, Receipt, ReportedUsage, TokenClass,
    UnpackError, Unpriced, Usage, Usd, UsdSum, normalise,
};
use proptest::{prelude::*, sample::Index};

/// 2026-11-18 13:00 UTC.
const AT_US: i64 = 1_795_006_800_000_000;

const CALL: PriceRequest<'static> = PriceRequest {
    provider: Some("openai"),
    provider_guessed: false,
    server_address: None,
    response_model: None,
    request_model: None,
    at_us: AT_US,
    service_tier: None,
    processing: None,
    speed: None,
    service: None,
    environment: None,
    reported_cost: None,
};

fn usage(classes: &[(TokenClass, u64)]) -> Normal {
    let mut usage = Usage::default();
    for (class, tokens) in classes {
        usage.set(*class, *tokens);
    }
    Normal {
        usage,
        ..Normal::default()
    }
}

fn plain(input: u64, output: u64) -> Normal {
    usage(&[(TokenClass::Input, input), (TokenClass::Output, output)])
}

fn price(request: PriceRequest<'_>, normal: &Normal) -> Receipt {
    Catalog::embedded().price(&request, Some(normal))
}

fn model(provider: &'static str, model: &'static str) -> PriceRequest<'static> {
    PriceRequest {
        provider: Some(provider),
        response_model: Some(model),
        ..CALL
    }
}

/// The receipt as a text: the price, the lines, the sum.
fn print(receipt: &Receipt) -> String {
    let mut text = String::new();
    if let Some(price) = &receipt.price {
        let since = price.since.as_deref().unwrap_or("ever");
        writeln!(
            text,
            "{}/{} since {since} [{}]",
            price.provider, price.model, price.condition
        )
        .unwrap();
    }
    for line in &receipt.lines {
        let rate = Usd(line.rate);
        writeln!(
            text,
            "{} {} × {rate}/{} = {}",
            line.unit.name(),
            line.quantity,
            line.per,
            line.amount
        )
        .unwrap();
    }
    let cost = receipt.cost.map(|cost| cost.to_string());
    let why = receipt.unpriced.map_or("", Unpriced::name);
    let flags: Vec<_> = receipt.flags.iter().map(Flag::name).collect();
    write!(text, "= {} {flags:?}", cost.as_deref().unwrap_or(why)).unwrap();
    text
}

fn print_priced(request: PriceRequest<'_>, normal: &Normal) -> String {
    print(&price(request, normal))
}

#[test]
fn float_dust_is_no_price() {
    insta::assert_snapshot!(print_priced(
        model("huggingface_together", "Qwen/Qwen3-VL-8B-Instruct"),
        &plain(1_234_567, 89)
    ));
    insta::assert_snapshot!(print_priced(
        model("openrouter", "google/gemini-2.5-flash"),
        &usage(&[
            (TokenClass::Input, 10),
            (TokenClass::CacheWrite, 1_000_003),
            (TokenClass::Output, 7)
        ])
    ));
}

#[test]
fn cached_tokens_of_every_life() {
    insta::assert_snapshot!(print_priced(
        model("anthropic", "claude-sonnet-4-5"),
        &usage(&[
            (TokenClass::Input, 21),
            (TokenClass::CacheRead, 500),
            (TokenClass::CacheWrite, 1_000),
            (TokenClass::CacheWrite1h, 3_000),
            (TokenClass::Output, 300),
        ])
    ));
    // A model without a price for one hour takes the price of any write, else of the input.
    insta::assert_snapshot!(print_priced(
        model("mistral", "mistral-small-latest"),
        &usage(&[
            (TokenClass::CacheWrite1h, 1_000),
            (TokenClass::Reasoning, 10)
        ])
    ));
}

#[test]
fn tiers_begin_above_their_threshold_and_hold_for_the_whole_request() {
    let request = model("openai", "gpt-5.4");
    let cached = |input| {
        usage(&[
            (TokenClass::Input, input),
            (TokenClass::CacheRead, 2_000),
            (TokenClass::Output, 10),
        ])
    };
    insta::assert_snapshot!(print_priced(request, &cached(269_999)));
    insta::assert_snapshot!(print_priced(request, &cached(270_000)));
    insta::assert_snapshot!(print_priced(request, &cached(270_001)));
}

#[test]
fn service_tiers_and_batches() {
    let flex = PriceRequest {
        service_tier: Some("flex"),
        ..model("openai", "gpt-5")
    };
    insta::assert_snapshot!(print_priced(flex, &plain(1_000, 100)));
    let before = PriceRequest {
        service_tier: Some("priority"),
        at_us: 1_760_000_000_000_000,
        ..flex
    };
    insta::assert_snapshot!(print_priced(before, &plain(1_000, 100)));
    let batch = PriceRequest {
        processing: Some("batch"),
        ..model("anthropic", "claude-sonnet-4-5")
    };
    insta::assert_snapshot!(print_priced(batch, &plain(1_000, 100)));
    let as_a_tier = PriceRequest {
        service_tier: Some("BATCH"),
        processing: None,
        ..batch
    };
    assert_eq!(
        print_priced(as_a_tier, &plain(1_000, 100)),
        print_priced(batch, &plain(1_000, 100))
    );
    let standard = PriceRequest {
        service_tier: Some("default"),
        ..model("openai", "gpt-5")
    };
    assert!(
        !price(standard, &plain(1, 1))
            .flags
            .contains(Flag::TierUnpriced)
    );
}

#[test]
fn fast_mode_and_time_of_day() {
    let fast = PriceRequest {
        speed: Some("fast"),
        ..model("anthropic", "claude-opus-5")
    };
    insta::assert_snapshot!(print_priced(fast, &plain(1_000, 100)));
    let peak = PriceRequest {
        at_us: AT_US - 11 * 3_600_000_000,
        ..model("deepseek", "deepseek-v4-pro")
    };
    insta::assert_snapshot!(print_priced(peak, &plain(1_000, 100)));
}

#[test]
fn other_units() {
    let mut normal = plain(0, 0);
    normal.usage.counters[4] = 3;
    insta::assert_snapshot!(print_priced(model("groq", "whisper-large-v3"), &normal));
    normal.usage.counters[4] = 61;
    insta::assert_snapshot!(print_priced(model("openai", "whisper-1"), &normal));
    insta::assert_snapshot!(print_priced(
        model("perplexity", "sonar"),
        &plain(1_000, 100)
    ));
    let audio = usage(&[
        (TokenClass::AudioIn, 1_200),
        (TokenClass::CacheReadAudio, 600),
        (TokenClass::AudioOut, 900),
    ]);
    insta::assert_snapshot!(print_priced(model("openai", "gpt-realtime"), &audio));
}

#[test]
fn free_is_zero_and_unknown_is_not() {
    insta::assert_snapshot!(print_priced(
        model("openrouter", "qwen/qwen3-coder:free"),
        &plain(1_000, 100)
    ));
    let why = |request, normal: &Normal| {
        let receipt = price(request, normal);
        assert_eq!((receipt.cost, receipt.lines.len()), (None, 0));
        receipt.unpriced.unwrap()
    };
    assert_eq!(
        why(model("cerebras", "qwen-3-coder-480b"), &plain(1, 1)),
        Unpriced::NoRate
    );
    assert_eq!(
        why(model("openai", "text-embedding-3-small"), &plain(1, 1)),
        Unpriced::NoRate
    );
    assert_eq!(
        why(model("openai", "gpt-99"), &plain(1, 1)),
        Unpriced::UnknownModel
    );
    assert_eq!(
        why(model("ollama", "gpt-4o"), &plain(1, 1)),
        Unpriced::UnknownModel
    );
    assert_eq!(why(model("openai", " "), &plain(1, 1)), Unpriced::NoModel);
    assert_eq!(why(CALL, &plain(1, 1)), Unpriced::NoModel);
    let no_usage = Catalog::embedded().price(&model("openai", "gpt-4o"), None);
    assert_eq!(
        (no_usage.cost, no_usage.unpriced),
        (None, Some(Unpriced::NoUsage))
    );
    let nothing = price(model("openai", "gpt-4o"), &plain(0, 0));
    assert_eq!((nothing.cost, nothing.unpriced), (Some(Usd(0)), None));
}

#[test]
fn what_does_not_fit_is_unknown() {
    let receipt = price(model("openai", "gpt-4"), &plain(1 << 53, 0));
    assert_eq!(
        (receipt.cost, receipt.unpriced, receipt.lines.len()),
        (None, Some(Unpriced::Overflow), 0)
    );
    assert!(receipt.flags.contains(Flag::Overflow));
    // Each line fits, their sum does not: 200 million tokens at 60 dollars and more at 30.
    let sum = price(
        model("openai", "gpt-4"),
        &plain(300_000_000_000, 10_000_000_000),
    );
    assert_eq!(sum.unpriced, Some(Unpriced::Overflow));
    assert!(
        price(model("openai", "gpt-4"), &plain(300_000_000_000, 0))
            .cost
            .is_some()
    );
}

#[test]
fn the_reported_cost_counts_where_there_is_no_price() {
    let reported = |name, cost| {
        let request = PriceRequest {
            reported_cost: Some(Usd(cost)),
            ..model("azure", name)
        };
        price(request, &plain(1_000, 100))
    };
    let told = reported("my-deployment", 77);
    assert_eq!((told.cost, told.unpriced), (Some(Usd(77)), None));
    assert!(told.flags.contains(Flag::ReportedCost));
    assert_eq!(told.lines.len(), 1);
    assert_eq!(reported("my-deployment", 0).cost, None);
    let known = reported("gpt-4o", 77);
    assert!(!known.flags.contains(Flag::ReportedCost));
    assert_ne!(known.cost, Some(Usd(77)));
}

#[test]
fn a_guessed_provider_has_its_corrections() {
    let guessed = PriceRequest {
        provider: None,
        response_model: Some("deepseek-chat"),
        ..CALL
    };
    let named = model("deepseek", "deepseek-chat");
    let usage = plain(1_000_000, 1_000_000);
    assert_eq!(price(guessed, &usage).cost, price(named, &usage).cost);
    assert!(price(guessed, &usage).flags.contains(Flag::Corrected));
}

#[test]
fn a_correction_of_the_name_asked_for_leaves_the_model_that_served() {
    let request = PriceRequest {
        response_model: Some("mistral-large-2411"),
        ..model("mistral_ai", "mistral-large-latest")
    };
    let receipt = price(request, &plain(1_000_000, 0));
    assert_eq!(receipt.cost, Some(Usd(2_000_000_000_000)));
    assert!(!receipt.flags.contains(Flag::Corrected));
}

#[test]
fn the_reported_cost_stands_beside() {
    let reported = |cost, normal: &Normal| {
        price(
            PriceRequest {
                reported_cost: Some(Usd(cost)),
                ..model("openai", "gpt-4o")
            },
            normal,
        )
        .reported
    };
    assert_eq!(reported(5, &plain(1, 1)), Some(Usd(5)));
    assert_eq!(reported(0, &plain(1, 1)), None);
    assert_eq!(reported(0, &plain(0, 0)), Some(Usd(0)));
}

#[test]
fn names_in_the_field_find_their_price() {
    let found = |request: PriceRequest<'_>| {
        let receipt = price(request, &plain(1, 1));
        let flags: Vec<_> = receipt.flags.iter().map(Flag::name).collect();
        receipt.price.map(|price| {
            format!("{}/{} {}", price.provider, price.model, flags.join(" "))
                .trim()
                .to_owned()
        })
    };
    let named = |provider, name| found(model(provider, name));
    let lines = [
        named("openai", "openai/gpt-4o"),
        named("gcp.gemini", "models/gemini-2.5-flash"),
        named("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro"),
        named("gcp.vertex_ai", "claude-sonnet-4-5@20250929"),
        named("anthropic", "claude-sonnet-4-5-20250929"),
        named(
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        named(
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2",
        ),
        named("azure.ai.openai", "gpt-4o-2024-08-06"),
        named("azure.ai.inference", "grok-4"),
        named("openai", "gpt-5.2-20251211"),
        named("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc"),
        named("litellm", "anthropic/claude-sonnet-4-5"),
        named("my-gateway", "claude-sonnet-4-5"),
        named("openai", "groq/llama-3.3-70b-versatile"),
        named("together_ai", "deepseek/deepseek-chat"),
        named("openrouter", "openrouter/anthropic/claude-sonnet-4.5"),
        found(PriceRequest {
            provider: None,
            server_address: Some("api.groq.com"),
            request_model: Some("llama-3.3-70b-versatile"),
            ..CALL
        }),
        found(PriceRequest {
            server_address: Some("api.deepseek.com:443"),
            request_model: Some("deepseek-chat"),
            ..CALL
        }),
        found(PriceRequest {
            response_model: Some("my-deployment"),
            request_model: Some("gpt-4o"),
            ..CALL
        }),
        found(PriceRequest {
            provider: Some("Baseten"),
            request_model: Some("moonshotai/Kimi-K3"),
            ..CALL
        }),
    ];
    let text: Vec<_> = lines
        .into_iter()
        .map(|line| line.unwrap_or_else(|| "unknown".to_owned()))
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn flags_and_accounting_of_the_usage_stay() {
    let reported = ReportedUsage {
        input: Some(10),
        output: Some(5),
        reasoning: Some(9),
        ..ReportedUsage::default()
    };
    let normal = normalise(&reported, Accounting::EmitterInclusive, None).unwrap();
    let receipt = price(model("openai", "gpt-4o"), &normal);
    assert_eq!(receipt.accounting, Accounting::EmitterInclusive);
    assert!(receipt.flags.contains(Flag::Clamped));
    assert_eq!(receipt.usage, normal.usage);
    assert_eq!(receipt.catalog, Catalog::embedded().id());
}

fn models() -> &'static [(String, String)] {
    static MODELS: std::sync::LazyLock<Vec<(String, String)>> = std::sync::LazyLock::new(|| {
        Catalog::embedded()
            .models()
            .map(|(provider, model)| (provider.to_owned(), model.to_owned()))
            .collect()
    });
    &MODELS
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let tokens = prop_oneof![2 => Just(0_u64), 4 => 0_u64..400_000, 1 => 0_u64..1 << 53];
    let counters = proptest::array::uniform6(prop_oneof![4 => Just(0_u64), 1 => 0_u64..100]);
    (proptest::array::uniform12(tokens), counters)
        .prop_map(|(tokens, counters)| Usage { tokens, counters })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn lines_add_up_to_the_cost(at in any::<Index>(), usage in any_usage(), at_us in 0_i64..2_000_000_000_000_000) {
        let (provider, name) = at.get(models());
        let request = PriceRequest { provider: Some(provider), request_model: Some(name), at_us, ..CALL };
        let receipt = price(request, &Normal { usage, ..Normal::default() });
        prop_assert_eq!(receipt.cost.is_none(), receipt.unpriced.is_some());
        prop_assert!(receipt.cost.is_some() || receipt.lines.is_empty());
        if let Some(cost) = receipt.cost {
            prop_assert_eq!(receipt.lines.iter().map(|line| line.amount).sum::<UsdSum>(), UsdSum::from(cost));
            let tokens: u64 = receipt.lines.iter().filter(|line| line.per == 1_000_000).map(|line| line.quantity).sum();
            prop_assert!(tokens >= usage.total());
        }
        prop_assert_eq!(Receipt::unpack(&receipt.pack()).unwrap(), receipt);
    }

    /// The same number of input tokens in all three requests, so the same tier.
    #[test]
    fn price_is_linear_inside_a_tier(at in any::<Index>(), input in 0_u64..300_000, output in 0_u64..9_000, more in 0_u64..9_000) {
        let (provider, name) = at.get(models());
        let request = PriceRequest { provider: Some(provider), request_model: Some(name), ..CALL };
        let output_cost = |output| {
            let receipt = price(request, &plain(input, output));
            let line = receipt.lines.iter().find(|line| line.unit.name() == "output").copied();
            receipt.cost.and(line)
        };
        let (Some(once), Some(other), Some(both)) = (output_cost(output), output_cost(more), output_cost(output + more)) else {
            return Ok(());
        };
        prop_assert_eq!((once.rate, once.rate), (other.rate, both.rate));
        // Each of the three amounts is rounded once, by at most half a pico-dollar.
        prop_assert!((once.amount.0 + other.amount.0 - both.amount.0).abs() <= 1);
        prop_assert_eq!(i128::from(both.rate) * i128::from(both.quantity) / 1_000_000, i128::from(both.amount.0));
    }

    #[test]
    fn names_never_panic(provider in ".{0,20}", name in ".{0,40}|[a-z0-9/:.-]{0,40}", address in ".{0,20}") {
        let request = PriceRequest {
            provider: Some(&provider),
            server_address: Some(&address),
            response_model: Some(&name),
            ..CALL
        };
        let receipt = price(request, &plain(1, 1));
        prop_assert_eq!(receipt.cost.is_none(), receipt.unpriced.is_some());
    }

    #[test]
    fn damaged_receipts_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Receipt::unpack(&bytes);
    }
}

#[test]
fn packed_receipts_carry_their_version() {
    let receipt = price(model("anthropic", "claude-sonnet-4-5"), &plain(10, 10));
    let packed = receipt.pack();
    assert!(packed.len() < 128, "{} bytes", packed.len());
    assert!(matches!(Receipt::unpack(&[]), Err(UnpackError::Empty)));
    assert!(matches!(
        Receipt::unpack(&[9, 0]),
        Err(UnpackError::Version(9))
    ));
    assert!(matches!(
        Receipt::unpack(&packed[..packed.len() - 1]),
        Err(UnpackError::Damaged(_))
    ));
    assert!(matches!(
        Receipt::unpack(&[packed, vec![0]].concat()),
        Err(UnpackError::Damaged(_))
    ));
}
