//! The prices in force: the newest catalog that was fetched, else the built-in one, under the corrections, with a second
//! source behind it and the user's overrides above it.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use costflame_pricing::{Catalog, CountedCost, Overrides, overrides::CORRECTIONS};
use costflame_store::{CatalogRow, PriceKind, PriceSourceRow, Store};

/// What the configuration says about prices.
#[derive(Clone, Debug, Default)]
pub(crate) struct PriceSettings {
    pub(crate) overrides: Option<PathBuf>,
    pub(crate) counted: CountedCost,
}

/// A catalog, and the snapshot that is kept beside the calls it prices.
pub(crate) struct Prices {
    /// What calls are priced by.
    pub(crate) catalog: Arc<Catalog>,
    /// The same without a second source and overrides.
    pub(crate) base: Arc<Catalog>,
    pub(crate) row: CatalogRow,
}

impl Prices {
    /// Reads what is in force; without a database the built-in catalog is.
    pub(crate) async fn in_force(store: Option<&Store>, settings: &PriceSettings) -> Result<Self> {
        let fetched = fetched(store, PriceKind::Catalog).await?;
        let second = fetched_second(store).await?;
        let text = match &fetched {
            Some(row) => unpack(row)?,
            None => Catalog::embedded_json().to_vec(),
        };
        let base = match &fetched {
            Some(row) => Arc::new(
                Catalog::from_json(&text)
                    .with_context(|| format!("the prices from {} cannot be read", row.source))?
                    .with_corrections(),
            ),
            None => Catalog::embedded(),
        };
        let mut parts = vec![text, CORRECTIONS.as_bytes().to_vec()];
        let mut source = fetched.as_ref().map_or_else(
            || "genai-prices, built in".to_owned(),
            |row| row.source.clone(),
        );
        source.push_str(", with built-in corrections");
        let mut catalog = base.counting(settings.counted);
        if let Some((row, text)) = second {
            let behind = Catalog::from_litellm(&text)
                .with_context(|| format!("the prices from {} cannot be read", row.source))?;
            catalog = catalog.with_second(behind);
            source.push_str(&format!(", {} as second source", row.source));
            parts.push(text);
        }
        if let Some(path) = &settings.overrides {
            let own = fs::read_to_string(path)
                .with_context(|| format!("cannot read the price overrides {}", path.display()))?;
            let read = Overrides::from_toml(&own);
            let under = read.and_then(|read| catalog.with_overrides(&read));
            catalog = under.with_context(|| format!("{} is refused", path.display()))?;
            source.push_str(" and overrides");
            parts.push(own.into_bytes());
        }
        let row = CatalogRow {
            id: catalog.id(),
            source,
            sha256: catalog.sha256(),
            // When the built-in one was fetched is not known: it came with this version.
            fetched_us: fetched.map_or(0, |row| row.fetched_us),
            body: pack(&parts.join(&b'\n')),
        };
        Ok(Self {
            catalog: Arc::new(catalog),
            base,
            row,
        })
    }

    /// Where the prices are from, in one line.
    pub(crate) fn origin(&self) -> String {
        let hex: String = self
            .row
            .id
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("from {} (snapshot {hex})", self.row.source)
    }
}

/// The newest of a kind that was fetched; `None` when the built-in one, or nothing, is in force again.
async fn fetched(store: Option<&Store>, kind: PriceKind) -> Result<Option<PriceSourceRow>> {
    let Some(store) = store else { return Ok(None) };
    let row = store
        .newest_prices(kind)
        .await
        .context("cannot read the prices in the database")?;
    Ok(row.filter(|row| !row.body.is_empty()))
}

async fn fetched_second(store: Option<&Store>) -> Result<Option<(PriceSourceRow, Vec<u8>)>> {
    let Some(row) = fetched(store, PriceKind::Second).await? else {
        return Ok(None);
    };
    let text = unpack(&row)?;
    Ok(Some((row, text)))
}

fn unpack(row: &PriceSourceRow) -> Result<Vec<u8>> {
    zstd::decode_all(&*row.body)
        .with_context(|| format!("the prices from {} are damaged", row.source))
}

/// Compressed as the database keeps it.
pub(super) fn pack(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).expect("memory takes every write")
}

#[cfg(test)]
mod tests {
    use costflame_store::Options;

    use super::*;

    async fn prices(store: Option<&Store>, overrides: Option<PathBuf>) -> Result<Prices> {
        let settings = PriceSettings {
            overrides,
            ..PriceSettings::default()
        };
        Prices::in_force(store, &settings).await
    }

    fn row(kind: PriceKind, text: &[u8]) -> PriceSourceRow {
        PriceSourceRow {
            kind,
            fetched_us: 5,
            source: "a file".to_owned(),
            sha256: [0; 32],
            body: if text.is_empty() {
                Vec::new()
            } else {
                pack(text)
            },
        }
    }

    #[tokio::test]
    async fn overrides_make_another_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("prices.toml");
        fs::write(
            &file,
            "[[override]]\nmatch = { equals = \"x\" }\nmultiplier = 2\n",
        )
        .expect("a file");
        let plain = prices(None, None).await.expect("the catalog");
        let own = prices(None, Some(file.clone()))
            .await
            .expect("the overrides");
        assert_ne!(plain.catalog.id(), own.catalog.id());
        assert_eq!(
            (own.row.id, own.row.sha256),
            (own.catalog.id(), own.catalog.sha256())
        );
        fs::write(&file, "[[override]]\nmultiplier = 2\n").expect("a file");
        let error = prices(None, Some(file)).await.err().expect("no match");
        assert!(format!("{error:#}").contains("line 1"), "{error:#}");
    }

    #[tokio::test]
    async fn the_newest_of_each_kind_is_in_force() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("p.db").display());
        let store = Store::connect(&url, &Options::default())
            .await
            .expect("a database");
        let built_in = prices(Some(&store), None).await.expect("prices");
        assert_eq!(built_in.catalog.id(), Catalog::embedded().id());

        let small = br#"[{"id": "p", "api_pattern": "x", "models": []}]"#;
        store
            .put_prices(&row(PriceKind::Catalog, small))
            .await
            .expect("kept");
        let map = br#"{"acme/m": {"litellm_provider": "acme", "input_cost_per_token": 1e-06}}"#;
        store
            .put_prices(&row(PriceKind::Second, map))
            .await
            .expect("kept");
        let fetched = prices(Some(&store), None).await.expect("prices");
        assert_eq!((fetched.base.model_count(), fetched.row.fetched_us), (0, 5));
        assert_eq!(
            fetched.row.source,
            "a file, with built-in corrections, a file as second source"
        );
        let text = zstd::decode_all(&*fetched.row.body).expect("packed");
        assert!(
            text.starts_with(small) && text.ends_with(map),
            "the snapshot holds all of it"
        );

        for kind in [PriceKind::Catalog, PriceKind::Second] {
            store.put_prices(&row(kind, b"")).await.expect("kept");
        }
        let again = prices(Some(&store), None).await.expect("prices");
        assert_eq!(again.catalog.id(), built_in.catalog.id());
    }
}
