//! `/keys`: what programs show to be let in.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use costflame_access::{Pass, key, now_us};
use costflame_store::{DEFAULT_PROJECT, KeyScope};
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

/// Longest label, characters.
const LONGEST_LABEL: usize = 100;

/// What a key allows: sending telemetry to its project, reading everything of it, or reading `/metrics`, which is of all projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyScope)]
enum ScopeWord {
    Ingest,
    Read,
    Metrics,
}

impl From<KeyScope> for ScopeWord {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::Ingest => Self::Ingest,
            KeyScope::Read => Self::Read,
            KeyScope::Metrics => Self::Metrics,
        }
    }
}

impl From<ScopeWord> for KeyScope {
    fn from(scope: ScopeWord) -> Self {
        match scope {
            ScopeWord::Ingest => Self::Ingest,
            ScopeWord::Read => Self::Read,
            ScopeWord::Metrics => Self::Metrics,
        }
    }
}

/// A key, without what opens.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyBody {
    id: String,
    project: String,
    scope: ScopeWord,
    label: String,
    created: Time,
    /// When it was last used, to the hour; null: never.
    #[schema(required)]
    used: Option<Time>,
    /// When it was revoked; null: it is valid.
    #[schema(required)]
    revoked: Option<Time>,
}

/// Keys, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyList {
    keys: Vec<KeyBody>,
}

/// A key to be.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewKey {
    project: String,
    scope: ScopeWord,
    /// What it is for; at most 100 characters.
    #[serde(default)]
    label: String,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeKey {
    id: String,
    /// What opens: it is shown this once.
    key: String,
}

/// The keys that one may look after, revoked ones included.
#[utoipa::path(get, path = "/keys", responses(
    (status = 200, body = KeyList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn keys(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
) -> Result<Json<KeyList>, ApiError> {
    let projects = Projects::of(&api, &pass).await?;
    let keys = api.store.api_keys().await?;
    let keys = keys
        .into_iter()
        .filter(|key| projects.sees(realm(key.project, key.scope)))
        .map(|key| KeyBody {
            project: projects.name(key.project),
            id: key.id,
            scope: key.scope.into(),
            label: key.label,
            created: Time(key.created_us),
            used: key.used_us.map(Time),
            revoked: key.revoked_us.map(Time),
        });
    Ok(Json(KeyList {
        keys: keys.collect(),
    }))
}

/// Whose a key is: one for counters is of all projects.
fn realm(project: i32, scope: KeyScope) -> Option<i32> {
    (scope != KeyScope::Metrics).then_some(project)
}

/// Makes a key. Servers know it within seconds.
#[utoipa::path(post, path = "/keys", operation_id = "create_key", request_body = NewKey, responses(
    (status = 200, body = MadeKey),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn create(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Body(new): Body<NewKey>,
) -> Result<Json<MadeKey>, ApiError> {
    if new.label.chars().count() > LONGEST_LABEL {
        let message = format!("It must have at most {LONGEST_LABEL} characters.");
        return Err(Invalid::new("label", message).into());
    }
    let projects = Projects::of(&api, &pass).await?;
    let project = projects.id(Some(&new.project))?.unwrap_or(DEFAULT_PROJECT);
    let scope = new.scope.into();
    if !projects.sees(realm(project, scope)) {
        let message = "Counters are of all projects: only who may enter all of them can do this.";
        return Err(Invalid::new("scope", message).into());
    }
    let (text, row) = key::create(project, scope, &new.label, now_us());
    let target = format!("{} {}", scope.name(), row.id);
    let act = act(&pass, peer, realm(project, scope), "key.create", &target);
    api.store.put_key(&row, &act).await?;
    Ok(Json(MadeKey {
        id: row.id,
        key: text,
    }))
}

/// Ends a key for ever. Servers follow within seconds.
#[utoipa::path(delete, path = "/keys/{id}", params(("id" = String, Path)), responses(
    (status = 204, description = "Revoked."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn revoke(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    peer: Peer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let missing = || ApiError::NotFound("There is no such valid key.".to_owned());
    let projects = Projects::of(&api, &pass).await?;
    let keys = api.store.api_keys().await?;
    let key = keys.into_iter().find(|key| key.id == id);
    let key = key.filter(|key| projects.sees(realm(key.project, key.scope)));
    let key = key.ok_or_else(missing)?;
    let target = format!("{} {}", key.scope.name(), key.id);
    let realm = realm(key.project, key.scope);
    let act = act(&pass, peer, realm, "key.revoke", &target);
    if !api.store.revoke_key(&id, &act).await? {
        return Err(missing());
    }
    Ok(StatusCode::NO_CONTENT)
}
