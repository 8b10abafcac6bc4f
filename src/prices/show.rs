//! `costflame prices show`: what a model costs, and why.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use costflame_pricing::{
    Catalog, PriceRequest, RateCard, overrides::Suggestion, provider_of_model,
};

/// The answer as text. Without a provider a model is priced as on a span that names none; where that does not tell, by the only
/// provider that lists it.
pub(super) fn show(catalog: &Catalog, asked: &PriceRequest<'_>) -> Result<String> {
    let model = asked.response_model.unwrap_or_default();
    let guessed = match asked.provider {
        Some(_) => None,
        None => provider_of_model(model),
    };
    let guess = PriceRequest {
        provider: asked.provider.or(guessed),
        provider_guessed: guessed.is_some(),
        ..*asked
    };
    if let Some(card) = catalog.rate_card(&guess) {
        return Ok(text(card));
    }
    let sellers = match asked.provider {
        Some(_) => Vec::new(),
        None => catalog.sellers(model),
    };
    if let [only] = sellers[..] {
        let named = PriceRequest {
            provider: Some(only),
            ..*asked
        };
        if let Some(card) = catalog.rate_card(&named) {
            let note = "no other provider lists it; a span has to name the provider\n";
            return Ok(text(card) + note);
        }
    }
    if !sellers.is_empty() {
        bail!(
            "{model} alone does not tell the provider. `--provider` shows the price of one of them: {}",
            sellers.join(", ")
        );
    }
    let suggestion = Suggestion {
        provider: asked.provider,
        model: asked.response_model,
        units: &[],
    };
    bail!("{model} has no price. An override would give it one:\n\n{suggestion}");
}

fn text(card: RateCard) -> String {
    let mut out = String::new();
    let since = card.price.since.as_deref().unwrap_or("no date is known");
    let flags: Vec<_> = card.flags.iter().map(|flag| flag.name()).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{} {}", card.price.provider, card.price.model);
    let _ = writeln!(out, "in force since: {since}");
    if !flags.is_empty() {
        let _ = writeln!(out, "flags: {}", flags.join(", "));
    }
    if !card.price.condition.is_empty() {
        let _ = writeln!(out, "condition: {}", card.price.condition);
    }
    for unit in card.rates {
        let _ = write!(out, "{:<18} {}", unit.unit.name(), unit.rate);
        if unit.per != 1_000_000 {
            let _ = write!(out, " per {}", unit.per);
        }
        if unit.largest != unit.rate {
            let _ = write!(out, "   {} in the largest prompts", unit.largest);
        }
        out.push('\n');
    }
    out.push_str("dollars per million tokens, or as it says\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(provider: Option<&'a str>, model: &'a str) -> PriceRequest<'a> {
        PriceRequest {
            provider,
            response_model: Some(model),
            at_us: 1_795_000_000_000_000,
            ..PriceRequest::default()
        }
    }

    #[test]
    fn shows_what_a_model_costs_and_what_would_price_one() {
        let catalog = Catalog::embedded();
        let text = show(&catalog, &asked(None, "gpt-4o-2024-08-06")).expect("a price");
        assert!(text.starts_with("openai gpt-4o"), "{text}");
        assert!(text.contains("input              2.5\n"), "{text}");
        assert!(text.contains("cache_read         1.25\n"), "{text}");
        let tiers = show(&catalog, &asked(Some("google"), "gemini-2.5-pro")).expect("a price");
        assert!(
            tiers.contains("1.25   2.5 in the largest prompts"),
            "{tiers}"
        );
        let whisper = show(&catalog, &asked(Some("groq"), "whisper-large-v3")).expect("a price");
        assert!(whisper.contains(" per 3600"), "{whisper}");
        let error = show(&catalog, &asked(Some("azure"), "my-deployment")).unwrap_err();
        assert!(error.to_string().contains("[[override]]"), "{error}");
    }

    #[test]
    fn a_name_tells_its_provider_or_who_lists_it() {
        let embedded = Catalog::embedded();
        for (model, start) in [
            ("text-embedding-3-small", "openai text-embedding-3-small"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws "),
        ] {
            let text = show(&embedded, &asked(None, model)).expect(model);
            assert!(text.starts_with(start), "{text}");
        }
        let provider = |id: &str, models: [&str; 2]| {
            let model = |id| {
                format!(
                    r#"{{"id": "{id}", "match": {{"equals": "{id}"}}, "prices": {{"input_mtok": 1}}}}"#
                )
            };
            let models = models.map(model).join(",");
            format!(r#"{{"id": "{id}", "api_pattern": "{id}", "models": [{models}]}}"#)
        };
        let json = [provider("p", ["m", "rare"]), provider("q", ["m", "other"])].join(",");
        let catalog = Catalog::from_json(format!("[{json}]").as_bytes()).expect("a catalog");
        let only = show(&catalog, &asked(None, "rare")).expect("the only one");
        assert!(
            only.starts_with("p rare") && only.contains("no other provider"),
            "{only}"
        );
        let several = show(&catalog, &asked(None, "m")).unwrap_err().to_string();
        assert!(several.ends_with("one of them: p, q"), "{several}");
        let nobody = show(&catalog, &asked(None, "mine"))
            .unwrap_err()
            .to_string();
        assert!(nobody.contains("[[override]]"), "{nobody}");
    }
}
