//! `/views`: addresses of pages that a project keeps under a name.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use costflame_access::{Pass, now_us};
use costflame_store::{MOST_VIEWS, SavedView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::Body,
    error::{ApiError, ErrorBody},
    state::ApiState,
    words::Time,
};
use crate::params::Invalid;

/// Longest name, characters.
const LONGEST_NAME: usize = 80;

/// Longest address, bytes.
const LONGEST_ADDRESS: usize = 4096;

/// An address of a page under a name.
#[derive(Serialize, ToSchema)]
#[schema(as = View)]
struct ViewBody {
    name: String,
    /// Of a page, from its first slash.
    address: String,
    /// Who saved it last.
    saved_by: String,
    saved: Time,
}

/// Views by name.
#[derive(Serialize, ToSchema)]
pub(super) struct ViewList {
    views: Vec<ViewBody>,
}

/// What a view shows.
#[derive(Deserialize, ToSchema)]
pub(super) struct ViewAddress {
    /// Of a page, from its first slash; at most 4096 bytes.
    address: String,
}

/// The views that the project shares.
#[utoipa::path(get, path = "/views", responses(
    (status = 200, body = ViewList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn views(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
) -> Result<Json<ViewList>, ApiError> {
    let views = api.store.saved_views(pass.project).await?;
    let views = views.into_iter().map(|view| ViewBody {
        name: view.name,
        address: view.address,
        saved_by: view.saved_by,
        saved: Time(view.saved_us),
    });
    Ok(Json(ViewList {
        views: views.collect(),
    }))
}

/// Keeps a view for the project, in place of what had its name.
#[utoipa::path(put, path = "/views/{name}", params(("name" = String, Path, description = "1 to 80 characters.")),
    request_body = ViewAddress, responses(
    (status = 204, description = "Kept."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn save(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    Path(name): Path<String>,
    Body(view): Body<ViewAddress>,
) -> Result<StatusCode, ApiError> {
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME || name.trim() != name {
        let message =
            format!("It must have 1 to {LONGEST_NAME} characters, none of them blank at its ends.");
        return Err(Invalid::new("name", message).into());
    }
    if !is_page(&view.address) {
        let message = "It must be the address of a page here, beginning with a slash.";
        return Err(Invalid::new("address", message).into());
    }
    let saved_by = pass.session().map_or("", |session| &*session.user);
    let view = SavedView {
        name,
        address: view.address,
        saved_by: saved_by.to_owned(),
        saved_us: now_us(),
    };
    if !api.store.save_view(pass.project, &view).await? {
        let message = format!("The project has {MOST_VIEWS} views; remove one first.");
        return Err(Invalid::new("name", message).into());
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever follows it stays on this server.
fn is_page(address: &str) -> bool {
    address.len() <= LONGEST_ADDRESS
        && address.starts_with('/')
        && !address.starts_with("//")
        && !address.contains(|c: char| c.is_control() || c == '\\')
}

/// Forgets a view.
#[utoipa::path(delete, path = "/views/{name}", params(("name" = String, Path)), responses(
    (status = 204, description = "Forgotten."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn forget(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !api.store.forget_view(pass.project, &name).await? {
        return Err(ApiError::NotFound("There is no such view.".to_owned()));
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_leads_nowhere_else() {
        assert!(is_page("/"));
        assert!(is_page("/traces?range=7d&user=a%20b"));
        for elsewhere in [
            "",
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/a\nb",
        ] {
            assert!(!is_page(elsewhere), "{elsewhere:?}");
        }
    }
}
