//! What surrounds every endpoint: JSON errors, a time limit, no caching.

use std::{any::Any, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header::CACHE_CONTROL},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use super::error::ApiError;

/// Longest time for one answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Wraps the endpoints; from the inside out: a panic is an error, so is too long a time.
pub(super) fn around(endpoints: Router) -> Router {
    each(endpoints.fallback(not_found))
}

/// The same for some endpoints beside others.
pub(super) fn each(endpoints: Router) -> Router {
    endpoints
        .method_not_allowed_fallback(|| async { ApiError::Method })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(limit_time))
        .layer(SetResponseHeaderLayer::overriding(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
}

async fn not_found() -> ApiError {
    ApiError::NotFound("There is no such endpoint.".to_owned())
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TOO_SLOW.into_response(),
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(panic = text, "a request handler panicked");
    ApiError::Internal.into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::StatusCode,
        routing::get,
    };
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: Router, request: Request) -> (StatusCode, String) {
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_is_json() {
        async fn defect() {
            panic!("secret");
        }
        let router = Router::new()
            .route("/defect", get(defect))
            .route("/slow", get(std::future::pending::<()>));
        let router = around(router);
        for (method, path, status, code) in [
            (
                "GET",
                "/defect",
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
            ),
            (
                "GET",
                "/slow",
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
            ),
            ("GET", "/nowhere", StatusCode::NOT_FOUND, "not_found"),
            (
                "POST",
                "/slow",
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
            ),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty())
                .unwrap();
            let (got, body) = ask(router.clone(), request).await;
            assert_eq!(got, status, "{path}");
            assert!(
                body.starts_with(&format!(r#"{{"error":{{"code":"{code}""#)),
                "{body}"
            );
            assert!(!body.contains("secret"));
        }
    }
}
