//! `/users`: who may log in with a password.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use costflame_access::{Login, Pass, now_us, password};
use costflame_store::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Projects, RoleWord};
use crate::{
    api::{
        body::Body,
        door::{Peer, act},
        error::{ApiError, ErrorBody},
        state::ApiState,
        words::Time,
    },
    params::Invalid,
};

/// Somebody who may log in with a password.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserBody {
    name: String,
    role: RoleWord,
    /// The project they are confined to; null: all.
    #[schema(required)]
    project: Option<String>,
    created: Time,
}

/// Users by name.
#[derive(Serialize, ToSchema)]
pub(super) struct UserList {
    users: Vec<UserBody>,
}

/// A user to be.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewUser {
    /// 1 to 64 letters, digits, `-`, `_`, `.`, `@` or `+`.
    name: String,
    /// At least 12 characters.
    password: String,
    role: RoleWord,
    /// The project they are confined to; without one: all.
    project: Option<String>,
}

/// What a user may do, and where.
#[derive(Deserialize, ToSchema)]
pub(super) struct UserRights {
    role: RoleWord,
    /// The project they are confined to; without one: all.
    project: Option<String>,
}

/// A password.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPassword {
    /// At least 12 characters.
    password: String,
}

/// The users that one may look after.
#[utoipa::path(get, path = "/users", responses(
    (status = 200, body = UserList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn users(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
) -> Result<Json<UserList>, ApiError> {
    let projects = Projects::of(&api, &pass).await?;
    let users = api.store.users().await?;
    let users = users
        .into_iter()
        .filter(|user| projects.sees(user.project))
        .map(|user| UserBody {
            project: projects.maybe_name(user.project),
            name: user.name,
            role: user.role.into(),
            created: Time(user.created_us),
        });
    Ok(Json(UserList {
        users: users.collect(),
    }))
}

/// Makes a user.
#[utoipa::path(post, path = "/users", operation_id = "create_user", request_body = NewUser, responses(
    (status = 204, description = "Made."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn create(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Body(new): Body<NewUser>,
) -> Result<StatusCode, ApiError> {
    if !password::is_user_name(&new.name) {
        return Err(Invalid::new("name", password::USER_NAMES).into());
    }
    let project = Projects::of(&api, &pass)
        .await?
        .id(new.project.as_deref())?;
    let user = User {
        password: hash(&api, new.password).await?,
        role: new.role.into(),
        project,
        created_us: now_us(),
        name: new.name,
    };
    let act = act(&pass, peer, project, "user.create", &user.name);
    if !api.store.create_user(&user, &act).await? {
        return Err(ApiError::Conflict("There is a user of this name."));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a user another role or project.
#[utoipa::path(put, path = "/users/{name}", params(("name" = String, Path)), request_body = UserRights, responses(
    (status = 204, description = "Given."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn change(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Path(name): Path<String>,
    Body(rights): Body<UserRights>,
) -> Result<StatusCode, ApiError> {
    let user = other(&api, &pass, &name).await?;
    let projects = Projects::of(&api, &pass).await?;
    let project = projects.id(rights.project.as_deref())?;
    let act = act(&pass, peer, user.project, "user.set-role", &name);
    api.store
        .set_role(&name, rights.role.into(), project, &act)
        .await?;
    forget(&api, &name);
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a user another password. Their sessions end.
#[utoipa::path(put, path = "/users/{name}/password", operation_id = "reset_password", params(("name" = String, Path)), request_body = NewPassword, responses(
    (status = 204, description = "Given."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn set_password(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Path(name): Path<String>,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let user = other(&api, &pass, &name).await?;
    let hash = hash(&api, new.password).await?;
    let act = act(&pass, peer, user.project, "user.set-password", &name);
    api.store.set_password(&name, &hash, None, &act).await?;
    forget(&api, &name);
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user. Their sessions end.
#[utoipa::path(delete, path = "/users/{name}", params(("name" = String, Path)), responses(
    (status = 204, description = "Removed."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn remove(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let user = other(&api, &pass, &name).await?;
    let act = act(&pass, peer, user.project, "user.remove", &name);
    api.store.remove_user(&name, &act).await?;
    forget(&api, &name);
    Ok(StatusCode::NO_CONTENT)
}

/// A user that one may look after, who is not oneself: so one admin is always left.
async fn other(api: &ApiState, pass: &Pass, name: &str) -> Result<User, ApiError> {
    let projects = Projects::of(api, pass).await?;
    let user = api.store.user(name).await?;
    let user = user.filter(|user| projects.sees(user.project));
    let user = user.ok_or_else(|| ApiError::NotFound("There is no such user.".to_owned()))?;
    let is_self = pass.actor() == format!("user {name}");
    if is_self {
        return Err(ApiError::Conflict(
            "This is yourself; another admin can do it.",
        ));
    }
    Ok(user)
}

async fn hash(api: &ApiState, password: String) -> Result<String, ApiError> {
    let hashed = login(api)?.passwords().hash(password).await?;
    hashed.map_err(|weak| Invalid::new("password", format!("{weak}")).into())
}

/// What the change was holds at once here, and within seconds elsewhere.
fn forget(api: &ApiState, name: &str) {
    if let Some(login) = &api.login {
        login.sessions().look_again(name);
    }
}

/// Without a login there are no admins who could ask.
pub(super) fn login(api: &ApiState) -> Result<&Login, ApiError> {
    api.login.as_deref().ok_or(ApiError::Internal)
}
