//! The OpenAPI document, generated from the handlers.

use axum::Json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::words::{FingerprintText, FlagWord, PathIdText, UnpricedWord};

#[derive(OpenApi)]
#[openapi(info(
    title = "costflame",
    description = "Cost of LLM calls by call path. Every figure is of settled traces; money is exact decimal dollars, \
                   token classes are disjoint, ranges are half-open [from, to) and test the start of a call. A filter \
                   is key=value or key!=value, repeated: values of one key are joined by or (for != by and not), \
                   different keys by and; an empty value stands for an absent one."
))]
struct Document;

/// The document of every endpoint under `/api/v1`.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let (_, endpoints) = super::endpoints().split_for_parts();
    document.paths = endpoints.paths;
    document.components = endpoints.components;
    document.servers = Some(vec![utoipa::openapi::Server::new("/api/v1")]);
    document
}

pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// How a call ended.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what the filter grammar reads")]
enum StatusName {
    Ok,
    Error,
}

/// Range, time zone and filters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what the filter grammar reads")]
pub(super) struct FilterParams {
    /// First moment: RFC 3339 or epoch milliseconds. Without `from` and `to`: the last 30 days.
    #[param(example = "2026-11-01T00:00:00Z", format = DateTime)]
    from: Option<String>,
    /// First moment after the range.
    #[param(example = "2026-12-01T00:00:00Z", format = DateTime)]
    to: Option<String>,
    /// IANA time zone for calendar buckets.
    #[param(default = "UTC")]
    tz: Option<String>,
    /// The model that served, else the one asked for. Every filter may be repeated and negated: `model!=`.
    model: Option<Vec<String>>,
    /// Provider.
    provider: Option<Vec<String>>,
    /// `service.name`.
    service: Option<Vec<String>>,
    /// Deployment environment.
    environment: Option<Vec<String>>,
    /// Feature.
    feature: Option<Vec<String>>,
    /// Nearest agent.
    agent: Option<Vec<String>>,
    /// Label of the nearest tool on the call path.
    tool: Option<Vec<String>>,
    /// `chat`, `embeddings`, …
    operation: Option<Vec<String>>,
    /// User.
    user: Option<Vec<String>>,
    /// Session or conversation.
    session: Option<Vec<String>>,
    /// Prompt name.
    prompt: Option<Vec<String>>,
    /// Path id: the calls at and below it.
    #[param(inline)]
    path: Option<Vec<PathIdText>>,
    /// `ok` or `error`.
    #[param(inline)]
    status: Option<Vec<StatusName>>,
    /// `true` or `false`.
    counted: Option<Vec<bool>>,
    /// A flag; empty: no flag at all.
    flag: Option<Vec<FlagWord>>,
    /// A reason for a missing price; empty: priced.
    unpriced: Option<Vec<UnpricedWord>>,
    /// Fingerprint of the system prompt, 16 hex digits; empty: it was not on the wire.
    #[param(inline)]
    fingerprint: Option<Vec<FingerprintText>>,
    /// A tag by its key.
    #[param(rename = "tag.KEY")]
    tag: Option<Vec<String>>,
}
