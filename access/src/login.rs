//! Logging in and out.
//!
//! A user who is unknown and a password that is wrong cost the same work and hear the same answer. How often may be tried is limited for
//! each name and for each subscriber. A login always begins a new session, whatever the browser showed.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use costflame_store::{Act, Method, Role, Session, Store, StoreError};
use http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::{
    Sessions,
    clock::now_us,
    failures::{Failure, Failures},
    limit::Limit,
    openid::OpenIdError,
    password::{Busy, Passwords, WeakPassword},
    peer::subscriber,
};

/// So many names may one subscriber try as often as each may be: an office shares an address.
const NAMES_PER_SUBSCRIBER: u32 = 5;

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such user, or another password: which of it is nobody's business.
    #[error("the name or the password is wrong")]
    Wrong,
    /// May be retried after this time.
    #[error("too many attempts; try again in {} s", .0.as_secs() + 1)]
    TooMany(Duration),
    /// May be retried.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// May be retried if the error may.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A new password that is none.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
}

/// Logs people in and out.
#[derive(Debug)]
pub struct Login {
    store: Store,
    sessions: Arc<Sessions>,
    passwords: Passwords,
    failures: Failures,
    names: Limit,
    subscribers: Limit,
}

impl Login {
    /// Logins into `sessions`, of which each name may try so many a minute.
    #[must_use]
    pub fn new(store: Store, sessions: Arc<Sessions>, per_minute: NonZeroU32) -> Arc<Self> {
        let more = NonZeroU32::new(NAMES_PER_SUBSCRIBER).expect("not zero");
        Arc::new(Self {
            failures: Failures::new(store.clone()),
            store,
            sessions,
            passwords: Passwords::default(),
            names: Limit::per_minute(per_minute),
            subscribers: Limit::per_minute(per_minute.saturating_mul(more)),
        })
    }

    /// Writes down failures until `shutdown`.
    pub async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        self.failures.follow(shutdown).await;
    }

    /// The sessions it begins.
    #[must_use]
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// What hashes passwords.
    #[must_use]
    pub const fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Logs a user in; returns the `set-cookie` of their session.
    ///
    /// # Errors
    /// [`LoginError`] says why not.
    pub async fn by_password(
        &self,
        name: &str,
        password: String,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<HeaderValue, LoginError> {
        self.may_try(name, peer).await?;
        let user = self.store.user(name).await?;
        let stored = user.as_ref().map(|user| user.password.clone());
        let is_right = self.passwords.is(stored, password).await?;
        let Some(user) = user.as_ref().filter(|_| is_right) else {
            let why = match user {
                Some(_) => "wrong password",
                None => "unknown user",
            };
            let failure = Failure {
                project: user.as_ref().and_then(|user| user.project),
                user: user.map(|user| user.name),
                peer: Some(peer),
                why,
            };
            self.failures.note(failure).await;
            return Err(LoginError::Wrong);
        };
        let who = Known {
            name: user.name.clone(),
            in_full: user.name.clone(),
            method: Method::Password,
            role: user.role,
            project: user.project,
        };
        Ok(self.begin(who, headers, peer).await?)
    }

    /// Begins the session of somebody who has proved who they are.
    pub(crate) async fn begin(
        &self,
        who: Known,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<HeaderValue, StoreError> {
        let session = Session {
            hash: [0; 32],
            id: String::new(),
            user: who.name,
            method: who.method,
            role: who.role,
            project: who.project,
            peer: peer.to_string(),
            created_us: 0,
            used_us: 0,
            ends_us: 0,
        };
        let act = Act {
            at_us: now_us(),
            actor: crate::gate::actor(&session),
            peer: session.peer.clone(),
            project: session.project,
            act: "login",
            target: who.in_full,
        };
        self.sessions.begin(session, headers, &act).await
    }

    /// Gives somebody who knows their password another one, and ends their other sessions.
    ///
    /// # Errors
    /// [`LoginError`] says why not.
    pub async fn change_password(
        &self,
        session: &Session,
        old: String,
        new: String,
        peer: IpAddr,
    ) -> Result<(), LoginError> {
        self.may_try(&session.user, peer).await?;
        let user = self.store.user(&session.user).await?;
        let stored = user.map(|user| user.password);
        if !self.passwords.is(stored, old).await? {
            let failure = Failure {
                user: Some(session.user.clone()),
                project: session.project,
                peer: Some(peer),
                why: "wrong password",
            };
            self.failures.note(failure).await;
            return Err(LoginError::Wrong);
        }
        let hash = self.passwords.hash(new).await??;
        let act = Act {
            at_us: now_us(),
            actor: crate::gate::actor(session),
            peer: peer.to_string(),
            project: session.project,
            act: "user.set-password",
            target: session.user.clone(),
        };
        self.store
            .set_password(&session.user, &hash, Some(&session.id), &act)
            .await?;
        self.sessions.look_again(&session.user);
        Ok(())
    }

    /// Takes one of the attempts of a subscriber.
    pub(crate) fn may_come(&self, peer: IpAddr) -> Result<(), Duration> {
        self.subscribers.take(subscriber(peer))
    }

    /// Writes down that somebody came from a provider in vain. It knows who they are, if it is only that they may not come in.
    pub(crate) async fn note_openid(&self, error: &OpenIdError, peer: IpAddr) {
        let (why, user) = match error {
            OpenIdError::Unreachable => ("the OpenID provider does not answer", None),
            OpenIdError::NotBegun => ("an OpenID login that was not begun here", None),
            OpenIdError::Refused => ("refused by the OpenID provider", None),
            OpenIdError::Untrusted => ("an OpenID answer that cannot be trusted", None),
            OpenIdError::NoGrant(name) => ("no role is granted", Some(name.clone())),
            OpenIdError::TooMany(_) => ("too many attempts", None),
            OpenIdError::Store(_) => ("the database does not answer", None),
        };
        let failure = Failure {
            user,
            project: None,
            peer: Some(peer),
            why,
        };
        self.failures.note(failure).await;
    }

    /// Takes one of the attempts of a name and of a subscriber.
    async fn may_try(&self, name: &str, peer: IpAddr) -> Result<(), LoginError> {
        let by_peer = self.may_come(peer);
        let Err(wait) = by_peer.and_then(|()| self.names.take(name)) else {
            return Ok(());
        };
        let failure = Failure {
            user: None,
            project: None,
            peer: Some(peer),
            why: "too many attempts",
        };
        self.failures.note(failure).await;
        Err(LoginError::TooMany(wait))
    }
}

/// Somebody who has proved who they are.
pub(crate) struct Known {
    pub(crate) name: String,
    /// For the audit log.
    pub(crate) in_full: String,
    pub(crate) method: Method,
    pub(crate) role: Role,
    pub(crate) project: Option<i32>,
}
