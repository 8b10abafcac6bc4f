//! One file over HTTP or HTTPS, with the certificates that this system trusts.

use anyhow::{Context, Result, bail};
use axum::http::{Request, Uri, header};
use http_body_util::Full;

use crate::https::{Bytes, HttpClient, Trust};

/// The body of an answer that is a success and not longer than `most` bytes. Redirects are not followed: what is asked
/// for is what is read.
pub(super) async fn fetch(url: &str, most: usize) -> Result<Bytes> {
    let uri: Uri = url.parse().context("it is no URL")?;
    let request = Request::get(uri)
        .header(
            header::USER_AGENT,
            concat!("costflame/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::default())?;
    let client = HttpClient::new(url, &Trust::default())?;
    let answer = client.send(request, most).await?;
    let status = answer.status();
    if let Some(place) = answer.headers().get(header::LOCATION) {
        bail!("it is at {}", String::from_utf8_lossy(place.as_bytes()));
    }
    if !status.is_success() {
        bail!("the answer is {status}");
    }
    Ok(answer.into_body())
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, routing::get};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn only_a_whole_success_is_a_file() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("bound");
        let routes = Router::new()
            .route("/prices", get(|| async { "[]" }))
            .route("/large", get(|| async { "x".repeat(2_000) }))
            .route(
                "/moved",
                get(|| async { axum::response::Redirect::to("/prices") }),
            )
            .route("/gone", get(|| async { StatusCode::NOT_FOUND }));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let file = |path: &str| {
            let url = format!("http://{place}{path}");
            async move { fetch(&url, 1_000).await }
        };
        assert_eq!(file("/prices").await.expect("a file"), "[]");
        for (path, why) in [
            ("/large", "larger"),
            ("/moved", "it is at /prices"),
            ("/gone", "404"),
        ] {
            let error = file(path).await.expect_err(path);
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
        assert!(fetch("not a url", 10).await.is_err());
        // A server without TLS is no server for https.
        assert!(fetch(&format!("https://{place}/prices"), 10).await.is_err());
    }
}
