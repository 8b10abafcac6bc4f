//! Sessions: who is logged in.
//!
//! The database holds them, so that they outlive a restart and are the same for all collectors of it. What it said is remembered for
//! seconds: one that was ended elsewhere is let in that much longer, and while the database is away those that were known go on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use costflame_store::{Act, Session, Store, StoreError};
use http::{HeaderMap, HeaderValue};

use crate::{
    clock::{micros, now_us},
    cookie::Cookie,
    secret::random_hex,
};

/// How long the word of the database holds.
pub const REMEMBERED: Duration = Duration::from_secs(2);

/// Sessions that are remembered; when there are more, those not asked for lately are forgotten.
const MOST: usize = 10_000;

/// Bytes of what the browser shows: 256 random bits, of which a fast hash is enough.
const SECRET: usize = 32;

/// Bytes of what may be shown.
const ID: usize = 8;

/// Use is noted when this part of the idle time has passed since it was last.
const NOTES_PER_IDLE: i64 = 20;

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimes {
    /// Without any use.
    pub idle: Duration,
    /// At most.
    pub lifetime: Duration,
}

#[derive(Debug)]
struct Known {
    session: Arc<Session>,
    checked: Instant,
}

/// The sessions of a database.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    times: SessionTimes,
    cookie: Cookie,
    known: Mutex<HashMap<[u8; 32], Known>>,
}

impl Sessions {
    /// Sessions whose cookies are bound to TLS, or not.
    #[must_use]
    pub fn new(store: Store, times: SessionTimes, is_secure: bool) -> Arc<Self> {
        Arc::new(Self {
            store,
            times,
            cookie: Cookie::session(is_secure),
            known: Mutex::default(),
        })
    }

    /// The hash of what a browser shows, if that can be a session at all.
    pub(crate) fn shown(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        let text = self.cookie.read_hex(headers, SECRET)?;
        Some(*blake3::hash(text.as_bytes()).as_bytes())
    }

    /// Whether a session is remembered, so that looking for it costs the database little.
    pub(crate) fn is_known(&self, hash: &[u8; 32]) -> bool {
        self.lock().contains_key(hash)
    }

    /// A session that has not ended.
    ///
    /// # Errors
    /// When the database cannot be read, and the session is not remembered.
    pub(crate) async fn find(&self, hash: &[u8; 32]) -> Result<Option<Arc<Session>>, StoreError> {
        self.find_at(hash, now_us()).await
    }

    async fn find_at(
        &self,
        hash: &[u8; 32],
        now_us: i64,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let remembered = self.lock().get(hash).map(|known| {
            let is_fresh = known.checked.elapsed() < REMEMBERED;
            (Arc::clone(&known.session), is_fresh)
        });
        let remembered = remembered.filter(|(session, _)| self.goes_on(session, now_us));
        if let Some((session, true)) = remembered {
            return Ok(Some(session));
        }
        let session = match self.store.session(hash, now_us).await {
            Ok(session) => session.filter(|session| self.goes_on(session, now_us)),
            Err(error) if error.is_retryable() && remembered.is_some() => {
                return Ok(remembered.map(|(session, _)| session));
            }
            Err(error) => return Err(error),
        };
        let Some(mut session) = session else {
            self.forget(hash);
            return Ok(None);
        };
        if now_us - session.used_us > micros(self.times.idle) / NOTES_PER_IDLE {
            session.used_us = now_us;
            if let Err(error) = self.store.note_session_use(hash, now_us).await {
                tracing::warn!(%error, "the use of a session cannot be noted");
            }
        }
        let session = Arc::new(session);
        self.remember(Arc::clone(&session));
        Ok(Some(session))
    }

    fn goes_on(&self, session: &Session, now_us: i64) -> bool {
        now_us < session.ends_us && now_us - session.used_us < micros(self.times.idle)
    }

    fn remember(&self, session: Arc<Session>) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.retain(|_, known| known.checked.elapsed() < REMEMBERED);
        }
        if known.len() < MOST {
            let checked = Instant::now();
            known.insert(session.hash, Known { session, checked });
        }
    }

    fn forget(&self, hash: &[u8; 32]) {
        self.lock().remove(hash);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Known>> {
        self.known
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    /// Begins a session in place of the one that the browser had; returns the `set-cookie` of the new one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) async fn begin(
        &self,
        who: Session,
        headers: &HeaderMap,
        act: &Act,
    ) -> Result<HeaderValue, StoreError> {
        let secret = random_hex::<SECRET>();
        let now_us = now_us();
        let session = Session {
            hash: *blake3::hash(secret.as_bytes()).as_bytes(),
            id: random_hex::<ID>(),
            created_us: now_us,
            used_us: now_us,
            ends_us: now_us.saturating_add(micros(self.times.lifetime)),
            ..who
        };
        let replaced = self.shown(headers);
        self.store
            .open_session(&session, replaced.as_ref(), act)
            .await?;
        if let Some(replaced) = replaced {
            self.forget(&replaced);
        }
        Ok(self.cookie.set(&secret, self.times.lifetime))
    }

    /// Ends a session; false if it had ended before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end(&self, id: &str, act: &Act) -> Result<bool, StoreError> {
        let is_ended = self.store.end_session(id, act).await?;
        self.lock().retain(|_, known| known.session.id != id);
        Ok(is_ended)
    }

    /// Forgets what the database said of a user's sessions, so that a change holds at once here.
    pub fn look_again(&self, user: &str) {
        self.lock().retain(|_, known| known.session.user != user);
    }

    /// `set-cookie` of a browser that is logged out.
    #[must_use]
    pub fn logged_out(&self) -> HeaderValue {
        self.cookie.clear()
    }
}

#[cfg(test)]
mod tests {
    use costflame_store::{Method, Options, Role};

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    struct House {
        _folder: tempfile::TempDir,
        store: Store,
        url: String,
    }

    impl House {
        async fn build() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let url = format!("sqlite://{}/c.db", folder.path().display());
            let store = Store::connect(&url, &Options::default()).await;
            Self {
                _folder: folder,
                store: store.expect("opens"),
                url,
            }
        }

        /// Sessions as another server has them: nothing is remembered.
        async fn server(&self) -> Arc<Sessions> {
            let store = Store::connect(&self.url, &Options::default()).await;
            Self::sessions(store.expect("opens"))
        }

        fn sessions(store: Store) -> Arc<Sessions> {
            let times = SessionTimes {
                idle: Duration::from_secs(24 * 3_600),
                lifetime: Duration::from_secs(7 * 24 * 3_600),
            };
            Sessions::new(store, times, false)
        }
    }

    /// Begins a session; its hash and when.
    async fn begin(sessions: &Sessions) -> ([u8; 32], i64) {
        let who = Session {
            hash: [0; 32],
            id: String::new(),
            user: "alice".to_owned(),
            method: Method::OpenId,
            role: Role::Viewer,
            project: None,
            peer: "127.0.0.1".to_owned(),
            created_us: 0,
            used_us: 0,
            ends_us: 0,
        };
        let act = Act {
            at_us: now_us(),
            actor: "openid alice".to_owned(),
            peer: String::new(),
            project: None,
            act: "login",
            target: String::new(),
        };
        let cookie = sessions.begin(who, &HeaderMap::new(), &act).await;
        let cookie = cookie.expect("it begins");
        let text = cookie.to_str().expect("ASCII");
        let shown = HeaderValue::from_str(text.split(';').next().expect("a pair"));
        let headers = HeaderMap::from_iter([(http::header::COOKIE, shown.expect("a value"))]);
        (sessions.shown(&headers).expect("a session"), now_us())
    }

    #[tokio::test]
    async fn a_session_that_is_not_used_ends() {
        let house = House::build().await;
        let sessions = House::sessions(house.store.clone());
        let (hash, begun) = begin(&sessions).await;
        let goes_on = async |sessions: &Sessions, at| {
            let found = sessions.find_at(&hash, begun + at).await;
            found.expect("readable").is_some()
        };
        assert!(goes_on(&sessions, 0).await);
        assert!(!goes_on(&sessions, 24 * HOUR).await, "remembered");
        assert!(!goes_on(&*house.server().await, 24 * HOUR).await, "read");
        assert!(goes_on(&*house.server().await, 24 * HOUR - 1_000_000).await);

        // That was a use: each gives it another idle time, on every server, and none more than its lifetime.
        let mut at = 24 * HOUR - 1_000_000;
        for _ in 0..6 {
            at += 23 * HOUR;
            assert!(goes_on(&*house.server().await, at).await, "{at}");
        }
        assert!(at < 7 * 24 * HOUR && at + 23 * HOUR > 7 * 24 * HOUR);
        assert!(!goes_on(&*house.server().await, 7 * 24 * HOUR).await);
        assert!(!goes_on(&sessions, at + 24 * HOUR).await);
    }

    #[tokio::test]
    async fn use_is_noted_now_and_then() {
        let house = House::build().await;
        let sessions = House::sessions(house.store.clone());
        let (hash, begun) = begin(&sessions).await;
        let used = async || {
            let session = house.store.session(&hash, begun).await.expect("readable");
            session.expect("it goes on").used_us
        };
        let first = used().await;
        for (later, noted) in [(HOUR, false), (2 * HOUR, true)] {
            let server = house.server().await;
            let found = server.find_at(&hash, begun + later).await;
            assert!(found.expect("readable").is_some());
            assert_eq!(used().await > first, noted, "{later}");
        }
    }
}
