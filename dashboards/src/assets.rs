//! The embedded web UI.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

use crate::hex;

/// What `build.rs` built.
#[derive(Embed)]
#[folder = "$OUT_DIR/ui"]
struct Files;

/// Names in this folder contain a hash of their content.
const HASHED: &str = "assets/";

const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Every path that nobody else answers.
pub(crate) fn router() -> Router {
    Router::new().fallback(serve)
}

/// A file, or for the address of a page the page that finds its way from there.
async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
        )
            .into_response();
    }
    let path = uri.path().trim_start_matches('/');
    match Files::get(path) {
        Some(file) => answer(path, file, &headers),
        None if is_asset(path) => StatusCode::NOT_FOUND.into_response(),
        None => match Files::get("index.html") {
            Some(page) => answer("index.html", page, &headers),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

/// A page has no extension.
fn is_asset(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with(HASHED) || name.contains('.')
}

fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::write(&file.metadata.sha256_hash()[..16]));
    let caching = if path.starts_with(HASHED) {
        FOREVER
    } else {
        ASK_AGAIN
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, caching);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    // The compressed form is tagged as weak by caches on the way; the content is the same.
    let known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    if known
        .flat_map(|tags| tags.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag)
    {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if let Ok(kind) = HeaderValue::from_str(&content_type(file.metadata.mimetype())) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    (headers, file.data).into_response()
}

fn content_type(mime: &str) -> String {
    let is_text =
        mime.starts_with("text/") || mime == "image/svg+xml" || mime.ends_with("javascript");
    if is_text {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_owned()
    }
}
