//! What every handler needs, and how it reads its parameters.

use std::{sync::Arc, time::Instant};

use axum::{extract::FromRequestParts, http::request::Parts};
use costflame_access::{Gate, Login, OpenId, Pass};
use costflame_pricing::Catalog;
use costflame_store::{Store, query::Snapshot};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{door::PROJECT, error::ApiError, health::HealthSource, live::MAX_FEEDS};
use crate::{
    filter::{self, Selection},
    params::{Invalid, Params},
};

/// Gives the prices in force at the time of asking.
pub type CatalogSource = Arc<dyn Fn() -> Arc<Catalog> + Send + Sync>;

/// What stands in front of the API.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// Proxies that append to `x-forwarded-for`.
    pub hops: u8,
    /// The origin under which browsers see this server, if it is known.
    pub origin: Option<Arc<str>>,
}

/// What the API answers from. Cloning shares it.
#[derive(Clone)]
pub struct ApiState {
    pub(super) store: Store,
    pub(super) health: HealthSource,
    catalog: CatalogSource,
    pub(super) gate: Gate,
    /// Absent where nobody is asked who they are.
    pub(super) login: Option<Arc<Login>>,
    /// Absent without a provider.
    pub(super) openid: Option<Arc<OpenId>>,
    pub(super) front: Front,
    pub(super) started: Arc<Instant>,
    /// Places for those who follow what settles.
    pub(super) feeds: Arc<Semaphore>,
    /// Ends what would go on for ever.
    pub(super) ended: CancellationToken,
}

impl ApiState {
    /// The API of a database; `health` gives the figures that only the collector knows.
    #[must_use]
    pub fn new(store: Store, health: HealthSource) -> Self {
        Self {
            store,
            health,
            catalog: Arc::new(Catalog::embedded),
            gate: Gate::open(),
            login: None,
            openid: None,
            front: Front::default(),
            started: Arc::new(Instant::now()),
            feeds: Arc::new(Semaphore::new(MAX_FEEDS)),
            ended: CancellationToken::new(),
        }
    }

    /// The same with other prices than the built-in ones.
    #[must_use]
    pub fn with_catalog(self, catalog: CatalogSource) -> Self {
        Self { catalog, ..self }
    }

    /// The same for those alone whom `gate` lets in, each in their project.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// The same for those who log in, too.
    #[must_use]
    pub fn with_login(self, login: Arc<Login>) -> Self {
        let login = Some(login);
        Self { login, ..self }
    }

    /// The same for those who log in at a provider, too.
    #[must_use]
    pub fn with_openid(self, openid: Arc<OpenId>) -> Self {
        let openid = Some(openid);
        Self { openid, ..self }
    }

    /// The same behind other servers.
    #[must_use]
    pub fn seen_through(self, front: Front) -> Self {
        Self { front, ..self }
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        (self.catalog)()
    }

    /// Feeds end when `ended` is cancelled; without it they would keep a server from ending.
    #[must_use]
    pub fn until(mut self, ended: CancellationToken) -> Self {
        self.ended = ended;
        self
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, ApiError> {
        Ok(self.store.snapshot().await?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Without a pass nobody has asked who it is: then nothing is answered.
        let pass = parts.extensions.get::<Pass>().ok_or(ApiError::Internal)?;
        let query = parts.uri.query().unwrap_or_default();
        let mut params = Self::parse(query, pass.project)?;
        // The door has read it.
        params.take(PROJECT)?;
        Ok(params)
    }
}

/// Takes range, time zone and filters; nothing else may be left.
pub(super) fn only_selection(mut params: Params) -> Result<Selection, Invalid> {
    let selection = selection(&mut params)?;
    params.finish()?;
    Ok(selection)
}

/// Takes range, time zone and filters.
pub(super) fn selection(params: &mut Params) -> Result<Selection, Invalid> {
    filter::selection(params, Timestamp::now())
}
