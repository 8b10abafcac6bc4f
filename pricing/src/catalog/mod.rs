//! The price catalog: which models exist, how their names are recognised, and what they cost when.
//!
//! The data are those of genai-prices 0.2.3 (MIT, see `catalog/LICENSE-genai-prices`) in its v2
//! format, written by `catalog/import.py`; the engine is our own, in integers. A catalog is
//! immutable: share it, swap it whole.

mod cache;
mod layers;
mod litellm;
mod lookup;
pub(crate) mod names;
pub(crate) mod prices;
pub(crate) mod source;
mod vendor;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use sha2::{Digest, Sha256};

pub use self::vendor::provider_of_model;
use self::{cache::Cache, layers::Layer, prices::Tariff};
pub(crate) use self::{layers::Terms, lookup::Found};
use crate::{
    CatalogId, CountedCost,
    matching::{Matcher, Pattern},
};

static EMBEDDED_JSON: &[u8] = include_bytes!("../../catalog/genai-prices.json");

static EMBEDDED: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let corrected = Catalog::from_json(EMBEDDED_JSON).map(|catalog| catalog.with_corrections());
    Arc::new(corrected.expect("the embedded catalog is checked by the tests"))
});

/// Why a catalog was refused. None is worth a retry: the file itself is wrong.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not JSON, or not the format: genai-prices v2, or LiteLLM's map.
    #[error("it is not in the format of a catalog")]
    Format(#[from] serde_json::Error),
    /// Two providers with one id.
    #[error("provider {0} is listed twice")]
    Duplicate(String),
    /// A price or its constraint cannot be read.
    #[error("the price of {provider}/{model} cannot be read: {problem}")]
    Price {
        /// Provider id.
        provider: String,
        /// Model id.
        model: String,
        /// What is wrong.
        problem: String,
    },
    /// A pattern is not a regular expression.
    #[error("a pattern of provider {provider} is not a regular expression: {problem}")]
    Pattern {
        /// Provider id.
        provider: String,
        /// What is wrong.
        problem: String,
    },
}

impl CatalogError {
    /// Always false: the same bytes fail again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

/// An immutable snapshot of prices. Loading the embedded one takes a few milliseconds.
pub struct Catalog {
    sha256: [u8; 32],
    data: Arc<Data>,
    /// What stands above the entries, the first the highest.
    layers: Vec<Layer>,
    /// Asked for models that have no entry here.
    second: Option<Arc<Self>>,
    counted: CountedCost,
    cache: Cache,
}

/// The entries of a catalog.
struct Data {
    providers: Vec<Provider>,
    by_id: HashMap<Box<str>, usize>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("id", &self.id())
            .field("models", &self.model_count())
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// The catalog in this program with the built-in corrections, read at the first call.
    #[must_use]
    pub fn embedded() -> Arc<Self> {
        Arc::clone(&EMBEDDED)
    }

    /// The text of the embedded catalog without corrections, to store as a snapshot.
    #[must_use]
    pub fn embedded_json() -> &'static [u8] {
        EMBEDDED_JSON
    }

    /// Reads a catalog in the genai-prices v2 format, in a few milliseconds. Patterns are compiled
    /// when they are first needed; call [`Catalog::check`] on a catalog from elsewhere.
    ///
    /// # Errors
    ///
    /// [`CatalogError`] names the provider and model that cannot be read. Price keys that are not
    /// known here are ignored: they are units that spans do not report.
    pub fn from_json(json: &[u8]) -> Result<Self, CatalogError> {
        Ok(Self::of(source::read(json)?, snapshot_hash(&[json])))
    }

    /// Reads the map of model prices of LiteLLM (`model_prices_and_context_window.json`, MIT), to stand behind another
    /// catalog, see [`Catalog::with_second`]. It knows only today's prices.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Format`] when it is not such a map; entries without a price are left out.
    pub fn from_litellm(json: &[u8]) -> Result<Self, CatalogError> {
        Ok(Self::of(litellm::read(json)?, snapshot_hash(&[json])))
    }

    fn of(providers: Vec<Provider>, sha256: [u8; 32]) -> Self {
        let by_id = providers
            .iter()
            .enumerate()
            .map(|(at, provider)| (provider.id.clone(), at))
            .collect();
        Self {
            sha256,
            data: Arc::new(Data { providers, by_id }),
            layers: Vec::new(),
            second: None,
            counted: CountedCost::default(),
            cache: Cache::default(),
        }
    }

    /// This catalog with a second source behind it, for models that it does not know.
    #[must_use]
    pub fn with_second(&self, second: Self) -> Self {
        Self {
            sha256: snapshot_hash(&[&self.sha256, &second.sha256]),
            second: Some(Arc::new(second)),
            ..self.share()
        }
    }

    /// This catalog, counting as told where a span reports its cost itself. The prices, and so the snapshot, are the same.
    #[must_use]
    pub fn counting(&self, counted: CountedCost) -> Self {
        Self {
            counted,
            ..self.share()
        }
    }

    /// The same catalog; what it remembers of names is not shared.
    fn share(&self) -> Self {
        Self {
            sha256: self.sha256,
            data: Arc::clone(&self.data),
            layers: self.layers.clone(),
            second: self.second.clone(),
            counted: self.counted,
            cache: Cache::default(),
        }
    }

    pub(crate) fn second(&self) -> Option<&Self> {
        self.second.as_deref()
    }

    /// Which cost counts where a span reports one and there is a price, too.
    #[must_use]
    pub const fn counted(&self) -> CountedCost {
        self.counted
    }

    /// Compiles every pattern.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Pattern`] for the first that is not a regular expression. Unchecked, such a
    /// pattern matches nothing.
    pub fn check(&self) -> Result<(), CatalogError> {
        self.data.providers.iter().try_for_each(|provider| {
            provider.check().map_err(|problem| CatalogError::Pattern {
                provider: provider.id.to_string(),
                problem,
            })
        })
    }

    /// Identity of this snapshot: of the text that it was read from, and of the overrides above it.
    #[must_use]
    pub fn id(&self) -> CatalogId {
        let mut id = CatalogId::default();
        id.0.copy_from_slice(&self.sha256[..8]);
        id
    }

    /// The whole hash that [`Catalog::id`] is the beginning of.
    #[must_use]
    pub const fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// How many models have an entry, over all providers.
    #[must_use]
    pub fn model_count(&self) -> usize {
        self.data
            .providers
            .iter()
            .map(|provider| provider.models.len())
            .sum()
    }

    /// Provider and model ids, in the order of the file.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        self.data.providers.iter().flat_map(|provider| {
            provider
                .models
                .iter()
                .map(|model| (&*provider.id, &*model.id))
        })
    }

    pub(crate) fn provider(&self, found: &Found) -> &Provider {
        &self.data.providers[found.owner]
    }

    pub(crate) fn model(&self, found: &Found) -> &Model {
        &self.data.providers[found.owner].models[found.model]
    }
}

fn snapshot_hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// Who bills, with its models in the order in which they are tried.
pub(crate) struct Provider {
    pub(crate) id: Box<str>,
    /// Matched against `https://` and the server's address.
    api: Pattern,
    matcher: Option<Matcher>,
    model_matcher: Option<Matcher>,
    /// Providers whose models and prices hold here for models without an entry.
    fallbacks: Vec<usize>,
    models: Vec<Model>,
    /// The first model for each name that is listed in full.
    exact: HashMap<Box<str>, usize>,
    /// Models that names beyond the listed ones may match, in order.
    ruled: Vec<usize>,
}

pub(crate) struct Model {
    pub(crate) id: Box<str>,
    matcher: Matcher,
    pub(crate) tariff: Tariff,
}

impl Provider {
    fn new(
        id: String,
        api: Pattern,
        matcher: Option<Matcher>,
        model_matcher: Option<Matcher>,
        fallbacks: Vec<usize>,
        models: Vec<Model>,
    ) -> Self {
        let mut exact = HashMap::new();
        let mut ruled = Vec::new();
        for (at, model) in models.iter().enumerate() {
            let (mut names, mut other) = (Vec::new(), false);
            model.matcher.exact_names(&mut names, &mut other);
            for name in names {
                exact.entry(Box::from(name)).or_insert(at);
            }
            if other {
                ruled.push(at);
            }
        }
        Self {
            id: id.into_boxed_str(),
            api,
            matcher,
            model_matcher,
            fallbacks,
            models,
            exact,
            ruled,
        }
    }

    /// The first model in the order of the file that `name`, in lower case, matches.
    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.exact.get(name).copied();
        let earlier = self
            .ruled
            .iter()
            .copied()
            .take_while(|at| exact.is_none_or(|exact| *at < exact));
        earlier
            .into_iter()
            .find(|at| self.models[*at].matcher.matches(name))
            .or(exact)
    }

    fn check(&self) -> Result<(), String> {
        self.api.check()?;
        let matchers = self
            .matcher
            .iter()
            .chain(&self.model_matcher)
            .chain(self.models.iter().map(|model| &model.matcher));
        matchers.into_iter().try_for_each(Matcher::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalog_is_sound() {
        let catalog = Catalog::from_json(EMBEDDED_JSON).unwrap();
        catalog.check().unwrap();
        assert_eq!(
            (catalog.data.providers.len(), catalog.model_count()),
            (47, 2_330)
        );
        assert_eq!(
            catalog.id(),
            CatalogId([0x1a, 0x53, 0xa1, 0x30, 0x18, 0x2d, 0x74, 0x41])
        );
        assert_ne!(
            Catalog::embedded().id(),
            catalog.id(),
            "the corrections are part of the snapshot"
        );
    }

    #[test]
    fn malformed_catalogs_are_refused_by_name() {
        let provider =
            |models: &str| format!(r#"[{{"id": "p", "api_pattern": "x", "models": [{models}]}}]"#);
        let read = |json: &str| {
            let catalog = Catalog::from_json(json.as_bytes())?;
            catalog.check().map(|()| catalog)
        };
        let error = |json: &str| read(json).unwrap_err().to_string();
        assert!(error("{}").contains("format of a catalog"));
        assert!(
            error(&provider(
                r#"{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": "1"}}"#
            ))
            .contains("p/m")
        );
        assert!(
            error(&provider(
                r#"{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": -1}}"#
            ))
            .contains("p/m")
        );
        assert!(
            error(&provider(
                r#"{"id": "m", "match": {"equals": "m"}, "prices": []}"#
            ))
            .contains("p/m")
        );
        assert!(
            error(&provider(
                r#"{"id": "m", "match": {"regex": "("}, "prices": {}}"#
            ))
            .contains("regular expression")
        );
        assert!(error(r#"[{"id":"p","api_pattern":"","models":[]},{"id":"p","api_pattern":"","models":[]}]"#).contains("twice"));
        assert!(read(&provider("")).is_ok());
    }

    #[test]
    fn an_earlier_rule_wins_over_a_later_exact_name() {
        let json = br#"[{"id": "p", "api_pattern": "x", "models": [
            {"id": "a", "match": {"equals": "big-1"}, "prices": {}},
            {"id": "b", "match": {"starts_with": "big"}, "prices": {}},
            {"id": "c", "match": {"or": [{"equals": "big-2"}, {"equals": "small"}]}, "prices": {}}]}]"#;
        let catalog = Catalog::from_json(json).unwrap();
        let find = |name| {
            catalog.data.providers[0]
                .find(name)
                .map(|at| &*catalog.data.providers[0].models[at].id)
        };
        assert_eq!(
            [find("big-1"), find("big-2"), find("small"), find("other")],
            [Some("a"), Some("b"), Some("c"), None]
        );
    }
}
