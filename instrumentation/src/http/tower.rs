use std::{
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use opentelemetry::trace::FutureExt;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    body::ObservedBody,
    calls::HttpCalls,
    exchange::{Exchange, RequestBody, Started, with_usage_option},
    response::{ResponseFuture, Unwatched},
};

/// Largest request body held to be read before it is sent, in bytes.
const MAX_REQUEST: u64 = 8 * 1024 * 1024;

/// A [`tower`](https://docs.rs/tower) layer that makes a span of every model call of an HTTP client.
///
/// Works around services of [`http::Request`] whose body can be made from bytes (hyper's, axum's, `Full<Bytes>`), and,
/// with the feature `reqwest`, around a `reqwest::Client`.
#[derive(Clone, Debug, Default)]
pub struct GenAiLayer {
    calls: HttpCalls,
}

impl GenAiLayer {
    /// One with its own settings.
    pub fn new(calls: HttpCalls) -> Self {
        Self { calls }
    }
}

impl<S> Layer<S> for GenAiLayer {
    type Service = GenAiService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GenAiService {
            inner,
            calls: self.calls.clone(),
        }
    }
}

/// The service [`GenAiLayer`] makes.
#[derive(Clone, Debug)]
pub struct GenAiService<S> {
    inner: S,
    calls: HttpCalls,
}

impl<S> GenAiService<S> {
    /// The service that is ready, and a clone in its place for the next call.
    fn take(&mut self) -> S
    where
        S: Clone,
    {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S, B, R> Service<Request<B>> for GenAiService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data = Bytes> + From<Bytes> + Send + Unpin + 'static,
    B::Error: Send,
    R: Body<Data = Bytes>,
{
    type Response = Response<ObservedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<Unwatched<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let recognised = self
            .calls
            .recognise(request.method(), request.uri(), request.headers());
        let Some(exchange) = recognised else {
            return ResponseFuture::untouched(Unwatched::new(self.inner.call(request)));
        };
        let mut inner = self.take();
        let asks = self.calls.asks_for_usage();
        ResponseFuture::watched(async move {
            let started = begin(exchange, &mut request, asks).await;
            let context = started.call.context();
            let response = {
                let _current = context.clone().attach();
                inner.call(request)
            };
            match response.with_context(context).await {
                Ok(response) => Ok(watched(started, response)),
                Err(error) => {
                    started.fail(std::any::type_name::<S::Error>().to_owned());
                    Err(error)
                }
            }
        })
    }
}

/// Starts the call; a body of known and moderate size is read first, and sent on as the same bytes.
async fn begin<B>(exchange: Exchange, request: &mut Request<B>, asks: bool) -> Started
where
    B: Body<Data = Bytes> + From<Bytes> + Unpin,
{
    let size = request.body().size_hint().exact();
    let Some(size) = size.filter(|size| *size <= MAX_REQUEST) else {
        return exchange.start(RequestBody::Unread);
    };
    let mut bytes = Bytes::new();
    while let Some(frame) = request.body_mut().frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) if bytes.is_empty() => bytes = data,
            Ok(Ok(data)) => bytes = [bytes, data].concat().into(),
            Ok(Err(_)) => {}
            Err(_) => {
                // What is left is shorter than announced, so that the request fails as it would have.
                let headers = request.headers_mut();
                headers.insert(header::CONTENT_LENGTH, size.into());
                return exchange.start(RequestBody::Unread);
            }
        }
    }
    let started = exchange.start(RequestBody::Bytes(&bytes));
    if asks && started.lacks_usage_option {
        if let Some(asking) = with_usage_option(&bytes) {
            request.headers_mut().remove(header::CONTENT_LENGTH);
            bytes = asking.into();
        }
    }
    *request.body_mut() = B::from(bytes);
    started
}

fn watched<R: Body>(started: Started, response: Response<R>) -> Response<ObservedBody<R>> {
    let watch = started.respond(response.status(), response.headers());
    response.map(|body| ObservedBody::watched(body, watch))
}

#[cfg(feature = "reqwest")]
impl<S> Service<::reqwest::Request> for GenAiService<S>
where
    S: Service<::reqwest::Request, Response = ::reqwest::Response>,
    S::Future: Send + 'static,
    S::Error: Send,
{
    type Response = ::reqwest::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: ::reqwest::Request) -> Self::Future {
        let Some(started) = super::reqwest::begin(&self.calls, &mut request) else {
            return ResponseFuture::untouched(self.inner.call(request));
        };
        let context = started.call.context();
        let response = {
            let _current = context.clone().attach();
            self.inner.call(request).with_context(context)
        };
        ResponseFuture::watched(async {
            match response.await {
                Ok(response) => Ok(super::reqwest::watched(started, response)),
                Err(error) => {
                    started.fail(std::any::type_name::<S::Error>().to_owned());
                    Err(error)
                }
            }
        })
    }
}
