//! The OpenAPI document, generated from the handlers.

use axum::Json;
use costflame_store::{KeyScope, Role};
use utoipa::{
    IntoParams, OpenApi, ToSchema,
    openapi::security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    state::ApiState,
    words::{FingerprintText, FlagWord, PathIdText, UnpricedWord},
};

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
    let schemes = document.components.get_or_insert_default();
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let key = key.description(Some("An API key with the scope read."));
    schemes.add_security_scheme(KEY, SecurityScheme::Http(key.build()));
    let cookie = "The cookie of a login, named __Host-costflame over TLS. What changes something also needs the header \
                  x-costflame-request and the word of the browser that it comes from the same origin.";
    let session = ApiKeyValue::with_description("costflame", cookie);
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
    schemes.add_security_scheme(SESSION, session);
    document.servers = Some(vec![utoipa::openapi::Server::new("/api/v1")]);
    document
}

/// Proofs of who asks, as the document names them: a key, or the cookie of a session with the roles that it may have.
const KEY: &str = "key";
const SESSION: &str = "session";

/// Says in the document who may: those in a role, or above it.
pub(super) fn open_to(
    role: Role,
    mut endpoints: OpenApiRouter<ApiState>,
) -> OpenApiRouter<ApiState> {
    let roles = Role::ALL.into_iter().filter(|one| *one >= role);
    let roles: Vec<_> = roles.map(Role::name).collect();
    let mut proofs = vec![SecurityRequirement::new(SESSION, roles)];
    if role == Role::Viewer {
        proofs.push(SecurityRequirement::new(KEY, [KeyScope::Read.name()]));
    }
    demand(&mut endpoints, &proofs);
    endpoints
}

/// Says in the document that everybody may.
pub(super) fn open_to_all(mut endpoints: OpenApiRouter<ApiState>) -> OpenApiRouter<ApiState> {
    demand(&mut endpoints, &[SecurityRequirement::default()]);
    endpoints
}

fn demand(endpoints: &mut OpenApiRouter<ApiState>, proofs: &[SecurityRequirement]) {
    for item in endpoints.get_openapi_mut().paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            operation.security = Some(proofs.to_vec());
        }
    }
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
    /// The project it is about, for who may enter several. Without it: the one they are confined to, else `default`.
    project: Option<String>,
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
