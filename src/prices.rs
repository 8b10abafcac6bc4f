//! The prices in force: those that `serve` uses, and the commands that show and compare them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use costflame_pricing::{
    Catalog, Normal, Overrides, PriceRequest, Receipt, TokenClass, Usage, Usd, receipt::Unit,
};
use costflame_store::CatalogRow;

/// A prompt in the highest context tier of any model.
const LARGE: u64 = 10_000_000;

/// What to do with prices.
#[derive(Clone, Debug, Args)]
pub(crate) struct PricesConfig {
    #[command(subcommand)]
    command: PricesCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum PricesCommand {
    /// Show what a model costs, in dollars per million tokens, and why
    Show {
        /// The model as it stands on spans: a name, a deployment, an ARN
        model: String,
        /// The provider as it stands on spans; without it the model's name decides
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
        /// When: `2026-07-01` or `2026-07-01T12:00:00Z`; now if absent
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<i64>,
        /// Prices of your own, as `serve` takes them
        #[arg(long, env = "COSTFLAME_PRICE_OVERRIDES", value_name = "FILE")]
        price_overrides: Option<PathBuf>,
    },
    /// Show what another catalog would change: models that are new, gone, or cost something else
    Diff {
        /// The other catalog: a file of genai-prices data, version 2
        file: PathBuf,
        /// When: `2026-07-01` or `2026-07-01T12:00:00Z`; now if absent
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<i64>,
    },
}

/// The catalog under the user's overrides, and the snapshot that is kept beside the calls it prices. When the built-in
/// one was fetched is not known: it came with this version.
pub(crate) fn in_force(overrides: Option<&Path>) -> Result<(Arc<Catalog>, CatalogRow)> {
    let embedded = Catalog::embedded();
    let mut source = "genai-prices, with built-in corrections".to_owned();
    let mut text = Catalog::embedded_json().to_vec();
    let mut catalog = embedded;
    if let Some(path) = overrides {
        let own = fs::read_to_string(path)
            .with_context(|| format!("cannot read the price overrides {}", path.display()))?;
        let read = Overrides::from_toml(&own);
        let under = read.and_then(|read| catalog.with_overrides(&read));
        catalog = Arc::new(under.with_context(|| format!("{} is refused", path.display()))?);
        source.push_str(" and overrides");
        text.push(b'\n');
        text.extend_from_slice(own.as_bytes());
    }
    let row = CatalogRow {
        id: catalog.id(),
        source,
        sha256: catalog.sha256(),
        fetched_us: 0,
        body: zstd::encode_all(text.as_slice(), 3).expect("memory takes every write"),
    };
    Ok((catalog, row))
}

/// Runs `costflame prices …`.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub(crate) fn run(config: &PricesConfig) -> Result<()> {
    let text = match &config.command {
        PricesCommand::Show {
            model,
            provider,
            at,
            price_overrides,
        } => {
            let (catalog, _) = in_force(price_overrides.as_deref())?;
            let asked = Asked {
                provider: provider.as_deref(),
                model,
                at_us: at.unwrap_or_else(now_us),
            };
            show(&catalog, &asked)?
        }
        PricesCommand::Diff { file, at } => {
            let json = fs::read(file)
                .with_context(|| format!("cannot read the catalog {}", file.display()))?;
            let other = Catalog::from_json(&json)
                .with_context(|| format!("{} is no catalog", file.display()))?
                .with_corrections();
            diff(&Catalog::embedded(), &other, at.unwrap_or_else(now_us))
        }
    };
    print!("{text}");
    Ok(())
}

struct Asked<'a> {
    provider: Option<&'a str>,
    model: &'a str,
    at_us: i64,
}

impl Asked<'_> {
    fn price(&self, catalog: &Catalog, usage: &[(TokenClass, u64)]) -> Receipt {
        let request = PriceRequest {
            provider: self.provider,
            response_model: Some(self.model),
            at_us: self.at_us,
            ..PriceRequest::default()
        };
        let mut sum = Usage::default();
        usage
            .iter()
            .for_each(|(class, tokens)| sum.set(*class, *tokens));
        let normal = Normal {
            usage: sum,
            ..Normal::default()
        };
        catalog.price(&request, Some(&normal))
    }

    /// Dollars per million tokens of a class, in a small and in a large prompt.
    fn rates(&self, catalog: &Catalog, class: TokenClass) -> Option<(Usd, Usd)> {
        let rate = |usage: &[(TokenClass, u64)]| {
            let receipt = self.price(catalog, usage);
            let is_class = |unit: &Unit| matches!(unit, Unit::Tokens(own) if *own == class);
            let line = receipt
                .lines
                .into_iter()
                .find(|line| is_class(&line.unit))?;
            (line.per == 1_000_000).then_some(Usd(line.rate))
        };
        let small = rate(&[(class, 1)])?;
        let large = if class == TokenClass::Input {
            rate(&[(class, LARGE)])
        } else {
            rate(&[(TokenClass::Input, LARGE), (class, 1)])
        };
        Some((small, large.unwrap_or(small)))
    }
}

fn show(catalog: &Catalog, asked: &Asked<'_>) -> Result<String> {
    let receipt = asked.price(catalog, &[(TokenClass::Input, 1)]);
    let Some(row) = &receipt.price else {
        let why = receipt.unpriced.map_or("unknown", |why| why.name());
        let provider = asked.provider.unwrap_or("openai");
        bail!(
            "{} has no price ({why}). An override would give it one:\n\n[[override]]\nprovider = \"{provider}\"\n\
             match = {{ equals = \"{}\" }}\nrates = {{ input_mtok = 1.0, output_mtok = 2.0 }}",
            asked.model,
            asked.model
        );
    };
    let mut out = String::new();
    let since = row.since.as_deref().unwrap_or("no date is known");
    let flags: Vec<_> = receipt.flags.iter().map(|flag| flag.name()).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{} {}", row.provider, row.model);
    let _ = writeln!(out, "in force since: {since}");
    if !flags.is_empty() {
        let _ = writeln!(out, "flags: {}", flags.join(", "));
    }
    for class in TokenClass::ALL {
        let Some((small, large)) = asked.rates(catalog, class) else {
            continue;
        };
        let _ = write!(out, "{:<18} {small}", class.name());
        if large != small {
            let _ = write!(out, "   {large} in the largest prompts");
        }
        out.push('\n');
    }
    for line in receipt
        .lines
        .iter()
        .filter(|line| line.unit == Unit::Request)
    {
        let _ = writeln!(
            out,
            "{:<18} {} per {}",
            line.unit.name(),
            Usd(line.rate),
            line.per
        );
    }
    out.push_str("dollars per million tokens\n");
    Ok(out)
}

/// Rates by (provider, model), as a text that can be compared.
fn table(catalog: &Catalog, at_us: i64) -> BTreeMap<(String, String), String> {
    let classes = [
        TokenClass::Input,
        TokenClass::CacheRead,
        TokenClass::CacheWrite,
        TokenClass::Output,
    ];
    let rates = |provider: &str, model: &str| {
        let asked = Asked {
            provider: Some(provider),
            model,
            at_us,
        };
        let of = |class: TokenClass| {
            let (small, large) = asked.rates(catalog, class)?;
            let tier = if large == small {
                String::new()
            } else {
                format!(" to {large}")
            };
            Some(format!("{} {small}{tier}", class.name()))
        };
        classes
            .into_iter()
            .filter_map(of)
            .collect::<Vec<_>>()
            .join(", ")
    };
    catalog
        .models()
        .map(|(provider, model)| {
            let key = (provider.to_owned(), model.to_owned());
            (key, rates(provider, model))
        })
        .collect()
}

fn diff(now: &Catalog, other: &Catalog, at_us: i64) -> String {
    let (now, other) = (table(now, at_us), table(other, at_us));
    let mut out = String::new();
    let (mut gone, mut new, mut changed) = (0, 0, 0);
    for ((provider, model), rates) in &now {
        match other.get(&(provider.clone(), model.clone())) {
            None => {
                gone += 1;
                let _ = writeln!(out, "- {provider} {model}: {rates}");
            }
            Some(theirs) if theirs != rates => {
                changed += 1;
                let _ = writeln!(out, "~ {provider} {model}: {rates} -> {theirs}");
            }
            Some(_) => {}
        }
    }
    for ((provider, model), rates) in &other {
        if !now.contains_key(&(provider.clone(), model.clone())) {
            new += 1;
            let _ = writeln!(out, "+ {provider} {model}: {rates}");
        }
    }
    let _ = writeln!(
        out,
        "{new} new, {gone} gone, {changed} changed of {}",
        now.len()
    );
    out
}

/// A day or a time, microseconds since 1970 UTC.
fn time(text: &str) -> Result<i64, String> {
    let whole = if text.contains(['T', ' ']) {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    let time = humantime::parse_rfc3339_weak(&whole)
        .map_err(|_| "expected a time such as 2026-07-01 or 2026-07-01T12:00:00Z".to_owned())?;
    Ok(micros(time))
}

fn now_us() -> i64 {
    micros(SystemTime::now())
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(provider: Option<&'a str>, model: &'a str) -> Asked<'a> {
        Asked {
            provider,
            model,
            at_us: 1_795_000_000_000_000,
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
        let error = show(&catalog, &asked(Some("azure"), "my-deployment")).unwrap_err();
        assert!(error.to_string().contains("[[override]]"), "{error}");
    }

    #[test]
    fn a_catalog_differs_from_itself_in_nothing() {
        let catalog = Catalog::embedded();
        let text = diff(&catalog, &catalog, 1_795_000_000_000_000);
        assert_eq!(
            text,
            format!("0 new, 0 gone, 0 changed of {}\n", table(&catalog, 0).len())
        );
    }

    #[test]
    fn overrides_make_another_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("prices.toml");
        fs::write(
            &file,
            "[[override]]\nmatch = { equals = \"x\" }\nmultiplier = 2\n",
        )
        .expect("a file");
        let (plain, _) = in_force(None).expect("the catalog");
        let (own, row) = in_force(Some(&file)).expect("the overrides");
        assert_ne!(plain.id(), own.id());
        assert_eq!((row.id, row.sha256), (own.id(), own.sha256()));
        fs::write(&file, "[[override]]\nmultiplier = 2\n").expect("a file");
        let error = in_force(Some(&file)).expect_err("no match");
        assert!(format!("{error:#}").contains("line 1"), "{error:#}");
    }
}
