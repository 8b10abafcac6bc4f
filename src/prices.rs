//! The price catalog that is built in, as it is kept beside the calls it priced.

use costflame_pricing::Catalog;
use costflame_store::CatalogRow;

/// The embedded snapshot. When it was fetched is not known: it came with this version.
pub(crate) fn embedded_row(catalog: &Catalog) -> CatalogRow {
    CatalogRow {
        id: catalog.id(),
        source: "genai-prices, with built-in corrections".to_owned(),
        sha256: catalog.sha256(),
        fetched_us: 0,
        body: zstd::encode_all(Catalog::embedded_json(), 3).expect("memory takes every write"),
    }
}
