//! Cookies: what a browser shows.
//!
//! Each is out of reach for scripts (`HttpOnly`), of this host and path alone, and where the browser comes by TLS bound to it: `Secure`,
//! and by its `__Host-` name also to be set by this host alone, so that no neighbouring one can slip in its own.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::secret::is_hex;

/// A cookie that costflame sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: &'static str,
    same_site: &'static str,
    is_secure: bool,
}

/// Where names of cookies begin that only a secure answer of the very host may set.
const HOST: &str = "__Host-";

impl Cookie {
    /// Holds a session. It is sent with requests of our own pages alone: these are static files, so that somebody who follows a link
    /// from elsewhere still finds their session.
    #[must_use]
    pub const fn session(is_secure: bool) -> Self {
        Self {
            name: "__Host-costflame",
            same_site: "Strict",
            is_secure,
        }
    }

    /// Holds what binds a login at a provider to the browser that began it, which comes back from another site.
    #[must_use]
    pub const fn login(is_secure: bool) -> Self {
        Self {
            name: "__Host-costflame-login",
            same_site: "Lax",
            is_secure,
        }
    }

    fn name(self) -> &'static str {
        if self.is_secure {
            return self.name;
        }
        self.name.strip_prefix(HOST).unwrap_or(self.name)
    }

    /// Its value in a request. Two of the same name are none: who set which is unknown.
    #[must_use]
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(COOKIE).iter();
        let mut values = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name())
            .map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Its value in a request, if that is so many bytes in hexadecimal digits.
    pub(crate) fn read_hex(self, headers: &HeaderMap, bytes: usize) -> Option<&str> {
        self.read(headers).filter(|value| is_hex(value, bytes))
    }

    /// `set-cookie` with a value of ours, for so long.
    #[must_use]
    pub fn set(self, value: &str, lasts: Duration) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let text = format!(
            "{}={value}; Path=/; HttpOnly; SameSite={}; Max-Age={}{secure}",
            self.name(),
            self.same_site,
            lasts.as_secs()
        );
        HeaderValue::try_from(text).expect("values of ours are visible ASCII")
    }

    /// `set-cookie` that makes the browser forget it.
    #[must_use]
    pub fn clear(self) -> HeaderValue {
        self.set("", Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_bound_as_tightly_as_can_be() {
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!(
            Cookie::session(true).set("x", week),
            "__Host-costflame=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800; Secure"
        );
        assert_eq!(
            Cookie::session(false).set("x", week),
            "costflame=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800"
        );
        assert_eq!(
            Cookie::login(true).clear(),
            "__Host-costflame-login=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
        );
    }

    #[test]
    fn only_one_of_its_name_is_read() {
        let read = |cookie: Cookie, text: &str| {
            let headers = HeaderMap::from_iter([(COOKIE, text.parse().expect("a value"))]);
            cookie.read(&headers).map(str::to_owned)
        };
        let (plain, secure) = (Cookie::session(false), Cookie::session(true));
        assert_eq!(
            read(plain, "a=b; costflame=x;costflame-login=y"),
            Some("x".into())
        );
        assert_eq!(read(secure, "costflame=x"), None, "set by anybody");
        assert_eq!(read(secure, "__Host-costflame=x"), Some("x".into()));
        assert_eq!(read(plain, "costflame=x; costflame=y"), None);
        assert_eq!(read(plain, "costflame"), None);
        assert_eq!(read(plain, ""), None);
    }
}
