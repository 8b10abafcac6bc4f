//! The question at every door: who is it, and for which project may they act.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use costflame_store::{DEFAULT_PROJECT, KeyScope, Method, Role, Session, StoreError};
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use crate::{Keyring, Sessions, keyring::Entry, limit::Limit, peer::subscriber};

/// Lets requests in, or not.
#[derive(Clone, Debug, Default)]
pub struct Gate(Option<Locked>);

#[derive(Clone, Debug)]
struct Locked {
    keyring: Arc<Keyring>,
    /// Where a key may stand instead of `authorization`.
    header: Option<HeaderName>,
    people: Option<People>,
}

/// What lets people in.
#[derive(Clone, Debug)]
struct People {
    sessions: Arc<Sessions>,
    /// Requests of one session or key.
    requests: Option<Arc<Limit>>,
    /// Sessions nobody has heard of, from one subscriber.
    unheard: Arc<Limit>,
}

/// Sessions nobody has heard of that one subscriber may ask for in a minute: each asks the database.
const UNHEARD: NonZeroU32 = NonZeroU32::new(600).expect("not zero");

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Whose data they may touch.
    pub project: i32,
    who: Who,
}

#[derive(Clone, Debug)]
enum Who {
    /// Nobody is asked.
    Anybody,
    Key(Arc<Keyring>, Arc<Entry>),
    Session(Arc<Sessions>, Arc<Session>),
}

/// Why somebody is not let in. The same request will not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Neither key nor session.
    #[error("a login or an API key is needed: authorization: Bearer KEY")]
    NoKey,
    /// A key that is unknown, malformed or revoked: which of it is nobody's business.
    #[error("the API key is not valid")]
    BadKey,
    /// A session that has ended, or never was.
    #[error("the session has ended; log in again")]
    BadSession,
    /// A valid key for something else.
    #[error("this API key is for {has}; here one for {needs} is needed")]
    OtherScope {
        /// What it allows.
        has: &'static str,
        /// What would be needed.
        needs: &'static str,
    },
    /// Somebody who may do less.
    #[error("this needs the role {needs}, and yours is {has}")]
    OtherRole {
        /// What they have.
        has: &'static str,
        /// What would be needed.
        needs: &'static str,
    },
    /// A request that another site may have made the browser send.
    #[error(
        "this did not come from a page of this server; the header x-costflame-request and the same origin are needed"
    )]
    ForeignOrigin,
}

impl Denied {
    /// Whether it is known who it is, so that another login would not help.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(
            self,
            Self::OtherScope { .. } | Self::OtherRole { .. } | Self::ForeignOrigin
        )
    }

    /// Whether the same request may be let in later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        false
    }
}

/// Why a request for the API is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Who asks may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// May be retried after this time.
    #[error("too many requests; try again in {} s", .0.as_secs() + 1)]
    TooMany(Duration),
    /// The database cannot say who it is. May be retried if the error may.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gate {
    /// Lets everybody in, to the default project.
    #[must_use]
    pub const fn open() -> Self {
        Self(None)
    }

    /// Lets in who shows a key of `keyring`, in `authorization` or in `header`.
    #[must_use]
    pub const fn locked(keyring: Arc<Keyring>, header: Option<HeaderName>) -> Self {
        Self(Some(Locked {
            keyring,
            header,
            people: None,
        }))
    }

    /// The same, and lets in who has a session; each session and each key so often a minute.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Arc<Sessions>, requests: Option<NonZeroU32>) -> Self {
        if let Some(locked) = &mut self.0 {
            locked.people = Some(People {
                sessions,
                requests: requests.map(|number| Arc::new(Limit::per_minute(number))),
                unheard: Arc::new(Limit::per_minute(UNHEARD)),
            });
        }
        self
    }

    /// Whether anybody is asked who they are.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.0.is_some()
    }

    /// Lets a program in by its key. Looks at the head of a request; its body is not needed.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(&self, headers: &HeaderMap, needed: KeyScope) -> Result<Pass, Denied> {
        let Some(locked) = &self.0 else {
            return Ok(Pass {
                project: DEFAULT_PROJECT,
                who: Who::Anybody,
            });
        };
        let text = shown_key(headers, locked.header.as_ref())?;
        let entry = locked.keyring.find(text).ok_or(Denied::BadKey)?;
        if entry.scope() != needed {
            return Err(Denied::OtherScope {
                has: entry.scope().name(),
                needs: needed.name(),
            });
        }
        Ok(Pass {
            project: entry.project(),
            who: Who::Key(Arc::clone(&locked.keyring), entry),
        })
    }

    /// Lets somebody in who wants to read: a program by its key, or a browser by its session. A key that is shown counts alone.
    ///
    /// # Errors
    /// Why it is not let in.
    pub async fn admit_reader(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Pass, Refused> {
        let people = self.0.as_ref().and_then(|locked| locked.people.as_ref());
        let Some(people) = people else {
            return Ok(self.admit(headers, KeyScope::Read)?);
        };
        let pass = match self.admit(headers, KeyScope::Read) {
            Err(Denied::NoKey) => people.by_session(headers, peer).await?,
            other => other?,
        };
        if let Some(limit) = &people.requests {
            limit.take(pass.who.id()).map_err(Refused::TooMany)?;
        }
        Ok(pass)
    }
}

impl People {
    async fn by_session(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Pass, Refused> {
        let shown = self.sessions.shown(headers).ok_or(Denied::NoKey)?;
        if !self.sessions.is_known(&shown) {
            let taken = self.unheard.take(subscriber(peer));
            taken.map_err(Refused::TooMany)?;
        }
        let session = self.sessions.find(&shown).await?;
        let session = session.ok_or(Denied::BadSession)?;
        Ok(Pass {
            project: session.project.unwrap_or(DEFAULT_PROJECT),
            who: Who::Session(Arc::clone(&self.sessions), session),
        })
    }
}

impl Who {
    fn id(&self) -> &str {
        match self {
            Self::Anybody => "",
            Self::Key(_, entry) => entry.id(),
            Self::Session(_, session) => &session.id,
        }
    }
}

impl Pass {
    /// What they may do. A key reads; where nobody is asked there are no users to look after.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.who {
            Who::Anybody => Role::Editor,
            Who::Key(..) => Role::Viewer,
            Who::Session(_, session) => session.role,
        }
    }

    /// Asks for a role.
    ///
    /// # Errors
    /// When theirs is a lesser one.
    pub fn needs(&self, needed: Role) -> Result<(), Denied> {
        if self.role() >= needed {
            return Ok(());
        }
        Err(Denied::OtherRole {
            has: self.role().name(),
            needs: needed.name(),
        })
    }

    /// The project they are confined to; `None` = they may enter all.
    #[must_use]
    pub fn confined_to(&self) -> Option<i32> {
        match &self.who {
            Who::Session(_, session) => session.project,
            Who::Anybody | Who::Key(..) => Some(self.project),
        }
    }

    /// The same person in a project; `None` if they may not enter it.
    #[must_use]
    pub fn enter(self, project: i32) -> Option<Self> {
        let may_enter = self.confined_to().is_none_or(|only| only == project);
        may_enter.then_some(Self { project, ..self })
    }

    /// The session they came with.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.who {
            Who::Session(_, session) => Some(session),
            Who::Anybody | Who::Key(..) => None,
        }
    }

    /// Whether they came with a key, which no browser adds by itself.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        matches!(self.who, Who::Key(..))
    }

    /// Who they are, for the audit log.
    #[must_use]
    pub fn actor(&self) -> String {
        match &self.who {
            Who::Anybody => "anybody".to_owned(),
            Who::Key(_, entry) => format!("key {}", entry.id()),
            Who::Session(_, session) => actor(session),
        }
    }

    /// Whether they would be let in again: what goes on for long asks now and then. While the database is away nobody is turned out.
    pub async fn holds(&self) -> bool {
        match &self.who {
            Who::Anybody => true,
            Who::Key(keyring, entry) => keyring.holds(entry.id()),
            Who::Session(sessions, session) => match sessions.find(&session.hash).await {
                Ok(now) => {
                    now.is_some_and(|now| now.project.is_none_or(|project| project == self.project))
                }
                Err(error) => error.is_retryable(),
            },
        }
    }
}

/// Whose session it is, for the audit log.
#[must_use]
pub(crate) fn actor(session: &Session) -> String {
    match session.method {
        Method::Password => format!("user {}", session.user),
        Method::OpenId => format!("openid {}", session.user),
    }
}

/// The key of a request. Two of them are as good as a wrong one: no proxy and no program may disagree about which counts.
fn shown_key<'a>(headers: &'a HeaderMap, own: Option<&HeaderName>) -> Result<&'a str, Denied> {
    let name = match own {
        Some(own) if headers.contains_key(own) => own,
        _ => &AUTHORIZATION,
    };
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Denied::NoKey)?;
    if values.next().is_some() {
        return Err(Denied::BadKey);
    }
    let text = value.to_str().map_err(|_| Denied::BadKey)?.trim();
    match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim()),
        None if *name != AUTHORIZATION => Ok(text),
        _ => Err(Denied::BadKey),
    }
}

#[cfg(test)]
mod tests {
    use costflame_store::{Act, Options, Store};
    use http::HeaderValue;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::key;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        let value = HeaderValue::from_str(value).expect("a value");
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    }

    #[tokio::test]
    async fn a_key_opens_its_project_until_it_is_revoked() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/c.db", folder.path().display());
        let store = Store::connect(&url, &Options::default())
            .await
            .expect("opens");
        let (ingest, row) = key::create(7, KeyScope::Ingest, "", 1);
        let act = |at_us| Act {
            at_us,
            actor: "cli".to_owned(),
            peer: String::new(),
            project: Some(7),
            act: "test",
            target: String::new(),
        };
        store.put_key(&row, &act(1)).await.expect("kept");
        let keyring = Keyring::open(store.clone()).await.expect("read");
        let header = HeaderName::from_static("x-key");
        let gate = Gate::locked(keyring.clone(), Some(header));
        let admit = |headers: &HeaderMap| gate.admit(headers, KeyScope::Ingest);

        let bearer = with("authorization", &format!("Bearer {ingest}"));
        let pass = admit(&bearer).expect("let in");
        assert_eq!(pass.project, 7);
        let lower = with("authorization", &format!("bearer  {ingest}"));
        assert!(admit(&lower).is_ok());
        assert!(admit(&with("x-key", &ingest)).is_ok());
        assert!(admit(&with("x-key", &format!("Bearer {ingest}"))).is_ok());

        assert_eq!(admit(&HeaderMap::new()).unwrap_err(), Denied::NoKey);
        let mut twice = bearer.clone();
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let cut = &ingest[..ingest.len() - 1];
        for wrong in [
            twice,
            with("authorization", &ingest),
            with("authorization", &format!("Basic {ingest}")),
            with("authorization", &format!("Bearer {cut}")),
            with("authorization", "Bearer "),
            with("x-key", ""),
        ] {
            assert_eq!(admit(&wrong).unwrap_err(), Denied::BadKey, "{wrong:?}");
        }
        let scope = gate.admit(&bearer, KeyScope::Read).unwrap_err();
        assert!(matches!(
            scope,
            Denied::OtherScope {
                has: "ingest",
                needs: "read"
            }
        ));

        assert!(pass.holds().await);
        assert!(store.revoke_key(&row.id, &act(2)).await.expect("revoked"));
        assert!(!store.revoke_key(&row.id, &act(3)).await.expect("before"));
        tokio::spawn(keyring.follow(CancellationToken::new()));
        while pass.holds().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(admit(&bearer).unwrap_err(), Denied::BadKey);
    }

    #[test]
    fn an_open_gate_leads_to_the_default_project() {
        let pass = Gate::open().admit(&HeaderMap::new(), KeyScope::Read);
        assert_eq!(pass.expect("let in").project, DEFAULT_PROJECT);
    }
}
