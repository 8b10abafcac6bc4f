//! JSON API and web UI.
//!
//! A request's query string ([`params`]) becomes a filter ([`filter`]) and perhaps a place in a list
//! ([`cursor`]); a thin handler ([`api`]) asks the store one question and answers in JSON. Everything
//! outside `/api` is the embedded web UI.

pub mod api;
mod cursor;
pub mod filter;
mod hex;
pub mod params;

use axum::Router;

pub use api::{ApiState, Bound, Endpoints, Figures, HealthSource, Lag, Queue, Received, Refused};

/// The JSON API under `/api/v1`.
pub fn router(state: ApiState) -> Router {
    Router::new().nest("/api/v1", api::router(state))
}
