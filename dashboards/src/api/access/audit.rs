//! `/audit`: who did what.

use axum::{Extension, Json, extract::State};
use costflame_access::Pass;
use costflame_store::AuditLine;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Projects;
use crate::{
    api::{
        error::{ApiError, ErrorBody},
        state::ApiState,
        words::Time,
    },
    params::{Invalid, Params},
};

/// An administrative act.
#[derive(Serialize, ToSchema)]
#[schema(as = Act)]
struct ActBody {
    at: Time,
    /// `user NAME`, `openid NAME`, `cli NAME`, or `anybody` who failed to log in.
    actor: String,
    /// An address, or for the command line the name of the machine.
    peer: String,
    /// Null: of all projects.
    #[schema(required)]
    project: Option<String>,
    /// `login`, `user.create`, `key.revoke`, `reprice`, …
    act: String,
    /// What it was done to; empty where that is clear or nobody's.
    target: String,
    /// `done`, or why not.
    result: String,
}

/// Acts, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Audit {
    acts: Vec<ActBody>,
    /// Where the next ones begin; null at the end.
    #[schema(required)]
    next: Option<String>,
}

/// A page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is taken from the query string")]
pub(super) struct PageParams {
    /// Acts at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// The acts that one may look at, the newest first.
#[utoipa::path(get, path = "/audit", params(PageParams), responses(
    (status = 200, body = Audit),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn audit(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    mut params: Params,
) -> Result<Json<Audit>, ApiError> {
    let limit = params.number("limit", 100, (1, 1000))?;
    let cursor = params.take("cursor")?;
    params.finish()?;
    let before = cursor.map(|cursor| cursor.parse::<i64>()).transpose();
    let before = before.map_err(|_| Invalid::new("cursor", "It is not one of this list."))?;
    let projects = Projects::of(&api, &pass).await?;
    let lines = api.store.audit(pass.confined_to(), before, limit).await?;
    let next = (lines.len() == limit).then(|| lines.last().map(|line| line.id.to_string()));
    let acts = lines.into_iter().map(|line| act(line, &projects));
    Ok(Json(Audit {
        acts: acts.collect(),
        next: next.flatten(),
    }))
}

fn act(line: AuditLine, projects: &Projects<'_>) -> ActBody {
    ActBody {
        at: Time(line.at_us),
        project: projects.maybe_name(line.project),
        actor: line.actor,
        peer: line.peer,
        act: line.act,
        target: line.target,
        result: line.result,
    }
}
