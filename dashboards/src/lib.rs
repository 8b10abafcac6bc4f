//! JSON API and web UI.
//!
//! A request's query string ([`params`]) becomes a filter ([`filter`]) and perhaps a place in a list
//! ([`cursor`]); a thin handler ([`api`]) asks the store one question and answers in JSON. Everything
//! outside `/api` is the embedded web UI ([`assets`], feature `ui`).

pub mod api;
#[cfg(feature = "ui")]
mod assets;
mod cursor;
pub mod filter;
mod hex;
pub mod params;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
};
use costflame_access::Hosts;
use tower_http::{compression::CompressionLayer, set_header::SetResponseHeaderLayer};

pub use api::{
    ApiState, Bound, CatalogSource, Endpoints, Figures, Front, HealthSource, Lag, Queue, Received,
    Refused,
};

/// Scripts and styles come from here alone and never from the page's text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Sent with every answer.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
];

/// The JSON API under `/api/v1`; with the feature `ui`, the web UI under every other path that
/// nobody else answers. Compresses what it sends.
pub fn router(state: ApiState) -> Router {
    let mut router = Router::new()
        .nest("/api/v1", api::router(state))
        .nest("/api", api::unknown());
    #[cfg(feature = "ui")]
    {
        router = router.merge(assets::router());
    }
    #[cfg(not(feature = "ui"))]
    {
        router = router.fallback(api::no_ui);
    }
    for (name, value) in HEADERS {
        router = router.layer(SetResponseHeaderLayer::if_not_present(
            name,
            HeaderValue::from_static(value),
        ));
    }
    router.layer(CompressionLayer::new())
}

/// The same, for what is addressed to one of `hosts` alone: a site may point a name of its own here.
pub fn only_at(router: Router, hosts: Hosts) -> Router {
    api::only_at(router, hosts)
}
