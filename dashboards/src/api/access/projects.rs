//! `/projects`: tenants.

use axum::{Extension, Json, extract::State, http::StatusCode};
use costflame_access::Pass;
use costflame_store::Project;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Projects;
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

/// A tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
struct ProjectBody {
    name: String,
    /// Null of the one that was always there.
    #[schema(required)]
    created: Option<Time>,
}

/// Projects, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ProjectList {
    projects: Vec<ProjectBody>,
}

/// A project to be.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewProject {
    /// 1 to 64 letters, digits, `-`, `_` or `.`.
    name: String,
}

/// The projects that one may look after.
#[utoipa::path(get, path = "/projects", responses(
    (status = 200, body = ProjectList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn projects(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
) -> Result<Json<ProjectList>, ApiError> {
    let projects = Projects::of(&api, &pass).await?;
    let seen = projects.seen().map(|project| ProjectBody {
        name: project.name.clone(),
        created: Some(project.created_us).filter(|at| *at > 0).map(Time),
    });
    Ok(Json(ProjectList {
        projects: seen.collect(),
    }))
}

/// Makes a project; for admins of all projects.
#[utoipa::path(post, path = "/projects", operation_id = "create_project", request_body = NewProject, responses(
    (status = 204, description = "Made."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn create(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Body(new): Body<NewProject>,
) -> Result<StatusCode, ApiError> {
    Projects::of(&api, &pass).await?.id(None)?;
    if !Project::is_name(&new.name) {
        return Err(Invalid::new("name", Project::NAMES).into());
    }
    let act = act(&pass, peer, None, "project.create", &new.name);
    let created = api.store.create_project(&new.name, &act).await?;
    if created.is_none() {
        return Err(ApiError::Conflict("There is a project of this name."));
    }
    Ok(StatusCode::NO_CONTENT)
}
