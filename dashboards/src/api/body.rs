//! The body of a request: JSON, small.

use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRequest, Request, rejection::JsonRejection},
};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::params::Invalid;

/// Longest body, bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// What bounds bodies.
pub(super) fn limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(LONGEST)
}

/// A body of JSON, sent as such.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(error) => Err(Invalid::new("", sentence(&error)).into()),
        }
    }
}

/// Never what the body says: it may be a password.
fn sentence(error: &JsonRejection) -> String {
    match error {
        JsonRejection::MissingJsonContentType(_) => {
            "The body must be JSON, and the header content-type say so.".to_owned()
        }
        JsonRejection::JsonSyntaxError(_) => "The body is not JSON.".to_owned(),
        JsonRejection::JsonDataError(_) => {
            "The body does not have the fields that the document names.".to_owned()
        }
        _ => format!("The body cannot be read, or is longer than {LONGEST} bytes."),
    }
}
