//! `costflame prices update`: another catalog into the database.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use clap::Args;
use costflame_pricing::Catalog;
use costflame_store::{PriceKind, PriceSourceRow, Store};

use crate::{audit, database::now_us};

use super::{
    diff::Changes,
    fetch::fetch,
    source::{PriceSettings, Prices, pack},
};

/// Largest file that is read. The largest list of prices known has 4 MB.
const MOST_BYTES: usize = 64 << 20;

/// Changes that are shown one by one.
const SHOWN: usize = 100;

/// Where new prices come from.
#[derive(Clone, Debug, Args)]
pub(super) struct UpdateArgs {
    /// A catalog in the format of genai-prices, version 2: a file, or an `http(s)://` URL
    #[arg(long, value_name = "FILE|URL", required_unless_present = "built_in")]
    from: Option<String>,
    /// It is LiteLLM's map of prices: a second source, for models that the catalog does not know
    #[arg(long)]
    litellm: bool,
    /// Back to the catalog that came with this version; with `--litellm` to no second source
    #[arg(long, conflicts_with = "from")]
    built_in: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take a catalog that lost more than a fifth of its models
    #[arg(long)]
    force: bool,
}

/// Checks, compares and keeps; the answer says what changes.
pub(super) async fn update(store: &Store, args: &UpdateArgs) -> Result<String> {
    let kind = if args.litellm {
        PriceKind::Second
    } else {
        PriceKind::Catalog
    };
    let (source, text) = match &args.from {
        Some(from) => (from.clone(), read(from).await?),
        None => ("built in".to_owned(), Vec::new()),
    };
    let new = parse(kind, &source, &text)?;
    let old = in_force(store, kind).await?;
    let changes = Changes::between(&old, &new, now_us());
    let mut answer = shown(&changes);
    if args.from.is_some() && changes.lost_too_many() && !args.force {
        bail!(
            "{answer}{source} is refused: more than a fifth of the models is gone; `--force` takes it all the same"
        );
    }
    if args.dry_run {
        answer.push_str("nothing is changed\n");
        return Ok(answer);
    }
    // The place alone: a login in a URL is nobody's business.
    let place = source.rsplit('/').next().unwrap_or_default();
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let act = audit::act(None, "prices.update", place);
    let row = PriceSourceRow {
        kind,
        fetched_us: now_us(),
        source,
        sha256: new.sha256(),
        body: if text.is_empty() { text } else { pack(&text) },
    };
    let keeping = async {
        let kept = store.put_prices(&row).await;
        kept.context("cannot keep the prices")
    };
    audit::noted(store, &act, keeping).await?;
    answer.push_str(
        "kept; a running costflame prices by it within a minute. What is stored keeps its amounts: see `costflame reprice`\n",
    );
    Ok(answer)
}

/// The catalog of a text; of none the built-in one, or a second source without a model.
fn parse(kind: PriceKind, source: &str, text: &[u8]) -> Result<Arc<Catalog>> {
    let catalog = match kind {
        PriceKind::Catalog if text.is_empty() => return Ok(Catalog::embedded()),
        PriceKind::Catalog => Catalog::from_json(text).map(|catalog| catalog.with_corrections()),
        PriceKind::Second if text.is_empty() => Catalog::from_litellm(b"{}"),
        PriceKind::Second => Catalog::from_litellm(text),
    };
    let is_litellm = |text| Catalog::from_litellm(text).is_ok_and(|map| map.model_count() > 0);
    if kind == PriceKind::Catalog && catalog.is_err() && is_litellm(text) {
        bail!("{source} is refused: it is LiteLLM's map, which `--litellm` takes");
    }
    let checked = catalog.and_then(|catalog| catalog.check().map(|()| catalog));
    let catalog = checked.with_context(|| format!("{source} is refused"))?;
    if catalog.model_count() == 0 && !text.is_empty() {
        bail!("{source} is refused: no model in it has a price");
    }
    Ok(Arc::new(catalog))
}

async fn in_force(store: &Store, kind: PriceKind) -> Result<Arc<Catalog>> {
    match kind {
        PriceKind::Catalog => {
            let prices = Prices::in_force(Some(store), &PriceSettings::default()).await?;
            Ok(prices.base)
        }
        PriceKind::Second => {
            let row = store.newest_prices(kind).await?;
            let row = row.filter(|row| !row.body.is_empty());
            let text = row.map(|row| zstd::decode_all(&*row.body)).transpose()?;
            parse(kind, "the second source", &text.unwrap_or_default())
        }
    }
}

fn shown(changes: &Changes) -> String {
    let text = changes.to_string();
    let lines = text.lines().count();
    if lines <= SHOWN + 1 {
        return text;
    }
    let some: String = text.split_inclusive('\n').take(SHOWN).collect();
    format!(
        "{some}… and {} more\n{}\n",
        lines - 1 - SHOWN,
        changes.summary()
    )
}

async fn read(from: &str) -> Result<Vec<u8>> {
    if from.starts_with("http://") || from.starts_with("https://") {
        let body = fetch(from, MOST_BYTES).await;
        return Ok(body
            .with_context(|| format!("cannot fetch {from}"))?
            .to_vec());
    }
    let path = Path::new(from);
    let size = path
        .metadata()
        .with_context(|| format!("cannot read {from}"))?
        .len();
    if size > MOST_BYTES as u64 {
        bail!("{from} is larger than {} MiB", MOST_BYTES >> 20);
    }
    std::fs::read(path).with_context(|| format!("cannot read {from}"))
}

#[cfg(test)]
mod tests {
    use costflame_store::Options;

    use super::*;

    fn args(from: &Path) -> UpdateArgs {
        UpdateArgs {
            from: Some(from.display().to_string()),
            litellm: false,
            built_in: false,
            dry_run: false,
            force: false,
        }
    }

    #[tokio::test]
    async fn a_catalog_is_checked_compared_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("p.db").display());
        let store = Store::connect(&url, &Options::default())
            .await
            .expect("a database");
        let file = folder.path().join("prices.json");
        let text = String::from_utf8(Catalog::embedded_json().to_vec()).expect("UTF-8");

        // The same catalog with a model renamed.
        std::fs::write(
            &file,
            text.replacen("\"id\":\"gpt-4o\"", "\"id\":\"gpt-4o-new\"", 1),
        )
        .expect("a file");
        let dry = UpdateArgs {
            dry_run: true,
            ..args(&file)
        };
        let answer = update(&store, &dry).await.expect("changes");
        assert!(answer.contains("+ github-copilot gpt-4o-new"), "{answer}");
        assert!(answer.contains("1 new, 1 gone, 0 changed of"), "{answer}");
        assert_eq!(store.prices_version().await.expect("a number"), 0);
        update(&store, &args(&file)).await.expect("kept");
        let again = update(&store, &args(&file)).await.expect("kept");
        assert!(again.starts_with("0 new, 0 gone, 0 changed"), "{again}");

        std::fs::write(&file, r#"[{"id": "p", "api_pattern": "x", "models": [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 1}}]}]"#).expect("a file");
        let refused = update(&store, &args(&file))
            .await
            .expect_err("most are gone");
        assert!(
            format!("{refused:#}").contains("more than a fifth"),
            "{refused:#}"
        );
        let forced = UpdateArgs {
            force: true,
            ..args(&file)
        };
        update(&store, &forced).await.expect("forced");
        let back = UpdateArgs {
            from: None,
            built_in: true,
            ..args(&file)
        };
        let answer = update(&store, &back).await.expect("back");
        assert!(answer.contains("… and "), "{answer}");

        std::fs::write(&file, "[]").expect("a file");
        let refused = update(&store, &args(&file)).await.expect_err("empty");
        assert!(format!("{refused:#}").contains("no model"), "{refused:#}");
        std::fs::write(&file, "{").expect("a file");
        let refused = update(&store, &args(&file)).await.expect_err("no JSON");
        assert!(
            format!("{refused:#}").contains("prices.json is refused"),
            "{refused:#}"
        );
        let map = r#"{"m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6}}"#;
        std::fs::write(&file, map).expect("a file");
        let refused = update(&store, &args(&file)).await.expect_err("a map");
        assert!(format!("{refused:#}").contains("--litellm"), "{refused:#}");
        let gone = folder.path().join("nowhere");
        assert!(update(&store, &args(&gone)).await.is_err());
    }
}
