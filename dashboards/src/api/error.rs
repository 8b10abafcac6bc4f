//! The one error of the API, and its body.

use std::time::Duration;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use costflame_access::{Denied, LoginError, Refused, password::Busy};
use costflame_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::params::Invalid;

/// Why a request has no answer. What the database said is logged, never shown.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Not let in.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Neither is that name, or that password.
    #[error("The name or the password is wrong.")]
    WrongLogin,
    /// Too often. May be retried after this time.
    #[error("Too many requests; try again in {} s.", .0.as_secs() + 1)]
    TooMany(Duration),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(&'static str),
    /// A parameter cannot be understood.
    #[error("{}", .0.message)]
    BadRequest(#[from] Invalid),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It was addressed to a name that is not ours: perhaps the script of another site sent it.
    #[error(
        "costflame is not known by this name here. Ask it at localhost or an IP address, or set public_url or allowed_hosts."
    )]
    Misdirected,
    /// This path has no such method.
    #[error("This method is not answered here.")]
    Method,
    /// The database cannot be reached, or the answer took too long. May be retried.
    #[error("{0}")]
    Unavailable(&'static str),
    /// A defect of costflame, or a damaged database.
    #[error("Something went wrong inside costflame; its log says more.")]
    Internal,
}

impl ApiError {
    /// An error of a database that answers no more.
    pub const DATABASE: Self = Self::Unavailable("The database cannot be reached at the moment.");

    /// An answer that took too long.
    pub const TOO_SLOW: Self =
        Self::Unavailable("The answer took too long; a shorter range is faster.");

    /// True when the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooMany(_))
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Denied(denied) if denied.is_known() => StatusCode::FORBIDDEN,
            Self::Denied(_) | Self::WrongLogin => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) if denied.is_known() => "forbidden",
            Self::Denied(_) => "unauthenticated",
            Self::WrongLogin => "wrong_login",
            Self::TooMany(_) => "too_many_requests",
            Self::Conflict(_) => "conflict",
            Self::BadRequest(_) => "bad_request",
            Self::NotFound(_) => "not_found",
            Self::Misdirected => "misdirected",
            Self::Method => "method_not_allowed",
            Self::Unavailable(_) => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() {
            tracing::warn!(%error, "the database cannot answer");
            return Self::DATABASE;
        }
        tracing::error!(%error, "a query failed");
        Self::Internal
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(denied) => denied.into(),
            Refused::TooMany(wait) => Self::TooMany(wait),
            Refused::Store(error) => error.into(),
        }
    }
}

impl From<Busy> for ApiError {
    fn from(_: Busy) -> Self {
        Self::Unavailable("Too many passwords are being checked at the moment.")
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Wrong => Self::WrongLogin,
            LoginError::TooMany(wait) => Self::TooMany(wait),
            LoginError::Busy(busy) => busy.into(),
            LoginError::Store(error) => error.into(),
            LoginError::Weak(weak) => Invalid::new("new", weak.to_string()).into(),
        }
    }
}

/// Body of every answer that is not 2xx.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable, for programs: `bad_request`, `unauthenticated`, `wrong_login`, `forbidden`, `not_found`,
    /// `method_not_allowed`, `conflict`, `misdirected`, `too_many_requests`, `unavailable`, `internal`.
    pub code: &'static str,
    /// One sentence, for people.
    pub message: String,
    /// The query parameter at fault, if one is.
    #[schema(required)]
    pub field: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, message) = (self.status(), self.code(), self.to_string());
        let retry_after = match &self {
            Self::TooMany(wait) => Some(wait.as_secs() + 1),
            _ => self.is_retryable().then_some(2),
        };
        let field = match self {
            Self::BadRequest(invalid) => Some(invalid.field).filter(|field| !field.is_empty()),
            _ => None,
        };
        let body = ErrorBody {
            error: ErrorDetail {
                code,
                message,
                field,
            },
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
