use ::reqwest::{Body, Request, Response, ResponseBuilderExt};
use bytes::Bytes;
use http::{Extensions, Uri};
use opentelemetry::trace::FutureExt;
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::{
    body::ObservedBody,
    calls::HttpCalls,
    exchange::{RequestBody, Started},
};

/// A middleware for [`reqwest_middleware`] that makes a span of every model call.
///
/// Each attempt is a call: put it behind a middleware that retries. The span is current while the request is sent, so
/// that a middleware behind this one that traces HTTP makes its spans below.
///
/// ```
/// use costflame_instrumentation::GenAiMiddleware;
/// use reqwest_middleware::ClientBuilder;
///
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(GenAiMiddleware::default())
///     .build();
/// ```
#[derive(Clone, Debug, Default)]
pub struct GenAiMiddleware {
    calls: HttpCalls,
}

impl GenAiMiddleware {
    /// One with its own settings.
    pub fn new(calls: HttpCalls) -> Self {
        Self { calls }
    }
}

#[async_trait::async_trait]
impl Middleware for GenAiMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let Some(started) = begin(&self.calls, &mut request) else {
            return next.run(request, extensions).await;
        };
        let context = started.call.context();
        match next.run(request, extensions).with_context(context).await {
            Ok(response) => Ok(watched(started, response)),
            Err(error) => {
                started.fail(match &error {
                    Error::Reqwest(error) => error_name(error).to_owned(),
                    Error::Middleware(_) => "middleware".to_owned(),
                });
                Err(error)
            }
        }
    }
}

/// Starts the call that a request is, if it is one.
pub(super) fn begin(calls: &HttpCalls, request: &mut Request) -> Option<Started> {
    if !calls.is_on() {
        return None;
    }
    let uri: Uri = request.url().as_str().parse().ok()?;
    let exchange = calls.recognise(request.method(), &uri, request.headers())?;
    let bytes = request.body().and_then(Body::as_bytes);
    let started = exchange.start(match bytes {
        Some(bytes) => RequestBody::Bytes(bytes),
        None => RequestBody::Unread,
    });
    if started.lacks_usage_option && calls.asks_for_usage() {
        ask_for_usage(request);
    }
    Some(started)
}

fn ask_for_usage(request: &mut Request) {
    let Some(body) = request.body().and_then(Body::as_bytes) else {
        return;
    };
    if let Some(asking) = super::exchange::with_usage_option(body) {
        request.headers_mut().remove(http::header::CONTENT_LENGTH);
        *request.body_mut() = Some(Bytes::from(asking).into());
    }
}

/// The same response, its body watched.
pub(super) fn watched(started: Started, response: Response) -> Response {
    let watch = started.respond(response.status(), response.headers());
    let url = response.url().clone();
    let (parts, body) = http::Response::<Body>::from(response).into_parts();
    // Only a builder can hand the URL to the new response.
    let mut carrier = http::response::Builder::new().url(url);
    if let Some(extensions) = carrier.extensions_mut() {
        extensions.extend(parts.extensions);
    }
    let body = Body::wrap(ObservedBody::watched(body, watch));
    match carrier.body(body) {
        Ok(mut watched) => {
            *watched.status_mut() = parts.status;
            *watched.version_mut() = parts.version;
            *watched.headers_mut() = parts.headers;
            watched.into()
        }
        // A builder with nothing but extensions has nothing to refuse.
        Err(_) => unreachable!("a response without a head is always built"),
    }
}

pub(super) fn error_name(error: &::reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else if error.is_body() {
        "body"
    } else {
        "request"
    }
}
