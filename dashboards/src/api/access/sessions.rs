//! `/sessions`: who is logged in.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use costflame_access::{Pass, now_us};
use costflame_store::Method;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Projects, RoleWord, session::MethodWord, users::login};
use crate::api::{
    door::{Peer, act},
    error::{ApiError, ErrorBody},
    state::ApiState,
    words::Time,
};

/// A login that has not ended.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenSession)]
struct OpenSession {
    id: String,
    user: String,
    method: MethodWord,
    role: RoleWord,
    /// The project it is confined to; null: all.
    #[schema(required)]
    project: Option<String>,
    /// The address that logged in.
    peer: String,
    created: Time,
    /// When it was last used, to some minutes.
    used: Time,
    /// When it ends at the latest.
    ends: Time,
}

/// Sessions, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionList {
    sessions: Vec<OpenSession>,
}

/// The sessions that one may look after.
#[utoipa::path(get, path = "/sessions", responses(
    (status = 200, body = SessionList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn sessions(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
) -> Result<Json<SessionList>, ApiError> {
    let projects = Projects::of(&api, &pass).await?;
    let sessions = api.store.sessions(now_us()).await?;
    let sessions = sessions
        .into_iter()
        .filter(|session| projects.sees(session.project))
        .map(|session| OpenSession {
            project: projects.maybe_name(session.project),
            id: session.id,
            user: session.user,
            method: match session.method {
                Method::Password => MethodWord::Password,
                Method::OpenId => MethodWord::OpenId,
            },
            role: session.role.into(),
            peer: session.peer,
            created: Time(session.created_us),
            used: Time(session.used_us),
            ends: Time(session.ends_us),
        });
    Ok(Json(SessionList {
        sessions: sessions.collect(),
    }))
}

/// Ends a session, here at once and within seconds elsewhere.
#[utoipa::path(delete, path = "/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 204, description = "Ended."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn end(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::NotFound("There is no such session.".to_owned());
    let projects = Projects::of(&api, &pass).await?;
    let sessions = api.store.sessions(now_us()).await?;
    let session = sessions.into_iter().find(|session| session.id == id);
    let session = session.filter(|session| projects.sees(session.project));
    let session = session.ok_or_else(missing)?;
    let target = format!("{} of {}", session.id, session.user);
    let act = act(&pass, peer, session.project, "session.end", &target);
    if !login(&api)?.sessions().end(&id, &act).await? {
        return Err(missing());
    }
    Ok(StatusCode::NO_CONTENT)
}
