use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::body::ObservedBody;

pin_project! {
    /// The future of a [`GenAiService`](super::GenAiService): where a request is no model call nothing but `F`, the future of
    /// the service within.
    pub struct ResponseFuture<F: Future> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F: Future> {
        Untouched { #[pin] response: F },
        Watched { response: Pin<Box<dyn Future<Output = F::Output> + Send>> },
    }
}

impl<F: Future> ResponseFuture<F> {
    pub(super) fn untouched(response: F) -> Self {
        Self {
            kind: Kind::Untouched { response },
        }
    }

    pub(super) fn watched(response: impl Future<Output = F::Output> + Send + 'static) -> Self {
        Self {
            kind: Kind::Watched {
                response: Box::pin(response),
            },
        }
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().kind.project() {
            KindProjection::Untouched { response } => response.poll(cx),
            KindProjection::Watched { response } => response.as_mut().poll(cx),
        }
    }
}

impl<F: Future> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// A response that is no model call's, in the type of one.
    #[derive(Debug)]
    pub struct Unwatched<F> {
        #[pin]
        response: F,
    }
}

impl<F> Unwatched<F> {
    pub(super) fn new(response: F) -> Self {
        Self { response }
    }
}

impl<F, B, E> Future for Unwatched<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ObservedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().response.poll(cx));
        Poll::Ready(response.map(|response| response.map(ObservedBody::from)))
    }
}
