//! `/login` and `/logout`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Response},
};
use costflame_access::Refused;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        body::Body,
        door::{Peer, act},
        error::{ApiError, ErrorBody},
        state::ApiState,
    },
    params::Invalid,
};

/// How one may log in.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginMethods {
    /// False: nobody is asked who they are.
    required: bool,
    /// With a name and a password.
    password: bool,
    /// At an OpenID provider that people call by this name, by way of `/login/openid`; null without one.
    #[schema(required)]
    openid: Option<String>,
}

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// The name of a user.
    name: String,
    /// Their password.
    password: String,
}

/// How one may log in here.
#[utoipa::path(get, path = "/login", responses((status = 200, body = LoginMethods)))]
pub(super) async fn methods(State(api): State<ApiState>) -> Json<LoginMethods> {
    Json(LoginMethods {
        required: api.gate.is_locked(),
        password: api.login.is_some(),
        openid: api.openid.as_ref().map(|openid| openid.name().to_owned()),
    })
}

/// Logs in with a password: begins a session in a cookie, whatever the browser showed before.
#[utoipa::path(post, path = "/login", request_body = Credentials, responses(
    (status = 204, description = "Logged in."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn login(
    State(api): State<ApiState>,
    Peer(peer): Peer,
    headers: HeaderMap,
    Body(who): Body<Credentials>,
) -> Result<Response, ApiError> {
    let login = api.login.as_ref().ok_or_else(|| {
        Invalid::new(
            "",
            "Nobody is asked who they are here, so there is no login.",
        )
    })?;
    let cookie = login
        .by_password(&who.name, who.password, &headers, peer)
        .await?;
    Ok(with_cookie(cookie))
}

fn with_cookie(cookie: HeaderValue) -> Response {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

/// Ends the session of the browser, if it has one.
#[utoipa::path(post, path = "/logout", responses(
    (status = 204, description = "Logged out."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn logout(
    State(api): State<ApiState>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(login) = &api.login else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    match api.gate.admit_reader(&headers, peer.0).await {
        Ok(pass) => {
            if let Some(session) = pass.session() {
                let act = act(&pass, peer, session.project, "logout", &session.id);
                login.sessions().end(&session.id, &act).await?;
            }
        }
        // It has ended already.
        Err(Refused::Denied(_)) => {}
        Err(refused) => return Err(refused.into()),
    }
    Ok(with_cookie(login.sessions().logged_out()))
}
