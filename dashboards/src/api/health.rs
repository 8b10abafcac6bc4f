//! `/health`: what was received, refused and waits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use costflame_store::{Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    state::ApiState,
    words::Time,
};
use crate::params::Params;

/// Gives the figures that only the collector knows; called once per request.
pub type HealthSource = Arc<dyn Fn() -> Figures + Send + Sync>;

/// How long the database may take before it counts as unreachable.
const DATABASE: Duration = Duration::from_secs(5);

/// What the collector knows about itself, since the process started; of all projects.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Where the receivers listen.
    pub endpoints: Endpoints,
    /// What came in.
    pub received: Received,
    /// What was turned away.
    pub refused: Refused,
    /// How far settling and folding are behind.
    pub lag: Lag,
    /// What waits.
    pub queues: Vec<Queue>,
    /// How often a bound was hit.
    pub bounds: Vec<Bound>,
}

/// Addresses the receivers listen on, `host:port`; null when off.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Endpoints {
    /// OTLP/gRPC.
    #[schema(required)]
    pub otlp_grpc: Option<String>,
    /// OTLP/HTTP.
    #[schema(required)]
    pub otlp_http: Option<String>,
}

/// What came in since the process started.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Received {
    /// Export requests.
    pub requests: u64,
    /// Spans in them.
    pub spans: u64,
    /// Model calls among the spans.
    pub calls: u64,
    /// Bytes before decompression.
    pub bytes: u64,
}

/// What was turned away since the process started.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Refused {
    /// Whole requests.
    pub requests: u64,
    /// Spans of requests that were otherwise accepted.
    pub spans: u64,
    /// How often, by reason.
    pub reasons: BTreeMap<String, u64>,
}

/// How far settling and folding are behind, milliseconds; null when unknown.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Lag {
    /// From a trace being due to it being settled.
    #[schema(required)]
    pub settle_ms: Option<u64>,
    /// Age of the oldest difference not yet folded.
    #[schema(required)]
    pub fold_ms: Option<u64>,
}

/// What waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Queue {
    /// Which queue.
    pub name: String,
    /// How much is in it.
    pub length: u64,
    /// How much fits.
    pub limit: u64,
}

/// How often a bound was hit since the process started.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bound {
    /// Which bound.
    pub name: String,
    /// Its value.
    pub limit: u64,
    /// How often it was hit.
    pub hits: u64,
}

/// `degraded`: a queue is full. `down`: the database cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Degraded,
    Down,
}

/// Which database.
#[derive(Serialize, ToSchema)]
struct Database {
    /// `sqlite` or `postgres`.
    kind: &'static str,
    /// It answered now.
    reachable: bool,
    /// Bytes on disk; null when it did not say.
    #[schema(required)]
    bytes: Option<u64>,
}

/// Start of the oldest and of the newest settled call; null when there is none.
#[derive(Serialize, ToSchema)]
struct Data {
    #[schema(required)]
    first: Option<Time>,
    #[schema(required)]
    last: Option<Time>,
}

/// The state of costflame.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: Status,
    /// Of the program.
    version: &'static str,
    /// Seconds since it started.
    uptime_s: u64,
    database: Database,
    endpoints: Endpoints,
    data: Data,
    received: Received,
    refused: Refused,
    lag: Lag,
    queues: Vec<Queue>,
    bounds: Vec<Bound>,
}

/// Bytes on disk, if the database says so in time.
async fn size(store: &Store) -> Option<u64> {
    let status = tokio::time::timeout(DATABASE, store.status()).await;
    Some(status.ok()?.ok()?.bytes)
}

/// The state of costflame; 200 also when degraded.
#[utoipa::path(get, path = "/health", responses(
    (status = 200, body = Health),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn health(
    State(api): State<ApiState>,
    params: Params,
) -> Result<Json<Health>, ApiError> {
    let project = params.project();
    params.finish()?;
    let figures = (api.health)();
    let extent = tokio::time::timeout(DATABASE, api.store.extent(project)).await;
    let extent = extent.unwrap_or_else(|_| {
        Err(StoreError::Unreachable(format!(
            "no answer within {DATABASE:?}"
        )))
    });
    let extent = extent.inspect_err(|error| tracing::warn!(%error, "the database cannot answer"));
    let (first, last) = extent.as_ref().ok().copied().flatten().unzip();
    let bytes = match &extent {
        Ok(_) => size(&api.store).await,
        Err(_) => None,
    };
    let full = figures
        .queues
        .iter()
        .any(|queue| queue.limit > 0 && queue.length >= queue.limit);
    let status = match (extent.is_ok(), full) {
        (false, _) => Status::Down,
        (true, true) => Status::Degraded,
        (true, false) => Status::Ok,
    };
    Ok(Json(Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: api.started.elapsed().as_secs(),
        database: Database {
            kind: api.store.kind(),
            reachable: extent.is_ok(),
            bytes,
        },
        endpoints: figures.endpoints,
        data: Data {
            first: first.map(Time),
            last: last.map(Time),
        },
        received: figures.received,
        refused: figures.refused,
        lag: figures.lag,
        queues: figures.queues,
        bounds: figures.bounds,
    }))
}
