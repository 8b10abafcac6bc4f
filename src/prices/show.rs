//! `costflame prices show`: what a model costs, and why.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use costflame_pricing::{Catalog, PriceRequest, overrides::Suggestion};

/// The answer as text.
pub(super) fn show(catalog: &Catalog, asked: &PriceRequest<'_>) -> Result<String> {
    let Some(card) = catalog.rate_card(asked) else {
        let suggestion = Suggestion {
            provider: asked.provider,
            model: asked.response_model,
            units: &[],
        };
        bail!(
            "{} has no price. An override would give it one:\n\n{suggestion}",
            asked.response_model.unwrap_or_default()
        );
    };
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
    Ok(out)
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
}
