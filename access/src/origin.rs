//! Whether a request that changes something comes from our own pages.
//!
//! A browser adds the cookie to whatever any page makes it send. What no other page can make it send is a header of our
//! own, which needs our leave that nobody gets, and the browser's own word on where the request comes from. Keys need none
//! of this: no browser adds them by itself.

use http::{HeaderMap, HeaderName, header};

/// Our own header; its value is of no matter.
pub const OWN_HEADER: HeaderName = HeaderName::from_static("x-costflame-request");

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether our own pages sent a request. `public` is the origin under which browsers see this server, where it is known; else what
/// the request says its host is.
#[must_use]
pub fn is_own(headers: &HeaderMap, public: Option<&str>) -> bool {
    headers.contains_key(OWN_HEADER) && says_same_origin(headers, public)
}

/// The word of the browser. One that says nothing at all has none.
fn says_same_origin(headers: &HeaderMap, public: Option<&str>) -> bool {
    let mut sites = headers.get_all(FETCH_SITE).iter();
    if let Some(site) = sites.next() {
        return site == "same-origin" && sites.next().is_none();
    }
    let text = |name| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    if let Some(public) = public {
        return origin == public;
    }
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == text(header::HOST)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn own(headers: &[(&'static str, &'static str)], public: Option<&str>) -> bool {
        let pairs = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        is_own(&pairs.collect(), public)
    }

    #[test]
    fn both_proofs_are_needed() {
        const OWN: (&str, &str) = ("x-costflame-request", "1");
        const HOST: (&str, &str) = ("host", "c.example");
        let here = ("origin", "https://c.example");
        assert!(own(&[OWN, ("sec-fetch-site", "same-origin")], None));
        assert!(own(&[OWN, HOST, here], None));
        assert!(own(&[OWN, here], Some("https://c.example")));

        assert!(!own(&[OWN], None), "no word on where it comes from");
        assert!(!own(&[HOST, here], None), "no header of ours");
        assert!(!own(&[("sec-fetch-site", "same-origin")], None));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(
                !own(&[OWN, HOST, here, ("sec-fetch-site", site)], None),
                "{site}"
            );
        }
        for origin in [
            "https://evil.example",
            "https://c.example.evil.example",
            "https://c.example:8443",
            "null",
            "c.example",
        ] {
            assert!(!own(&[OWN, HOST, ("origin", origin)], None), "{origin}");
        }
        let plain = ("origin", "http://c.example");
        assert!(!own(&[OWN, HOST, plain], Some("https://c.example")));
    }
}
