//! `/healthz`, `/readyz` and `/metrics`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::commit::Landing;

/// How long the database may take to answer before it counts as unreachable.
const PING: Duration = Duration::from_secs(2);

/// What the answers are made from.
pub struct Health<L> {
    /// The database to ask.
    pub store: Arc<L>,
    /// Cancelled when the process begins to shut down.
    pub draining: CancellationToken,
    /// Everything that counts.
    pub registry: Arc<Registry>,
}

/// The three routes, to be mounted beside the API.
pub fn router<L: Landing>(health: Health<L>) -> Router {
    let metrics = health.registry.clone();
    let health = Arc::new(health);
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(move || readiness(health.clone())))
        .route("/metrics", get(move || async move { exposition(&metrics) }))
}

async fn readiness<L: Landing>(health: Arc<Health<L>>) -> Response {
    let why = if health.draining.is_cancelled() {
        "shutting down".to_owned()
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

fn exposition(registry: &Registry) -> Response {
    let mut text = String::new();
    if text::encode(&mut text, registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
