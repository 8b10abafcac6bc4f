use http::{HeaderMap, Method, StatusCode, Uri};
use http_body::Body;
use opentelemetry::Context;

use super::{
    body::ObservedBody,
    calls::HttpCalls,
    exchange::{RequestBody, Started},
};

impl HttpCalls {
    /// Starts the call that a request is, if it is one: the way in for an HTTP client that no adapter here fits.
    ///
    /// The URL names the host, or else the header `host` does. `body` is what will be sent, if it is held in memory;
    /// without it the span has no model and says that the request was not read.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use costflame_instrumentation::{HttpCalls, ObservedBody};
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use opentelemetry::trace::FutureExt;
    ///
    /// # async fn send(_: Request<Bytes>) -> Result<Response<Full<Bytes>>, std::io::Error> { unimplemented!() }
    /// async fn visible(
    ///     calls: &HttpCalls,
    ///     request: Request<Bytes>,
    /// ) -> Result<Response<ObservedBody<Full<Bytes>>>, std::io::Error> {
    ///     let body = Some(&request.body()[..]);
    ///     let Some(call) = calls.start(request.method(), request.uri(), request.headers(), body) else {
    ///         return Ok(send(request).await?.map(ObservedBody::from));
    ///     };
    ///     match send(request).with_context(call.context()).await {
    ///         Ok(response) => {
    ///             let (head, body) = response.into_parts();
    ///             let body = call.respond(head.status, &head.headers, body);
    ///             Ok(Response::from_parts(head, body))
    ///         }
    ///         Err(error) => {
    ///             call.fail("io");
    ///             Err(error)
    ///         }
    ///     }
    /// }
    /// ```
    pub fn start(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Option<HttpCall> {
        let exchange = self.recognise(method, uri, headers)?;
        Some(HttpCall(exchange.start(match body {
            Some(bytes) => RequestBody::Bytes(bytes),
            None => RequestBody::Unread,
        })))
    }
}

/// A model call whose request is on its way, made by [`HttpCalls::start`]. One that is dropped is cancelled.
#[must_use = "a call that is dropped at once is cancelled at once"]
pub struct HttpCall(Started);

impl HttpCall {
    /// The context to send the request in: what traces HTTP makes its spans below.
    pub fn context(&self) -> Context {
        self.0.call.context()
    }

    /// No response came. `error` has few values: the kind of error, not its message.
    pub fn fail(self, error: impl Into<String>) {
        self.0.fail(error.into());
    }

    /// The head of the response is here; the call ends with its body, which is to be handed on instead of `body`.
    pub fn respond<B: Body>(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        body: B,
    ) -> ObservedBody<B> {
        ObservedBody::watched(body, self.0.respond(status, headers))
    }
}

impl std::fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpCall").finish_non_exhaustive()
    }
}
