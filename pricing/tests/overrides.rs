//! Prices above the catalog: a user's own, and the built-in corrections.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use costflame_pricing::{
    Catalog, Flag, Normal, Overrides, PriceRequest, Receipt, TokenClass, Unpriced, Usage,
};

/// 2026-11-21, a Saturday, 02:00 UTC.
const SATURDAY_US: i64 = 1_795_226_400_000_000;
const DAY_US: i64 = 86_400_000_000;

fn catalog(toml: &str) -> Arc<Catalog> {
    Arc::new(
        Catalog::embedded()
            .with_overrides(&Overrides::from_toml(toml).unwrap())
            .unwrap(),
    )
}

fn request(provider: &'static str, model: &'static str) -> PriceRequest<'static> {
    PriceRequest {
        provider: Some(provider),
        response_model: Some(model),
        at_us: SATURDAY_US,
        ..PriceRequest::default()
    }
}

fn price(catalog: &Catalog, request: PriceRequest<'_>, classes: &[(TokenClass, u64)]) -> Receipt {
    let mut usage = Usage::default();
    classes
        .iter()
        .for_each(|(class, tokens)| usage.set(*class, *tokens));
    catalog.price(
        &request,
        Some(&Normal {
            usage,
            ..Normal::default()
        }),
    )
}

/// The cost of a million tokens in and a million out.
fn cost(catalog: &Catalog, request: PriceRequest<'_>) -> String {
    let million = 1_000_000;
    let receipt = price(
        catalog,
        request,
        &[(TokenClass::Input, million), (TokenClass::Output, million)],
    );
    receipt.cost.map_or_else(
        || receipt.unpriced.unwrap().name().to_owned(),
        |cost| cost.to_string(),
    )
}

fn flags(catalog: &Catalog, request: PriceRequest<'_>) -> Vec<&'static str> {
    price(catalog, request, &[(TokenClass::Input, 1)])
        .flags
        .iter()
        .map(Flag::name)
        .collect()
}

#[test]
fn an_alias_is_priced_as_its_target() {
    let catalog = catalog(
        r#"
        [[override]]
        provider = "Azure OpenAI"
        match = { equals = "Prod-Chat" }
        alias_of = "openai/gpt-4o"

        [[override]]
        match = { ends_with = "application-inference-profile/a1b2" }
        alias_of = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"

        [[override]]
        match = { equals = "whisper-prod" }
        alias_of = "openai/gpt-4o-transcribe"
        "#,
    );
    assert_eq!(
        cost(&catalog, request("azure.ai.openai", "prod-chat")),
        "12.5"
    );
    assert_eq!(
        flags(&catalog, request("azure.ai.openai", "prod-chat")),
        ["overridden"]
    );
    assert_eq!(
        cost(&catalog, request("openai", "prod-chat")),
        "unknown_model"
    );
    let profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2";
    assert_eq!(cost(&catalog, request("aws.bedrock", profile)), "19.8");
    // The corrections below the override hold for the target.
    let audio = price(
        &catalog,
        request("azure", "whisper-prod"),
        &[(TokenClass::AudioIn, 1_000_000)],
    );
    assert_eq!(audio.cost.unwrap().to_string(), "2.5");
    assert!(audio.flags.contains(Flag::Corrected) && audio.flags.contains(Flag::Overridden));
}

#[test]
fn own_rates_need_no_entry() {
    let catalog = catalog(
        r#"
        [[override]]
        match = { starts_with = "in-house-" }
        rates = { input_mtok = 0.1, cache_read_mtok = 0.01, output_mtok = { base = 0.2, tiers = [{ start = 2_000_000, price = 9 }] } }
        source = "https://example.com/prices"
        "#,
    );
    let mine = request("ollama", "In-House-7b");
    assert_eq!(cost(&catalog, mine), "0.3");
    let receipt = price(
        &catalog,
        mine,
        &[
            (TokenClass::CacheRead, 2_000_001),
            (TokenClass::Reasoning, 1),
        ],
    );
    assert_eq!(receipt.cost.unwrap().to_string(), "0.02000901");
    let row = receipt.price.unwrap();
    assert_eq!((&*row.provider, &*row.model), ("ollama", "In-House-7b"));
    assert_eq!(
        row.condition,
        "input above 2,000,000 tokens, https://example.com/prices"
    );
    let no_rate = price(&catalog, mine, &[(TokenClass::Input, 1)]);
    assert_eq!(
        (no_rate.cost.is_some(), no_rate.lines[0].rate),
        (true, 100_000_000_000)
    );
}

#[test]
fn a_discount_holds_from_its_day_to_its_last() {
    let catalog = catalog(
        r#"
        [[override]]
        provider = "openai"
        match = { starts_with = "gpt-4o" }
        multiplier = 0.85
        from = 2026-11-21
        until = 2026-11-22

        [[override]]
        match = { equals = "gpt-4o" }
        multiplier = { output_mtok = 2 }
        "#,
    );
    let at = |day: i64| {
        cost(
            &catalog,
            PriceRequest {
                at_us: SATURDAY_US + day * DAY_US,
                ..request("openai", "gpt-4o")
            },
        )
    };
    assert_eq!([at(-1), at(0), at(1)], ["22.5", "10.625", "22.5"]);
    let receipt = price(
        &catalog,
        request("openai", "gpt-4o"),
        &[(TokenClass::Input, 3)],
    );
    assert_eq!(receipt.price.unwrap().since.as_deref(), Some("2026-11-21"));
    assert_eq!(
        (receipt.lines[0].rate, receipt.lines[0].amount.0),
        (2_125_000_000_000, 6_375_000)
    );
}

#[test]
fn rates_replace_only_what_they_name() {
    let catalog =
        catalog("[[override]]\nmatch = { equals = \"gpt-4o\" }\nrates = { output_mtok = 1 }");
    let receipt = price(
        &catalog,
        request("openai", "gpt-4o"),
        &[
            (TokenClass::CacheRead, 1_000_000),
            (TokenClass::Output, 1_000_000),
        ],
    );
    assert_eq!(receipt.cost.unwrap().to_string(), "2.25");
}

#[test]
fn overrides_change_the_identity_of_a_catalog() {
    let one = catalog("[[override]]\nmatch = { equals = \"m\" }\nmultiplier = 2");
    let other = catalog("[[override]]\nmatch = { equals = \"m\" }\nmultiplier = 3");
    assert_ne!(one.id(), other.id());
    assert_ne!(one.id(), Catalog::embedded().id());
    assert_eq!(
        one.id(),
        catalog("[[override]]\nmatch = { equals = \"m\" }\nmultiplier = 2").id()
    );
}

#[test]
fn an_alias_without_target_is_refused() {
    let overrides = Overrides::from_toml(
        "\n[[override]]\nmatch = { equals = \"m\" }\nalias_of = \"openai/gpt-99\"",
    )
    .unwrap();
    let error = Catalog::embedded().with_overrides(&overrides).unwrap_err();
    assert_eq!((error.line, error.is_retryable()), (2, false));
    assert_eq!(
        error.to_string(),
        "line 2: openai/gpt-99 is not in the catalog"
    );
}

#[test]
fn deepseek_has_no_peak_at_the_weekend() {
    let catalog = Catalog::embedded();
    let at = |us: i64| {
        cost(
            &catalog,
            PriceRequest {
                at_us: us,
                ..request("deepseek", "deepseek-v4-pro")
            },
        )
    };
    let (friday, sunday, monday) = (
        SATURDAY_US - DAY_US,
        SATURDAY_US + DAY_US,
        SATURDAY_US + 2 * DAY_US,
    );
    assert_eq!(
        [at(friday), at(SATURDAY_US), at(sunday), at(monday)],
        ["5.28", "2.64", "2.64", "5.28"]
    );
    assert_eq!(at(SATURDAY_US + 3 * 3_600_000_000), "2.64");
}

#[test]
fn gemini_tiers_and_free_models() {
    let catalog = Catalog::embedded();
    let tier = |tier, model| {
        cost(
            &catalog,
            PriceRequest {
                service_tier: Some(tier),
                ..request("gcp.gemini", model)
            },
        )
    };
    assert_eq!(tier("flex", "gemini-2.5-flash"), "1.4");
    assert_eq!(tier("priority", "gemini-2.5-flash"), "5.04");
    assert_eq!(tier("standard", "gemini-2.5-flash"), "2.8");
    assert_eq!(tier("standard", "gemma-3-27b-it"), "0");
    let unknown = price(
        &catalog,
        request("gcp.gemini", "gemini-99"),
        &[(TokenClass::Input, 1)],
    );
    assert_eq!(unknown.unpriced, Some(Unpriced::UnknownModel));
}

#[test]
fn an_override_may_hold_for_one_service_in_one_environment() {
    let overrides = Overrides::from_toml(
        r#"[[override]]
           match = { equals = "gpt-4o" }
           service = "checkout"
           environment = "production"
           multiplier = 0.5"#,
    )
    .unwrap();
    let catalog = Catalog::embedded().with_overrides(&overrides).unwrap();
    let cost = |service, environment| {
        let request = PriceRequest {
            provider: Some("openai"),
            response_model: Some("gpt-4o"),
            service,
            environment,
            at_us: 1_795_000_000_000_000,
            ..PriceRequest::default()
        };
        let mut usage = Usage::default();
        usage.set(TokenClass::Input, 1_000_000);
        let normal = Normal {
            usage,
            ..Normal::default()
        };
        catalog.price(&request, Some(&normal)).cost.unwrap()
    };
    let full = cost(None, None);
    assert_eq!(cost(Some("checkout"), Some("production")).0 * 2, full.0);
    assert_eq!(cost(Some("checkout"), Some("staging")), full);
    assert_eq!(cost(Some("search"), Some("production")), full);
}
