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
        let now_us = now_us();
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
