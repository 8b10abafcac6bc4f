//! `/healthz`, `/readyz` and `/metrics`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use costflame_access::Gate;
use costflame_store::KeyScope;
use prometheus_client::{encoding::text, registry::Registry};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::commit::{self, Landing};

/// How long the database may take to answer before it counts as unreachable.
const PING: Duration = Duration::from_secs(2);

/// What the answers are made from.
pub struct Health<L> {
    /// The database to ask.
    pub store: Arc<L>,
    /// Whether commits work.
    pub commits: Arc<commit::Gate>,
    /// Cancelled when the process begins to shut down.
    pub draining: CancellationToken,
    /// Everything that counts.
    pub registry: Arc<Registry>,
    /// Who may read the counters, which are of all projects.
    pub gate: Gate,
}

/// The three routes, to be mounted beside the API.
pub fn router<L: Landing>(health: Health<L>) -> Router {
    let (metrics, gate) = (health.registry.clone(), health.gate.clone());
    let health = Arc::new(health);
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(move || readiness(health.clone())))
        .route(
            "/metrics",
            get(move |headers: HeaderMap| async move { exposition(&metrics, &gate, &headers) }),
        )
}

async fn readiness<L: Landing>(health: Arc<Health<L>>) -> Response {
    let why = if health.draining.is_cancelled() {
        "shutting down".to_owned()
    } else if let Some(trouble) = health.commits.trouble() {
        trouble
    } else {
        match timeout(PING, health.store.ping()).await {
            Ok(Ok(())) => return Json(json!({"ready": true})).into_response(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the database did not answer within {PING:?}"),
        }
    };
    let body = Json(json!({"ready": false, "why": why}));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

fn exposition(registry: &Registry, gate: &Gate, headers: &HeaderMap) -> Response {
    if let Err(denied) = gate.admit(headers, KeyScope::Metrics) {
        let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
        return (StatusCode::UNAUTHORIZED, challenge, denied.to_string()).into_response();
    }
    let mut text = String::new();
    if text::encode(&mut text, registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
