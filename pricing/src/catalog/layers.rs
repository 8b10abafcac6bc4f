//! Overrides above the catalog: which of them hold for a request.

use std::sync::Arc;

use super::{
    Catalog,
    lookup::{Found, Models, Resolved},
    names, snapshot_hash,
};
use crate::{
    CatalogId, Flag,
    overrides::{CORRECTIONS, Override, OverrideError, Overrides},
    price::PriceRequest,
};

/// One list of overrides; the first of it in force holds.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) flag: Flag,
    pub(crate) entries: Arc<[Override]>,
}

/// An override that matches the names; whether it is in force depends on the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    layer: usize,
    entry: usize,
    /// The request's model matched, not the response's.
    is_request: bool,
}

/// What holds for one request.
pub(crate) struct Terms<'a> {
    /// The entry, found by the request's names or by those of an alias.
    pub(crate) resolved: Resolved,
    /// At most one override of each layer, the highest first.
    pub(crate) changes: Vec<&'a Override>,
}

impl Catalog {
    /// This catalog under the user's overrides, which stand above everything else. Shares the
    /// entries, so it costs next to nothing.
    ///
    /// # Errors
    ///
    /// [`OverrideError`] names the line of an alias whose target is not in the catalog.
    pub fn with_overrides(&self, overrides: &Overrides) -> Result<Self, OverrideError> {
        for entry in overrides.entries.iter() {
            let Some((provider, model)) = &entry.alias else {
                continue;
            };
            let model_name = model.to_lowercase();
            let lists = |catalog: &Self| {
                let provider = catalog.data.by_id.get(provider);
                provider.is_some_and(|at| catalog.find(*at, &model_name).is_some())
            };
            if !lists(self) && !self.second().is_some_and(lists) {
                let problem = format!("{provider}/{model} is not in the catalog");
                return Err(OverrideError {
                    line: entry.line,
                    problem,
                });
            }
        }
        Ok(self.under(overrides, Flag::Overridden))
    }

    /// This catalog under the built-in [`CORRECTIONS`].
    #[must_use]
    pub fn with_corrections(&self) -> Self {
        let corrections =
            Overrides::from_toml(CORRECTIONS).expect("the corrections are checked by the tests");
        self.under(&corrections, Flag::Corrected)
    }

    fn under(&self, overrides: &Overrides, flag: Flag) -> Self {
        let top = Layer {
            flag,
            entries: Arc::clone(&overrides.entries),
        };
        let CatalogId(below) = self.id();
        let second = self.second().map(|second| second.under(overrides, flag));
        Self {
            sha256: snapshot_hash(&[&below, overrides.text.as_bytes()]),
            layers: std::iter::once(top)
                .chain(self.layers.iter().cloned())
                .collect(),
            second: second.map(Arc::new),
            ..self.share()
        }
    }

    /// The entry and the overrides in force. An alias changes the names for the layers below it.
    pub(crate) fn terms(&self, request: &PriceRequest<'_>) -> Terms<'_> {
        let mut resolved = self.resolve(request);
        let mut changes = Vec::new();
        for (at, layer) in self.layers.iter().enumerate() {
            let Some((entry, is_request)) = self.in_force(at, &resolved, request) else {
                continue;
            };
            let mut flags = resolved.flags;
            if let Some((provider, model)) = &entry.alias {
                let alias = PriceRequest {
                    provider: Some(provider),
                    response_model: Some(model),
                    at_us: request.at_us,
                    ..PriceRequest::default()
                };
                resolved = self.resolve(&alias);
                flags = resolved.flags;
            }
            flags.insert(layer.flag);
            if is_request {
                flags.insert(Flag::RequestModel);
            }
            resolved.flags = flags;
            changes.push(entry);
        }
        Terms { resolved, changes }
    }

    fn in_force(
        &self,
        layer: usize,
        resolved: &Resolved,
        request: &PriceRequest<'_>,
    ) -> Option<(&Override, bool)> {
        let matched = resolved
            .matched
            .as_deref()?
            .iter()
            .filter(|matched| matched.layer == layer);
        let Layer { flag, entries } = &self.layers[layer];
        let context = request.context();
        // Where the name that was asked for points does not matter once the model that served is known.
        let served_is_known =
            resolved.found.is_some() && !resolved.flags.contains(Flag::RequestModel);
        let only_served = served_is_known && *flag == Flag::Corrected;
        matched
            .map(|matched| (&entries[matched.entry], matched.is_request))
            .filter(|(_, is_request)| !(*is_request && only_served))
            .filter(|(entry, _)| entry.concerns(request.service, request.environment))
            .find(|(entry, _)| entry.holds(request.at_us) && context.fulfils(&entry.when))
    }

    /// The overrides for these names. A provider is known by its name, by its address, or by the entry that was found.
    pub(super) fn matched(
        &self,
        request: &PriceRequest<'_>,
        models: &Models,
        found: Option<Found>,
    ) -> Option<Arc<[Matched]>> {
        if self.layers.is_empty() {
            return None;
        }
        let addressed = self
            .addressed(request.server_address)
            .map(|at| self.data.providers[at].id.to_string());
        let provider = request.provider.map(names::canonical);
        let listed = found.map(|found| self.data.providers[found.provider].id.to_string());
        let is_provider = |name: &str| {
            [&provider, &addressed, &listed]
                .into_iter()
                .any(|own| own.as_deref() == Some(name))
        };
        let is_vendor = |prefix: &str| is_provider(&names::canonical(prefix));
        let spelled: Vec<_> = models
            .0
            .iter()
            .map(|(model, is_request)| (names::spellings(model, is_vendor), *is_request))
            .collect();
        let matches = |entry: &Override| {
            if !entry.provider.as_deref().is_none_or(is_provider) {
                return None;
            }
            let mut models = spelled.iter();
            models
                .find(|(names, _)| names.iter().any(|name| entry.matcher.matches(name)))
                .map(|(_, is_request)| *is_request)
        };
        let entries = self.layers.iter().enumerate().flat_map(|(layer, list)| {
            list.entries
                .iter()
                .enumerate()
                .map(move |(at, entry)| (layer, at, entry))
        });
        let matched: Vec<_> = entries
            .filter_map(|(layer, at, entry)| {
                matches(entry).map(|is_request| Matched {
                    layer,
                    entry: at,
                    is_request,
                })
            })
            .collect();
        (!matched.is_empty()).then(|| matched.into())
    }
}
