//! Reading the map of model prices of LiteLLM: one flat object by model, dollars per single token.
//!
//! What a key means is in LiteLLM's documentation, <https://docs.litellm.ai/docs/provider_registration/add_model_pricing>.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use super::{
    CatalogError, Model, Provider, names,
    prices::{Price, PriceKey, Prices, Scheduled, Tariff, Tier, Variant},
};
use crate::{
    matching::{Literal, Matcher, Pattern},
    rate::{Rate, parse_pico},
};

/// What is written of a model, numbers as text.
type Entry<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The kind of request that a price is for: none, or a variant's key and value.
type Kind = Option<(&'static str, &'static str)>;

/// A price before its tiers are known.
#[derive(Default)]
struct Draft {
    base: Option<Rate>,
    tiers: Vec<Tier>,
}

/// Reads providers with their models. Entries without a price, or with prices of zero that no name calls free, say nothing.
pub(super) fn read(json: &[u8]) -> Result<Vec<Provider>, CatalogError> {
    let entries: BTreeMap<String, Entry<'_>> = serde_json::from_slice(json)?;
    let mut by_provider: BTreeMap<String, Vec<Model>> = BTreeMap::new();
    for (key, entry) in entries.iter().filter(|(key, _)| *key != "sample_spec") {
        let Some(provider) = text(entry, "litellm_provider").map(provider_id) else {
            continue;
        };
        let Some(tariff) = tariff(key, entry) else {
            continue;
        };
        let matcher = matcher(key, &provider);
        let id = key.clone().into_boxed_str();
        let model = Model {
            id,
            matcher,
            tariff,
        };
        by_provider.entry(provider).or_default().push(model);
    }
    let nowhere = || Pattern::from("^$".to_owned());
    let provider = |(id, models)| Provider::new(id, nowhere(), None, None, Vec::new(), models);
    Ok(by_provider.into_iter().map(provider).collect())
}

/// `vertex_ai-anthropic_models` and `bedrock_converse` are the provider's APIs, not providers.
fn provider_id(name: String) -> String {
    let name = name
        .strip_prefix("text-completion-")
        .or_else(|| name.strip_suffix("_text"))
        .map_or(name.clone(), str::to_owned);
    let vendor = name
        .split_once('-')
        .map(|(vendor, _)| names::canonical(vendor));
    vendor
        .filter(|vendor| vendor == "google" || vendor == "fireworks")
        .unwrap_or_else(|| names::canonical(&name))
}

/// The key, also without the provider in front of it.
fn matcher(key: &str, provider: &str) -> Matcher {
    let key = key.to_lowercase();
    let bare = key
        .split_once('/')
        .filter(|(prefix, _)| names::canonical(prefix) == provider)
        .map(|(_, bare)| Matcher::Equals(Literal::from(bare.to_owned())));
    let whole = Matcher::Equals(Literal::from(key));
    Matcher::Or([Some(whole), bare].into_iter().flatten().collect())
}

fn text(entry: &Entry<'_>, key: &str) -> Option<String> {
    serde_json::from_str(entry.get(key)?.get()).ok()
}

fn tariff(key: &str, entry: &Entry<'_>) -> Option<Tariff> {
    let mode = text(entry, "mode").unwrap_or_default();
    let mut drafts: Vec<((Kind, PriceKey), Draft)> = Vec::new();
    for (name, value) in entry {
        let Some((kind, above, key, factor)) = meaning(name, &mode) else {
            continue;
        };
        let Some(rate) = rate(value.get(), factor) else {
            continue;
        };
        let place = drafts.iter().position(|(own, _)| *own == (kind, key));
        let place = place.unwrap_or_else(|| {
            drafts.push(((kind, key), Draft::default()));
            drafts.len() - 1
        });
        let draft = &mut drafts[place].1;
        match above {
            Some(above) => draft.tiers.push(Tier { above, rate }),
            None => draft.base = Some(rate),
        }
    }
    let is_free = |draft: &Draft| draft.base.is_none_or(|rate| rate == Rate::FREE);
    if drafts.iter().all(|(_, draft)| is_free(draft)) && !key.ends_with(":free") {
        return None;
    }
    let mut prices: Vec<(Kind, Prices)> = vec![(None, Prices::default())];
    for ((kind, key), draft) in drafts {
        let Some(base) = draft.base else { continue };
        let mut tiers = draft.tiers;
        tiers.sort_by_key(|tier| tier.above);
        let tiers = tiers.into_boxed_slice();
        let place = prices.iter().position(|(own, _)| *own == kind);
        let place = place.unwrap_or_else(|| {
            prices.push((kind, Prices::default()));
            prices.len() - 1
        });
        prices[place].1.by_key.push((key, Price { base, tiers }));
    }
    let (mut schedule, mut variants) = (Vec::new(), Vec::new());
    for (kind, prices) in prices {
        match kind {
            None => schedule.push(Scheduled {
                constraint: None,
                prices,
            }),
            Some((key, value)) => variants.push(Variant {
                when: vec![(Box::from(key), Box::from(value))],
                constraint: None,
                prices,
            }),
        }
    }
    Some(Tariff { schedule, variants })
}

/// What a key says: kind of request, tier, price, and how many units that price is for.
fn meaning(name: &str, mode: &str) -> Option<(Kind, Option<u64>, PriceKey, i64)> {
    const KINDS: [(&str, (&str, &str)); 3] = [
        ("_batches", ("processing", "batch")),
        ("_flex", ("service_tier", "flex")),
        ("_priority", ("service_tier", "priority")),
    ];
    let special = KINDS
        .iter()
        .find_map(|(suffix, kind)| Some((name.strip_suffix(suffix)?, *kind)));
    let (name, kind) = special.map_or((name, None), |(name, kind)| (name, Some(kind)));
    let tier = name.strip_suffix("k_tokens").and_then(|name| {
        let (name, above) = name.rsplit_once("_above_")?;
        Some((name, above.parse::<u64>().ok()?.checked_mul(1_000)?))
    });
    let (name, above) = tier.map_or((name, None), |(name, above)| (name, Some(above)));
    let key = match (name, mode) {
        ("input_cost_per_token", _) => PriceKey::Input,
        ("output_cost_per_token", _) => PriceKey::Output,
        ("cache_read_input_token_cost", _) => PriceKey::CacheRead,
        ("cache_creation_input_token_cost", _) => PriceKey::CacheWrite,
        ("cache_creation_input_token_cost_above_1hr", _) => PriceKey::CacheWrite1h,
        ("input_cost_per_audio_token", _) => PriceKey::InputAudio,
        ("cache_read_input_audio_token_cost", _) => PriceKey::CacheAudioRead,
        ("input_cost_per_image_token", _) => PriceKey::InputImage,
        ("input_cost_per_video_token", _) => PriceKey::InputVideo,
        ("output_cost_per_reasoning_token", _) => PriceKey::OutputReasoning,
        ("output_cost_per_audio_token", _) => PriceKey::OutputAudio,
        ("output_cost_per_image_token", _) => PriceKey::OutputImage,
        ("input_cost_per_character", _) => PriceKey::Characters,
        ("input_cost_per_query", "rerank") => PriceKey::RerankSearches,
        ("ocr_cost_per_page", _) => PriceKey::DocumentPages,
        ("input_cost_per_second", "audio_transcription") => PriceKey::AudioHours,
        _ => return None,
    };
    Some((kind, above, key, i64::from(key.per())))
}

/// Dollars for one unit as a price for many.
fn rate(text: &str, per: i64) -> Option<Rate> {
    let pico = parse_pico(text.trim_matches('"')).filter(|pico| *pico >= 0)?;
    pico.checked_mul(per).map(Rate::of_pico)
}

#[cfg(test)]
mod tests {
    use crate::{
        Catalog, CountedCost, Flag, Normal, Overrides, PriceRequest, Receipt, TokenClass, Unpriced,
        Usage,
    };

    const MAP: &[u8] = br#"{
        "sample_spec": {"input_cost_per_token": 0, "litellm_provider": "one of many", "mode": "one of"},
        "deepinfra/acme/Zeta-70B": {"input_cost_per_token": 2.9999999999999997e-07, "output_cost_per_token": 8e-07,
            "cache_read_input_token_cost": 6e-08, "litellm_provider": "deepinfra", "mode": "chat"},
        "zeta-large": {"input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens": 2e-06,
            "output_cost_per_token": 4e-06, "output_cost_per_token_above_200k_tokens": 8e-06,
            "input_cost_per_token_batches": 5e-07, "output_cost_per_token_flex": 3e-06,
            "litellm_provider": "vertex_ai-anthropic_models", "mode": "chat"},
        "gpt-4o": {"input_cost_per_token": 1, "litellm_provider": "openai", "mode": "chat"},
        "watsonx/silent": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "litellm_provider": "watsonx"},
        "acme/listener": {"input_cost_per_second": 0.0001, "litellm_provider": "acme", "mode": "audio_transcription"}
    }"#;

    fn catalog() -> Catalog {
        Catalog::embedded().with_second(Catalog::from_litellm(MAP).unwrap())
    }

    fn price(
        catalog: &Catalog,
        request: PriceRequest<'_>,
        classes: &[(TokenClass, u64)],
    ) -> Receipt {
        let mut usage = Usage::default();
        classes.iter().for_each(|(class, n)| usage.set(*class, *n));
        let normal = Normal {
            usage,
            ..Normal::default()
        };
        catalog.price(&request, Some(&normal))
    }

    fn asked<'a>(provider: &'a str, model: &'a str) -> PriceRequest<'a> {
        PriceRequest {
            provider: Some(provider),
            response_model: Some(model),
            at_us: 1_795_000_000_000_000,
            ..PriceRequest::default()
        }
    }

    fn cost(receipt: &Receipt) -> Option<String> {
        receipt.cost.map(|cost| cost.to_string())
    }

    #[test]
    fn the_second_source_prices_what_the_first_does_not_know() {
        let catalog = catalog();
        let usage = [
            (TokenClass::Input, 1_000),
            (TokenClass::CacheRead, 100),
            (TokenClass::Output, 10),
        ];
        let receipt = price(&catalog, asked("deepinfra", "acme/Zeta-70B"), &usage);
        assert_eq!(cost(&receipt).as_deref(), Some("0.000314"));
        assert!(receipt.flags.contains(Flag::SecondSource));
        let row = receipt.price.unwrap();
        assert_eq!(
            (&*row.provider, &*row.model),
            ("deepinfra", "deepinfra/acme/Zeta-70B")
        );
        assert_eq!(receipt.catalog, catalog.id());

        let known = price(&catalog, asked("openai", "gpt-4o"), &usage);
        assert!(!known.flags.contains(Flag::SecondSource));
        assert_eq!(
            cost(&known),
            cost(&price(
                &Catalog::embedded(),
                asked("openai", "gpt-4o"),
                &usage
            ))
        );
        for model in ["silent", "watsonx/silent", "nobody"] {
            let unknown = price(&catalog, asked("watsonx", model), &usage);
            assert_eq!(unknown.unpriced, Some(Unpriced::UnknownModel), "{model}");
        }
    }

    #[test]
    fn tiers_batches_and_other_units_are_read() {
        let catalog = catalog();
        let large = [(TokenClass::Input, 200_001), (TokenClass::Output, 1)];
        let receipt = price(&catalog, asked("gcp.vertex_ai", "zeta-large"), &large);
        assert_eq!(cost(&receipt).as_deref(), Some("0.40001"));
        let batch = PriceRequest {
            processing: Some("batch"),
            ..asked("gcp.vertex_ai", "zeta-large")
        };
        let receipt = price(
            &catalog,
            batch,
            &[(TokenClass::Input, 1_000), (TokenClass::Output, 1_000)],
        );
        assert_eq!(cost(&receipt).as_deref(), Some("0.0045"));
        let mut usage = Usage::default();
        usage.counters[crate::Counter::AudioSeconds as usize] = 90;
        let normal = Normal {
            usage,
            ..Normal::default()
        };
        let receipt = catalog.price(&asked("acme", "listener"), Some(&normal));
        assert_eq!(cost(&receipt).as_deref(), Some("0.009"));
    }

    #[test]
    fn overrides_stand_above_the_second_source_too() {
        let own = "[[override]]\nmatch = { starts_with = \"acme/zeta\" }\nmultiplier = 0.5\n\
                   [[override]]\nmatch = { equals = \"mine\" }\nalias_of = \"deepinfra/acme/zeta-70b\"\n";
        let catalog = catalog()
            .with_overrides(&Overrides::from_toml(own).unwrap())
            .unwrap();
        let usage = [(TokenClass::Output, 1_000)];
        let receipt = price(&catalog, asked("deepinfra", "acme/zeta-70b"), &usage);
        assert_eq!(cost(&receipt).as_deref(), Some("0.0004"));
        assert!(
            receipt.flags.contains(Flag::Overridden) && receipt.flags.contains(Flag::SecondSource)
        );
        let receipt = price(&catalog, asked("acme", "mine"), &usage);
        assert_eq!(cost(&receipt).as_deref(), Some("0.0008"));
    }

    #[test]
    fn another_second_source_is_another_snapshot() {
        let embedded = Catalog::embedded();
        assert_ne!(catalog().id(), embedded.id());
        assert_eq!(embedded.counting(CountedCost::Reported).id(), embedded.id());
        assert!(Catalog::from_litellm(b"[]").is_err());
        assert!(Catalog::from_litellm(b"{\"m\": 1}").is_err());
    }
}
