//! Pricing a call again, and which cost counts.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use costflame_pricing::{
    Asked, Catalog, CountedCost, Flag, Normal, Overrides, PriceRequest, Receipt, TokenClass,
    Unpriced, Usage, Usd,
};
use proptest::prelude::*;

const AT_US: i64 = 1_795_006_800_000_000;

fn normal(input: u64, output: u64) -> Normal {
    let mut usage = Usage::default();
    usage.set(TokenClass::Input, input);
    usage.set(TokenClass::Output, output);
    Normal {
        usage,
        ..Normal::default()
    }
}

fn request<'a>(provider: &'a str, model: &'a str) -> PriceRequest<'a> {
    PriceRequest {
        provider: Some(provider),
        response_model: Some(model),
        at_us: AT_US,
        ..PriceRequest::default()
    }
}

/// As a collector keeps it.
fn kept(catalog: &Catalog, request: &PriceRequest<'_>, normal: Option<&Normal>) -> Receipt {
    Receipt {
        asked: Some(Arc::new(Asked::of(request, false))),
        ..catalog.price(request, normal)
    }
}

/// What stands on the call: the provider as in the catalog, the models, the time.
fn on_the_call<'a>(receipt: &'a Receipt, request: &PriceRequest<'a>) -> PriceRequest<'a> {
    PriceRequest {
        provider: receipt.price.as_ref().map(|price| &*price.provider),
        response_model: request.response_model,
        at_us: request.at_us,
        ..PriceRequest::default()
    }
}

fn overridden(toml: &str) -> Catalog {
    let overrides = Overrides::from_toml(toml).unwrap();
    Catalog::embedded().with_overrides(&overrides).unwrap()
}

#[test]
fn the_provider_and_the_tier_as_reported_are_asked_for_again() {
    let catalog = overridden(
        "[[override]]\nprovider = \"azure\"\nmatch = { equals = \"prod\" }\nalias_of = \"openai/gpt-4o\"\n",
    );
    let azure = PriceRequest {
        service_tier: Some("priority"),
        ..request("azure", "prod")
    };
    let receipt = kept(&catalog, &azure, Some(&normal(1_000, 100)));
    assert_eq!(receipt.price.as_ref().unwrap().provider, "openai");
    let call = on_the_call(&receipt, &azure);
    assert_eq!(catalog.reprice(&receipt, &call), receipt);
    let forgetful = Receipt {
        asked: None,
        ..receipt.clone()
    };
    assert_ne!(catalog.reprice(&forgetful, &call).cost, receipt.cost);
}

#[test]
fn what_was_unknown_gets_a_price_and_loses_it_again() {
    let mut mine = request("acme", "in-house");
    mine.reported_cost = Some(Usd(5));
    let plain = Catalog::embedded();
    let mut usage = normal(1_000_000, 0);
    usage.flags.insert(Flag::Clamped);
    let reported = kept(&plain, &mine, Some(&usage));
    assert_eq!(
        (reported.cost, reported.price.is_some()),
        (Some(Usd(5)), false)
    );

    let own =
        overridden("[[override]]\nmatch = { equals = \"in-house\" }\nrates = { input_mtok = 2 }\n");
    let priced = own.reprice(&reported, &mine);
    assert_eq!(priced.cost.unwrap().to_string(), "2");
    assert_eq!(priced, kept(&own, &mine, Some(&usage)));
    assert!(priced.flags.contains(Flag::Clamped) && !priced.flags.contains(Flag::ReportedCost));
    assert_eq!(plain.reprice(&priced, &mine), reported);

    let silent = kept(&plain, &request("acme", "in-house"), None);
    assert_eq!(
        own.reprice(&silent, &request("acme", "in-house")).unpriced,
        Some(Unpriced::NoUsage)
    );
}

#[test]
fn a_setting_says_which_cost_counts() {
    let computed = Catalog::embedded();
    let reported = computed.counting(CountedCost::Reported);
    let mut mine = request("openai", "gpt-4o");
    let usage = normal(1_000, 100);
    assert_eq!(
        reported.price(&mine, Some(&usage)),
        computed.price(&mine, Some(&usage))
    );

    mine.reported_cost = Some(Usd(77));
    let receipt = reported.price(&mine, Some(&usage));
    assert_eq!(
        (receipt.cost, receipt.reported),
        (Some(Usd(77)), Some(Usd(77)))
    );
    assert_eq!(receipt.computed, computed.price(&mine, Some(&usage)).cost);
    assert!(receipt.flags.contains(Flag::ReportedCost) && receipt.price.is_some());
    assert_eq!(
        receipt.lines.iter().map(|line| line.amount.0).sum::<i64>(),
        77
    );
    assert_eq!(
        computed.reprice(&receipt, &mine),
        computed.price(&mine, Some(&usage))
    );

    mine.reported_cost = Some(Usd(0));
    assert_eq!(
        reported.price(&mine, Some(&usage)).cost,
        computed.price(&mine, Some(&usage)).cost
    );
}

proptest! {
    /// Pricing again by the same prices changes nothing, whatever was reported.
    #[test]
    fn again_is_the_same(
        provider in prop::option::of(prop::sample::select(vec!["openai", "azure.ai.openai", "anthropic", "gcp.vertex_ai", "acme"])),
        model in prop::option::of(prop::sample::select(vec!["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro", "mine", "o3"])),
        tier in prop::option::of(prop::sample::select(vec!["flex", "priority", "batch", "default", "odd"])),
        input in 0_u64..1_000_000,
        output in 0_u64..100_000,
        cost in prop::option::of(0_i64..1_000_000_000_000),
        counted in prop::sample::select(vec![CountedCost::Computed, CountedCost::Reported]),
    ) {
        let catalog = Catalog::embedded().counting(counted);
        let asked = PriceRequest {
            provider,
            response_model: model,
            service_tier: tier,
            reported_cost: cost.map(Usd),
            at_us: AT_US,
            ..PriceRequest::default()
        };
        let usage = normal(input, output);
        let usage = (!usage.usage.is_zero()).then_some(&usage);
        let receipt = kept(&catalog, &asked, usage);
        let call = on_the_call(&receipt, &asked);
        prop_assert_eq!(catalog.reprice(&receipt, &call), receipt);
    }
}
