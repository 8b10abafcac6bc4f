//! Logging in at an OpenID provider: authorization code with PKCE.
//!
//! A [`flow`] begins in a browser, which keeps in a cookie what `state`, `nonce` and the code verifier are made of, so that it ends in the
//! same one, with whichever server. The [`provider`] is asked for the code's worth, and what it says of a person is checked against the
//! [`grants`] of the configuration: who has none is nobody here.

mod flow;
mod grants;
mod provider;

use std::{net::IpAddr, sync::Arc, time::Duration};

use costflame_store::{Method, StoreError};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};

use crate::{Login, cookie::Cookie, login::Known};

use flow::Flow;
pub use grants::{Grant, Person};
use provider::Provider;

/// How long somebody may take at the provider.
pub const LONGEST: Duration = Duration::from_secs(600);

/// Sends a request to the provider: without following redirects, bounded in time and in bytes.
pub type Fetch = Arc<
    dyn Fn(
            http::Request<Vec<u8>>,
        ) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, FetchError>>
        + Send
        + Sync,
>;

/// The provider does not answer. May be retried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Where people log in, and what they may do then.
#[derive(Clone, Debug)]
pub struct OpenIdConfig {
    /// What people call the provider.
    pub name: String,
    /// As it names itself.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// What proves that we are we; none of a public client.
    pub client_secret: Option<Secret>,
    /// Where browsers find this server, without a slash at the end.
    pub public_url: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that grants go by.
    pub claim: String,
    /// In order: the first that fits counts.
    pub grants: Vec<Grant>,
}

/// Not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Why somebody is not logged in. What a stranger said is in the log, never here.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// May be retried.
    #[error("the OpenID provider does not answer")]
    Unreachable,
    /// Another browser began it, or it took too long; or somebody made the browser come.
    #[error("an OpenID login that was not begun here, or took too long")]
    NotBegun,
    /// It says no.
    #[error("refused by the OpenID provider")]
    Refused,
    /// It is not the one, or its answer not for us.
    #[error("an OpenID answer that cannot be trusted")]
    Untrusted,
    /// They are who they are, by this name, and may not come in.
    #[error("no role is granted")]
    NoGrant(String),
    /// May be retried after this time.
    #[error("too many attempts")]
    TooMany(Duration),
    /// May be retried if the error may.
    #[error("the database does not answer")]
    Store(#[from] StoreError),
}

impl OpenIdError {
    /// For the page that tells.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NotBegun => "not_begun",
            Self::Refused => "refused",
            Self::Untrusted => "untrusted",
            Self::NoGrant(_) => "no_grant",
            Self::TooMany(_) => "too_many",
            Self::Store(_) => "unavailable",
        }
    }

    /// Whether another attempt may succeed by itself.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable | Self::TooMany(_) => true,
            Self::Store(error) => error.is_retryable(),
            Self::NotBegun | Self::Refused | Self::Untrusted | Self::NoGrant(_) => false,
        }
    }
}

/// Somebody on their way to the provider.
#[derive(Debug)]
pub struct Departure {
    /// Where the browser goes.
    pub location: String,
    /// What it keeps.
    pub cookie: HeaderValue,
}

/// Somebody who is back and logged in.
#[derive(Debug)]
pub struct Arrival {
    /// The page they wanted.
    pub to: String,
    /// Their session.
    pub cookie: HeaderValue,
}

/// Logs people in at a provider.
#[derive(Debug)]
pub struct OpenId {
    name: String,
    provider: Provider,
    claim: String,
    grants: Vec<Grant>,
    cookie: Cookie,
}

impl OpenId {
    /// Nothing is asked of the provider before somebody logs in.
    ///
    /// # Errors
    /// A sentence about what cannot be a URL.
    pub fn new(config: OpenIdConfig, is_secure: bool, fetch: Fetch) -> Result<Self, String> {
        Ok(Self {
            name: config.name.clone(),
            claim: config.claim.clone(),
            grants: config.grants.clone(),
            cookie: Cookie::login(is_secure),
            provider: Provider::new(config, fetch)?,
        })
    }

    /// What people call the provider.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a browser to the provider, from where it comes back for the page `to`.
    ///
    /// # Errors
    /// When the provider cannot be found, or somebody comes too often.
    pub async fn depart(
        &self,
        login: &Login,
        to: &str,
        peer: IpAddr,
    ) -> Result<Departure, OpenIdError> {
        let departed = self.leave(login, to, peer).await;
        noted(login, departed, peer).await
    }

    async fn leave(&self, login: &Login, to: &str, peer: IpAddr) -> Result<Departure, OpenIdError> {
        login.may_come(peer).map_err(OpenIdError::TooMany)?;
        let flow = Flow::begin(to);
        let location = self.provider.authorize(&flow).await?;
        Ok(Departure {
            location,
            cookie: self.cookie.set(flow.kept(), LONGEST),
        })
    }

    /// Takes a browser that is back from the provider with the query of its address.
    ///
    /// # Errors
    /// [`OpenIdError`] says why it is not let in.
    pub async fn arrive(
        &self,
        login: &Login,
        query: &str,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Arrival, OpenIdError> {
        let arrived = self.let_in(login, query, headers, peer).await;
        noted(login, arrived, peer).await
    }

    async fn let_in(
        &self,
        login: &Login,
        query: &str,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Arrival, OpenIdError> {
        login.may_come(peer).map_err(OpenIdError::TooMany)?;
        let kept = self.cookie.read(headers).ok_or(OpenIdError::NotBegun)?;
        let flow = Flow::resume(kept).ok_or(OpenIdError::NotBegun)?;
        let answer = flow.answer(query)?;
        let person = self.provider.redeem(&flow, answer, &self.claim).await?;
        let Some(grant) = self.grants.iter().find(|grant| grant.fits(&person)) else {
            return Err(OpenIdError::NoGrant(person.in_full()));
        };
        let who = Known {
            in_full: person.in_full(),
            name: person.name,
            method: Method::OpenId,
            role: grant.role,
            project: grant.project,
        };
        let cookie = login.begin(who, headers, peer).await?;
        Ok(Arrival {
            to: flow.to().to_owned(),
            cookie,
        })
    }

    /// The page that a browser wanted when it left, if it still knows.
    #[must_use]
    pub fn wanted(&self, headers: &HeaderMap) -> Option<String> {
        let flow = Flow::resume(self.cookie.read(headers)?)?;
        Some(flow.to().to_owned())
    }

    /// `set-cookie` of a flow that is over.
    #[must_use]
    pub fn over(&self) -> HeaderValue {
        self.cookie.clear()
    }
}

/// Writes down what went wrong.
async fn noted<T>(
    login: &Login,
    result: Result<T, OpenIdError>,
    peer: IpAddr,
) -> Result<T, OpenIdError> {
    if let Err(error) = &result {
        login.note_openid(error, peer).await;
    }
    result
}
