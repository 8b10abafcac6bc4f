//! `/session`: who is asking.

use axum::{Extension, Json, extract::State, http::StatusCode};
use costflame_access::{LoginError, Pass};
use costflame_store::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Projects, RoleWord};
use crate::{
    api::{
        body::Body,
        door::Peer,
        error::{ApiError, ErrorBody},
        state::ApiState,
    },
    params::Invalid,
};

/// Who is asking, and what they may do.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionBody {
    /// Their name; null of a key, and where nobody is asked.
    #[schema(required)]
    user: Option<String>,
    /// How they proved it; null where nobody is asked.
    #[schema(required)]
    method: Option<MethodWord>,
    /// The id of their session; null without one.
    #[schema(required)]
    session: Option<String>,
    /// What they may do.
    role: RoleWord,
    /// The project this was asked of.
    project: String,
    /// The projects they may enter.
    projects: Vec<String>,
    /// Whether they may enter all, also those there will be.
    all_projects: bool,
}

/// How somebody proved who they are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LoginMethod)]
pub(super) enum MethodWord {
    Password,
    OpenId,
    Key,
}

/// Who is asking, and what they may do.
#[utoipa::path(get, path = "/session", responses(
    (status = 200, body = SessionBody),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn session(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
) -> Result<Json<SessionBody>, ApiError> {
    let projects = Projects::of(&api, &pass).await?;
    let session = pass.session();
    let method = match session.map(|session| session.method) {
        Some(Method::Password) => Some(MethodWord::Password),
        Some(Method::OpenId) => Some(MethodWord::OpenId),
        None => pass.is_key().then_some(MethodWord::Key),
    };
    Ok(Json(SessionBody {
        user: session.map(|session| session.user.clone()),
        method,
        session: session.map(|session| session.id.clone()),
        role: pass.role().into(),
        project: projects.name(pass.project),
        projects: projects
            .seen()
            .map(|project| project.name.clone())
            .collect(),
        all_projects: pass.confined_to().is_none(),
    }))
}

/// A password and the one that takes its place.
#[derive(Deserialize, ToSchema)]
pub(super) struct PasswordChange {
    /// The present one.
    old: String,
    /// At least 12 characters.
    new: String,
}

/// Changes one's own password. One's other sessions end.
#[utoipa::path(put, path = "/session/password", request_body = PasswordChange, responses(
    (status = 204, description = "Changed."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn set_password(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    Peer(peer): Peer,
    Body(change): Body<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let session = pass.session();
    let session = session.filter(|session| session.method == Method::Password);
    let (Some(login), Some(session)) = (&api.login, session) else {
        let message = "Only who has logged in with a password has one to change.";
        return Err(Invalid::new("", message).into());
    };
    let changed = login.change_password(session, change.old, change.new, peer);
    match changed.await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(LoginError::Wrong) => Err(Invalid::new("old", "This is not your password.").into()),
        Err(error) => Err(error.into()),
    }
}
