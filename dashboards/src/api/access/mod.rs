//! Who may do what: logging in, and for admins users, sessions, keys, projects and the audit log.
//!
//! An admin of one project looks after that project alone; what is of all projects is for admins of all of them.

mod audit;
mod keys;
mod login;
mod openid;
mod projects;
mod session;
mod sessions;
mod users;

use costflame_access::Pass;
use costflame_store::{Project, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{error::ApiError, state::ApiState};
use crate::params::Invalid;

/// For everybody: how to get in and out.
pub(super) fn open() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(login::methods, login::login))
        .routes(routes!(login::logout))
        .routes(routes!(openid::depart))
        .routes(routes!(openid::arrive))
}

/// For everybody who was let in.
pub(super) fn own() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(session::session))
        .routes(routes!(session::set_password))
}

/// For admins.
pub(super) fn admin() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(users::users, users::create))
        .routes(routes!(users::change, users::remove))
        .routes(routes!(users::set_password))
        .routes(routes!(sessions::sessions))
        .routes(routes!(sessions::end))
        .routes(routes!(keys::keys, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(projects::projects, projects::create))
        .routes(routes!(audit::audit))
}

/// What somebody may do: `viewer` reads, `editor` also keeps views for others, `admin` also looks after users, keys and
/// projects.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UserRole)]
enum RoleWord {
    Viewer,
    Editor,
    Admin,
}

impl From<Role> for RoleWord {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Editor => Self::Editor,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<RoleWord> for Role {
    fn from(role: RoleWord) -> Self {
        match role {
            RoleWord::Viewer => Self::Viewer,
            RoleWord::Editor => Self::Editor,
            RoleWord::Admin => Self::Admin,
        }
    }
}

/// The projects of a database, as somebody may see them.
struct Projects<'a> {
    all: Vec<Project>,
    pass: &'a Pass,
}

impl<'a> Projects<'a> {
    async fn of(api: &ApiState, pass: &'a Pass) -> Result<Self, ApiError> {
        let all = api.store.projects().await?;
        Ok(Self { all, pass })
    }

    /// Those they may enter.
    fn seen(&self) -> impl Iterator<Item = &Project> {
        self.all
            .iter()
            .filter(|project| self.sees(Some(project.id)))
    }

    /// Whether something of a project, or of all of them, is theirs to look after.
    fn sees(&self, project: Option<i32>) -> bool {
        let confined_to = self.pass.confined_to();
        confined_to.is_none() || confined_to == project
    }

    fn name(&self, id: i32) -> String {
        let project = self.all.iter().find(|project| project.id == id);
        project.map_or_else(|| id.to_string(), |project| project.name.clone())
    }

    /// The name of a project; `None` = of all.
    fn maybe_name(&self, id: Option<i32>) -> Option<String> {
        id.map(|id| self.name(id))
    }

    /// The id of a name, or all projects, if that is theirs to look after.
    fn id(&self, name: Option<&str>) -> Result<Option<i32>, ApiError> {
        let Some(name) = name else {
            if self.sees(None) {
                return Ok(None);
            }
            let message = "Only who may enter all projects can do this for all of them.";
            return Err(Invalid::new("project", message).into());
        };
        let found = self.seen().find(|project| project.name == name);
        let missing = || Invalid::new("project", "There is no such project for you.");
        Ok(Some(found.ok_or_else(missing)?.id))
    }
}
