//! One login at a provider, from its beginning to its end.
//!
//! The browser keeps when it began, 256 random bits and the page it is for. What the provider gets to see, `state`, `nonce` and the hash of
//! the code verifier, is derived from the whole of it: nothing of it can be changed on the way, and no server has to remember it.

use std::time::Duration;

use form_urlencoded::{byte_serialize, parse};

use super::{LONGEST, OpenIdError};
use crate::{
    clock::now_us,
    secret::{hex, is_hex, random_hex},
};

/// Bytes of randomness.
const SECRET: usize = 32;

/// Longest address of a page that is remembered: written for a cookie it may take thrice that, and browsers keep 4096 bytes.
const LONGEST_PAGE: usize = 1000;

/// So much of why a provider refuses is logged.
const LONGEST_ERROR: usize = 200;

/// A login under way.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    kept: String,
    to: String,
}

/// What the provider sends the browser back with.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) code: String,
    /// Who sent it, if the provider says so (RFC 9207).
    pub(super) issuer: Option<String>,
}

impl Flow {
    pub(super) fn begin(to: &str) -> Self {
        let to = if is_page(to) { to } else { "/" };
        let page: String = byte_serialize(to.as_bytes()).collect();
        let seconds = now_us() / 1_000_000;
        Self {
            kept: format!("{seconds:x}.{}.{page}", random_hex::<SECRET>()),
            to: to.to_owned(),
        }
    }

    /// What a browser has kept, if it is young enough.
    pub(super) fn resume(kept: &str) -> Option<Self> {
        Self::resume_at(kept, now_us() / 1_000_000)
    }

    fn resume_at(kept: &str, now: i64) -> Option<Self> {
        let mut parts = kept.splitn(3, '.');
        let (began, secret, page) = (parts.next()?, parts.next()?, parts.next()?);
        let began = i64::from_str_radix(began, 16).ok()?;
        let age = u64::try_from(now.checked_sub(began)?).ok()?;
        if Duration::from_secs(age) >= LONGEST || !is_hex(secret, SECRET) {
            return None;
        }
        let (to, _) = parse(page.as_bytes()).next()?;
        is_page(&to).then(|| Self {
            kept: kept.to_owned(),
            to: to.into_owned(),
        })
    }

    pub(super) fn kept(&self) -> &str {
        &self.kept
    }

    pub(super) fn to(&self) -> &str {
        &self.to
    }

    pub(super) fn state(&self) -> String {
        self.derive("costflame 2026-11 openid state")
    }

    pub(super) fn nonce(&self) -> String {
        self.derive("costflame 2026-11 openid nonce")
    }

    pub(super) fn verifier(&self) -> String {
        self.derive("costflame 2026-11 openid code verifier")
    }

    fn derive(&self, purpose: &str) -> String {
        hex(&blake3::derive_key(purpose, self.kept.as_bytes()))
    }

    /// The answer in the query of an address, if it is one to this flow.
    pub(super) fn answer(&self, query: &str) -> Result<Answer, OpenIdError> {
        let all = |name: &str| {
            let pairs = parse(query.as_bytes()).filter(|(key, _)| key == name);
            pairs
                .map(|(_, value)| value.into_owned())
                .collect::<Vec<_>>()
        };
        let [state] = &all("state")[..] else {
            return Err(OpenIdError::NotBegun);
        };
        // Hashes of equal length, compared in constant time.
        if blake3::hash(state.as_bytes()) != blake3::hash(self.state().as_bytes()) {
            return Err(OpenIdError::NotBegun);
        }
        if let Some(error) = all("error").first() {
            let error: String = error.chars().take(LONGEST_ERROR).collect();
            tracing::warn!(%error, "the OpenID provider refused a login");
            return Err(OpenIdError::Refused);
        }
        let [code] = &all("code")[..] else {
            return Err(OpenIdError::Untrusted);
        };
        Ok(Answer {
            code: code.clone(),
            issuer: all("iss").pop(),
        })
    }
}

/// Whoever is sent there stays on this server.
fn is_page(to: &str) -> bool {
    to.len() <= LONGEST_PAGE
        && to.starts_with('/')
        && !to.starts_with("//")
        && to.bytes().all(|c| c.is_ascii_graphic() && c != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_ends_where_it_began() {
        let flow = Flow::begin("/traces?q=a%20b;&x=%C3%BC");
        let same = Flow::resume(flow.kept()).expect("young");
        assert_eq!(same.to(), "/traces?q=a%20b;&x=%C3%BC");
        assert_eq!(same.state(), flow.state());
        let query = format!("code=c&state={}&iss=i", flow.state());
        let answer = flow.answer(&query).expect("an answer");
        assert_eq!((&*answer.code, answer.issuer.as_deref()), ("c", Some("i")));

        let other = Flow::begin("/");
        assert!(matches!(other.answer(&query), Err(OpenIdError::NotBegun)));
        for query in [
            "code=c".to_owned(),
            format!("code=c&state={}&state={}", flow.state(), flow.state()),
            "code=c&state=".to_owned(),
        ] {
            assert!(matches!(flow.answer(&query), Err(OpenIdError::NotBegun)));
        }
        let refused = format!("error=access_denied&state={}", flow.state());
        assert!(matches!(flow.answer(&refused), Err(OpenIdError::Refused)));
        assert_ne!(flow.state(), flow.nonce());
        assert_ne!(flow.nonce(), flow.verifier());
    }

    #[test]
    fn what_the_browser_keeps_cannot_be_bent() {
        let flow = Flow::begin("/live");
        let later = flow.kept().replacen(|c: char| c != '.', "f", 1);
        for bent in [flow.kept().replace("live", "health"), later] {
            if let Some(bent) = Flow::resume(&bent) {
                assert_ne!(bent.state(), flow.state());
            }
        }
        let now = now_us() / 1_000_000;
        let limit = i64::try_from(LONGEST.as_secs()).expect("small");
        assert!(Flow::resume_at(flow.kept(), now + limit - 2).is_some());
        assert!(
            Flow::resume_at(flow.kept(), now + limit + 2).is_none(),
            "old"
        );
        assert!(
            Flow::resume_at(flow.kept(), now - 60).is_none(),
            "from the future"
        );
        for nothing in ["", "..", "0", "x.y.z"] {
            assert!(Flow::resume(nothing).is_none());
        }
    }

    #[test]
    fn nobody_is_led_away() {
        for elsewhere in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "evil.example",
            "javascript:alert(1)",
            "",
            "/\n",
            "/ü",
            &format!("/{}", "a".repeat(LONGEST_PAGE)),
        ] {
            assert_eq!(Flow::begin(elsewhere).to(), "/", "{elsewhere:?}");
        }
    }
}
