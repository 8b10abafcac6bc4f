//! The JSON API: one file per endpoint group, thin handlers over the store's questions.

mod access;
mod body;
mod breakdown;
mod buckets;
mod calls;
mod compare;
mod document;
mod door;
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
mod views;
mod why;
mod words;

use axum::{Router, middleware};
use costflame_access::Hosts;
use costflame_store::Role;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use document::document;
pub use error::{ApiError, ErrorBody};
pub use health::{Bound, Endpoints, Figures, HealthSource, Lag, Queue, Received, Refused};
pub use state::{ApiState, CatalogSource, Front};

/// Everything under `/api/v1`. Whoever is not let in hears of nothing else, not even of what is missing.
pub(crate) fn router(state: ApiState) -> Router {
    let with_state = || state.clone();
    let (inside, _) = inside().split_for_parts();
    let inside = inside.route("/openapi.json", axum::routing::get(document::serve));
    let inside = layers::around(inside.with_state(state.clone()));
    let inside = inside.layer(middleware::from_fn_with_state(with_state(), door::admit));
    let (open, _) = open().split_for_parts();
    let own_pages = middleware::from_fn_with_state(with_state(), door::own_pages);
    let open = layers::each(open.with_state(state.clone())).layer(own_pages);
    inside
        .merge(open)
        .layer(body::limit())
        .layer(middleware::from_fn_with_state(state, door::look))
}

/// Answers only what is addressed to `hosts`.
pub(crate) fn only_at(router: Router, hosts: Hosts) -> Router {
    router.layer(middleware::from_fn_with_state(hosts, door::only_ours))
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

/// Every endpoint, for the document.
fn endpoints() -> OpenApiRouter<ApiState> {
    inside().merge(open())
}

/// For everybody who reaches the port.
fn open() -> OpenApiRouter<ApiState> {
    document::open_to_all(access::open())
}

/// For everybody who was let in; what changes something, for those in a role.
fn inside() -> OpenApiRouter<ApiState> {
    let readers = document::open_to(Role::Viewer, questions().merge(access::own()));
    let editors = OpenApiRouter::new().routes(routes!(views::save, views::forget));
    let editors = document::open_to(Role::Editor, editors);
    let admins = document::open_to(Role::Admin, access::admin());
    readers
        .merge(editors.route_layer(middleware::from_fn(door::editors)))
        .merge(admins.route_layer(middleware::from_fn(door::admins)))
}

fn questions() -> OpenApiRouter<ApiState> {
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
        .routes(routes!(values::tags))
        .routes(routes!(prompts::prompts))
        .routes(routes!(prompts::waste))
        .routes(routes!(views::views))
        .routes(routes!(live::live))
        .routes(routes!(health::health))
}
