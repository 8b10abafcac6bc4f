//! From the names on a span to an entry of the catalog.

use std::sync::Arc;

use super::{
    Catalog, Provider,
    layers::Matched,
    names::{self, Host},
};
use crate::{Flag, Flags, price::PriceRequest};

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The provider that was asked.
    pub(crate) provider: usize,
    /// The provider that lists the model: the same, or one of its fallbacks.
    pub(crate) owner: usize,
    /// The model among the owner's.
    pub(crate) model: usize,
}

/// What a span's names resolved to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    /// The entry; `None` when no name matched.
    pub(crate) found: Option<Found>,
    /// True when the span names a model at all.
    pub(crate) named: bool,
    /// How it was found.
    pub(crate) flags: Flags,
    /// Overrides for these names, in the order in which they are tried. Most names have none.
    pub(crate) matched: Option<Arc<[Matched]>>,
}

/// What the provider's name on a span means to this catalog.
#[derive(Clone, Copy)]
enum Asked {
    Provider(usize),
    /// See [`Host::Elsewhere`].
    Elsewhere,
    Unknown,
}

/// The models that a request names, in lower case, the response's first; and which is the request's.
pub(super) struct Models(pub(super) Vec<(String, bool)>);

impl Models {
    fn of(request: &PriceRequest<'_>) -> Self {
        let response = names::fold_model(request.response_model);
        let requested = names::fold_model(request.request_model)
            .filter(|model| response.as_ref() != Some(model));
        let response = response.into_iter().map(|model| (model, false));
        Self(
            response
                .chain(requested.map(|model| (model, true)))
                .collect(),
        )
    }
}

/// A provider to ask, and whether it is guessed against the name on the span.
type Candidate = (usize, bool);

impl Catalog {
    /// The entry for the names of a request. Remembered, so the second time is cheap.
    pub(crate) fn resolve(&self, request: &PriceRequest<'_>) -> Resolved {
        let key = [
            request.provider,
            request.server_address,
            request.response_model,
            request.request_model,
        ];
        self.cache.get_or(key, || self.resolve_anew(request))
    }

    fn resolve_anew(&self, request: &PriceRequest<'_>) -> Resolved {
        let models = Models::of(request);
        let (found, flags) = self.entry(request, &models).unzip();
        Resolved {
            matched: self.matched(request, &models, found),
            found,
            named: !models.0.is_empty(),
            flags: flags.unwrap_or_default(),
        }
    }

    /// The response's model is asked for before the request's, a provider that the span names
    /// before one that is guessed.
    fn entry(&self, request: &PriceRequest<'_>, models: &Models) -> Option<(Found, Flags)> {
        let asked = request
            .provider
            .map_or(Asked::Unknown, |provider| self.asked(provider));
        for (provider, guessed) in self.candidates(asked, request.server_address) {
            for (model, is_request) in &models.0 {
                if let Some(found) = self.find(provider, model) {
                    return Some((found, flags(&found, *is_request, guessed)));
                }
            }
        }
        models.0.iter().find_map(|(model, is_request)| {
            let found = self.guess(asked, model)?;
            Some((found, flags(&found, *is_request, true)))
        })
    }

    /// Ids of the providers that list a model themselves, in the order of the file; those of the second source if there are none.
    #[must_use]
    pub fn sellers(&self, model: &str) -> Vec<&str> {
        let model = names::fold_model(Some(model)).unwrap_or_default();
        let providers = self.data.providers.iter().enumerate();
        let lists = |at| self.find(at, &model).is_some_and(|found| found.owner == at);
        let sellers: Vec<&str> = providers
            .filter(|(at, _)| lists(*at))
            .map(|(_, provider)| &*provider.id)
            .collect();
        match self.second() {
            Some(second) if sellers.is_empty() => second.sellers(&model),
            _ => sellers,
        }
    }

    /// Our own table first, since the catalog takes every name with `openai` in it for OpenAI.
    fn asked(&self, provider: &str) -> Asked {
        let listed = self.listed(provider);
        if listed.is_none() && names::host(provider) == Host::Elsewhere {
            return Asked::Elsewhere;
        }
        let name = names::fold_model(Some(provider)).unwrap_or_default();
        let matched = |provider: &Provider| {
            provider
                .matcher
                .as_ref()
                .is_some_and(|matcher| matcher.matches(&name))
        };
        listed
            .or_else(|| self.data.by_id.get(name.as_str()).copied())
            .or_else(|| self.data.providers.iter().position(matched))
            .map_or(Asked::Unknown, Asked::Provider)
    }

    /// The provider that a name stands for, if it is in this catalog.
    fn listed(&self, provider: &str) -> Option<usize> {
        let id = names::canonical(provider);
        self.data.by_id.get(id.as_str()).copied()
    }

    fn candidates(&self, asked: Asked, address: Option<&str>) -> Vec<Candidate> {
        let named = match asked {
            Asked::Provider(provider) => Some(provider),
            Asked::Elsewhere => return Vec::new(),
            Asked::Unknown => None,
        };
        let addressed = self.addressed(address);
        let guessed = named.is_some();
        let mut candidates: Vec<Candidate> = named
            .map(|provider| (provider, false))
            .into_iter()
            .collect();
        candidates.extend(
            addressed
                .filter(|provider| Some(*provider) != named)
                .map(|provider| (provider, guessed)),
        );
        candidates
    }

    /// The provider whose servers have this address.
    pub(super) fn addressed(&self, address: Option<&str>) -> Option<usize> {
        let url = names::server_url(address?)?;
        self.data
            .providers
            .iter()
            .position(|provider| provider.api.is_match(&url))
    }

    /// The entry for a model, in lower case, of this provider or of one it falls back on.
    pub(super) fn find(&self, provider: usize, model: &str) -> Option<Found> {
        if names::is_opaque(model) {
            return None;
        }
        let asked = &self.data.providers[provider];
        let is_vendor = |prefix: &str| match names::host(prefix) {
            Host::Listed(id) => self
                .serves(asked)
                .any(|owner| *self.data.providers[owner].id == *id),
            Host::Elsewhere | Host::Unknown => false,
        };
        names::spellings(model, is_vendor).iter().find_map(|name| {
            self.find_spelled(provider, name).or_else(|| {
                names::with_dashed_dates(name)
                    .and_then(|dashed| self.find_spelled(provider, &dashed))
            })
        })
    }

    /// Looks in the provider, then in its fallbacks, not in theirs.
    fn find_spelled(&self, provider: usize, name: &str) -> Option<Found> {
        let find_in = |owner: usize| {
            self.data.providers[owner].find(name).map(|model| Found {
                provider,
                owner,
                model,
            })
        };
        find_in(provider).or_else(|| {
            self.data.providers[provider]
                .fallbacks
                .iter()
                .find_map(|owner| find_in(*owner))
        })
    }

    fn serves<'a>(&'a self, provider: &'a Provider) -> impl Iterator<Item = usize> + 'a {
        self.data
            .by_id
            .get(&provider.id)
            .into_iter()
            .chain(&provider.fallbacks)
            .copied()
    }

    /// The model without its provider: by the provider in its name, then by the looks of the name.
    ///
    /// The clients of OpenAI and Anthropic also talk to proxies, which expect the provider in the
    /// model's name; every other named provider is believed.
    fn guess(&self, asked: Asked, model: &str) -> Option<Found> {
        let prefix_only = match asked {
            Asked::Unknown => false,
            Asked::Provider(at)
                if matches!(&*self.data.providers[at].id, "openai" | "anthropic") =>
            {
                true
            }
            Asked::Provider(_) | Asked::Elsewhere => return None,
        };
        let by_prefix = model
            .split_once(['/', ':'])
            .and_then(|(prefix, rest)| self.find(self.listed(prefix)?, rest));
        if by_prefix.is_some() || prefix_only {
            return by_prefix;
        }
        let claims = |provider: &Provider| {
            provider
                .model_matcher
                .as_ref()
                .is_some_and(|matcher| matcher.matches(model))
        };
        let provider = self.data.providers.iter().position(claims)?;
        self.find(provider, model)
    }
}

fn flags(found: &Found, is_request: bool, guessed: bool) -> Flags {
    let mut flags = Flags::default();
    for (set, flag) in [
        (is_request, Flag::RequestModel),
        (guessed, Flag::ProviderGuessed),
        (found.provider != found.owner, Flag::FallbackProvider),
    ] {
        if set {
            flags.insert(flag);
        }
    }
    flags
}
