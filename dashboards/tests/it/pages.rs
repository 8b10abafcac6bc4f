//! The embedded web UI, and the headers of everything.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use tower::ServiceExt;

use super::support::{Api, both};

async fn ask(
    api: &Api,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = api
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (
        parts.status,
        parts.headers,
        String::from_utf8_lossy(&body).into_owned(),
    )
}

async fn get(api: &Api, path: &str) -> (StatusCode, HeaderMap, String) {
    ask(api, Method::GET, path, &[]).await
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let [api, _] = both().await;
    for path in [
        "/",
        "/api/v1/summary",
        "/api/v1/nothing",
        "/api/v2/summary",
        "/api",
        "/no.png",
    ] {
        let (_, headers, _) = get(&api, path).await;
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self';"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        if path.starts_with("/api") {
            assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{path}");
            assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{path}");
        }
    }
    for path in ["/api/v2/summary", "/api", "/api/v1"] {
        assert_eq!(get(&api, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let own = [
        ("x-costflame-request", "1"),
        ("sec-fetch-site", "same-origin"),
    ];
    let (status, headers, body) = ask(&api, Method::POST, "/api/v1/summary", &own).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            &"application/json".parse().unwrap()
        )
    );
    assert!(body.contains("method_not_allowed"));
}

#[tokio::test]
async fn answers_are_compressed_on_demand() {
    let [api, _] = both().await;
    for encoding in ["gzip", "br"] {
        let (_, headers, _) = ask(
            &api,
            Method::GET,
            "/api/v1/openapi.json",
            &[("accept-encoding", encoding)],
        )
        .await;
        assert_eq!(headers[header::CONTENT_ENCODING], encoding);
    }
    let (_, headers, body) = get(&api, "/api/v1/openapi.json").await;
    assert!(!headers.contains_key(header::CONTENT_ENCODING));
    assert!(body.contains("\"openapi\":"));
}

#[cfg(feature = "ui")]
#[tokio::test]
async fn pages_are_served_and_assets_are_kept() {
    let [api, _] = both().await;
    let (status, headers, index) = get(&api, "/").await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
    for page in [
        "/index.html",
        "/flamegraph",
        "/traces/0123456789abcdef",
        "/calls/%2e%2e/x?model=a.b",
    ] {
        let (status, _, body) = get(&api, page).await;
        assert_eq!((status, body == index), (StatusCode::OK, true), "{page}");
    }
    for missing in [
        "/assets/none.js",
        "/assets/none",
        "/favicon.ico",
        "/../Cargo.toml",
    ] {
        assert_eq!(
            get(&api, missing).await.0,
            StatusCode::NOT_FOUND,
            "{missing}"
        );
    }
    assert_eq!(
        ask(&api, Method::POST, "/", &[]).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let tag = headers[header::ETAG].to_str().unwrap();
    let (status, _, body) = ask(&api, Method::GET, "/", &[("if-none-match", tag)]).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));

    let script = index
        .split('"')
        .find(|text| text.starts_with("/assets/") && text.ends_with(".js"))
        .unwrap();
    let (status, headers, _) = get(&api, script).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert!(
        headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .contains("javascript")
    );
}
