//! The JSON API: one file per endpoint group, thin handlers over the store's questions.

mod breakdown;
mod buckets;
mod calls;
mod document;
mod error;
mod export;
mod flamegraph;
mod health;
mod layers;
mod live;
mod models;
mod movers;
mod prompts;
mod receipt;
mod shapes;
mod span_tree;
mod state;
mod summary;
mod timeseries;
mod trace;
mod traces;
mod values;
mod why;
mod words;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use costflame_access::Gate;
use costflame_store::KeyScope;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use document::document;
pub use error::{ApiError, ErrorBody};
pub use health::{Bound, Endpoints, Figures, HealthSource, Lag, Queue, Received, Refused};
pub use state::{ApiState, CatalogSource};

/// Everything under `/api/v1`.
pub(crate) fn router(state: ApiState) -> Router {
    let (router, _) = endpoints().split_for_parts();
    let gate = state.gate.clone();
    let endpoints = router
        .route("/openapi.json", axum::routing::get(document::serve))
        .with_state(state);
    layers::around(endpoints).layer(middleware::from_fn_with_state(gate, admit))
}

/// Says who asks, or refuses; before anything else of the request is looked at.
async fn admit(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let pass = gate.admit(request.headers(), KeyScope::Read)?;
    request.extensions_mut().insert(pass);
    Ok(next.run(request).await)
}

/// The rest of `/api`.
pub(crate) fn unknown() -> Router {
    layers::around(Router::new())
}

/// The rest of everything, without the web UI.
#[cfg(not(feature = "ui"))]
pub(crate) async fn no_ui() -> ApiError {
    ApiError::NotFound(
        "This costflame was built without its web UI; the API is under /api/v1.".to_owned(),
    )
}

fn endpoints() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(summary::summary))
        .routes(routes!(breakdown::breakdown))
        .routes(routes!(timeseries::timeseries))
        .routes(routes!(flamegraph::flamegraph))
        .routes(routes!(movers::movers))
        .routes(routes!(why::why))
        .routes(routes!(export::flamegraph::flamegraph))
        .routes(routes!(export::lists::calls))
        .routes(routes!(export::lists::traces))
        .routes(routes!(export::lists::breakdown))
        .routes(routes!(export::focus::focus))
        .routes(routes!(traces::traces))
        .routes(routes!(trace::trace))
        .routes(routes!(calls::calls))
        .routes(routes!(receipt::receipt))
        .routes(routes!(models::models))
        .routes(routes!(values::values))
        .routes(routes!(prompts::prompts))
        .routes(routes!(prompts::waste))
        .routes(routes!(live::live))
        .routes(routes!(health::health))
}
