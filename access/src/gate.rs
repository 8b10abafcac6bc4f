//! The question at every door: who is it, and for which project may they act.

use std::sync::Arc;

use costflame_store::{DEFAULT_PROJECT, KeyScope};
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use crate::{Keyring, keyring::Entry};

/// Lets requests in, or not.
#[derive(Clone, Debug, Default)]
pub struct Gate(Option<Locked>);

#[derive(Clone, Debug)]
struct Locked {
    keyring: Arc<Keyring>,
    /// Where a key may stand instead of `authorization`.
    header: Option<HeaderName>,
}

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Whose data they may touch.
    pub project: i32,
    key: Option<(Arc<Keyring>, Arc<Entry>)>,
}

/// Why somebody is not let in. The same request will not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key at all.
    #[error("an API key is needed: authorization: Bearer KEY")]
    NoKey,
    /// A key that is unknown, malformed or revoked: which of it is nobody's business.
    #[error("the API key is not valid")]
    BadKey,
    /// A valid key for something else.
    #[error("this API key is for {has}; here one for {needs} is needed")]
    OtherScope {
        /// What it allows.
        has: &'static str,
        /// What would be needed.
        needs: &'static str,
    },
}

impl Denied {
    /// Whether it is known who it is, so that another login would not help.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self, Self::OtherScope { .. })
    }

    /// Whether the same request may be let in later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        false
    }
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
        Self(Some(Locked { keyring, header }))
    }

    /// Looks at the head of a request; its body is not needed.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(&self, headers: &HeaderMap, needed: KeyScope) -> Result<Pass, Denied> {
        let Some(locked) = &self.0 else {
            return Ok(Pass {
                project: DEFAULT_PROJECT,
                key: None,
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
            key: Some((Arc::clone(&locked.keyring), entry)),
        })
    }
}

impl Pass {
    /// Whether it would be let in again: what goes on for long asks now and then.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.key
            .as_ref()
            .is_none_or(|(keyring, entry)| keyring.holds(entry.id()))
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
    use costflame_store::{Options, Store};
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
        store.put_key(&row).await.expect("kept");
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

        assert!(pass.holds());
        assert!(store.revoke_key(&row.id, 2).await.expect("revoked"));
        assert!(!store.revoke_key(&row.id, 3).await.expect("before"));
        tokio::spawn(keyring.follow(CancellationToken::new()));
        while pass.holds() {
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
