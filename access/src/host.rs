//! By which names this server is asked.
//!
//! A page of another site can point a name of its own at this machine (DNS rebinding). To the browser what is here then belongs to that
//! site, whose scripts may read it. What they cannot change is the `host` of their requests.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, Uri, header::HOST, uri::Authority};

/// The names that requests may be addressed to.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Option<Known>);

#[derive(Clone, Debug)]
struct Known {
    names: Arc<[String]>,
    are_bare_names_ours: bool,
}

impl Hosts {
    /// Any name.
    #[must_use]
    pub const fn any() -> Self {
        Self(None)
    }

    /// These names, addresses, and what is always this machine: nobody else can point one of them here. With `bare_names` also those
    /// without a dot, as containers have, which no site of the internet has.
    #[must_use]
    pub fn only(names: impl IntoIterator<Item = String>, bare_names: bool) -> Self {
        let names = names.into_iter().map(|name| name.to_ascii_lowercase());
        Self(Some(Known {
            names: names.collect(),
            are_bare_names_ours: bare_names,
        }))
    }

    /// Whether a request is addressed to one of them. One that names nobody is not from a browser.
    #[must_use]
    pub fn admit(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(known) = &self.0 else {
            return true;
        };
        let is_known = |authority: &Authority| {
            let has_user = authority.as_str().contains('@');
            !has_user && known.has(authority.host())
        };
        let in_address = uri.authority().is_none_or(is_known);
        in_address
            && headers.get_all(HOST).iter().all(|host| {
                let authority = Authority::try_from(host.as_bytes());
                authority.is_ok_and(|authority| is_known(&authority))
            })
    }
}

impl Known {
    fn has(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_here = name == "localhost" || name.ends_with(".localhost");
        is_here
            || self.names.contains(&name)
            || self.are_bare_names_ours && !name.is_empty() && !name.contains('.')
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked_at(hosts: &Hosts, host: &str) -> bool {
        let host = HeaderValue::from_str(host).expect("a value");
        let headers = HeaderMap::from_iter([(HOST, host)]);
        hosts.admit(&Uri::from_static("/api/v1/summary"), &headers)
    }

    #[test]
    fn only_names_that_are_ours_are_answered() {
        let names = || ["Costflame.example".to_owned()];
        let strict = Hosts::only(names(), false);
        for ours in [
            "127.0.0.1:4319",
            "10.1.2.3",
            "[::1]:4319",
            "[2001:db8::1]",
            "localhost:4319",
            "LocalHost.",
            "c.localhost",
            "costflame.example:4319",
            "COSTFLAME.example.",
        ] {
            assert!(asked_at(&strict, ours), "{ours}");
        }
        for foreign in [
            "evil.example",
            "evil.example:4319",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "xlocalhost",
            "costflame.example.evil.example",
            "costflame.example@evil.example",
            "evil.example@localhost",
            "costflame",
            "",
            "a b",
        ] {
            assert!(!asked_at(&strict, foreign), "{foreign}");
        }
        let inside = Hosts::only(names(), true);
        assert!(asked_at(&inside, "costflame:4319"));
        assert!(!asked_at(&inside, "evil.example"));
        assert!(!asked_at(&inside, ""));
        assert!(asked_at(&Hosts::any(), "evil.example"));
    }

    #[test]
    fn every_name_of_a_request_counts() {
        let strict = Hosts::only([], false);
        let none = HeaderMap::new();
        assert!(strict.admit(&Uri::from_static("/"), &none), "HTTP/1.0");
        assert!(strict.admit(&Uri::from_static("http://localhost/"), &none));
        assert!(!strict.admit(&Uri::from_static("http://evil.example/"), &none));
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(!strict.admit(&Uri::from_static("http://evil.example/"), &headers));
        headers.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!strict.admit(&Uri::from_static("/"), &headers));
    }
}
