use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::Watch;

pin_project! {
    /// A response's body whose passing ends a call. Its bytes are handed on as they are, not held, not copied.
    pub struct ObservedBody<B> {
        #[pin]
        body: B,
        watch: Option<Box<Watch>>,
    }
}

impl<B: Body> ObservedBody<B> {
    pub(super) fn watched(body: B, watch: Watch) -> Self {
        let mut watch = Some(Box::new(watch));
        if body.is_end_stream() {
            finish(&mut watch);
        }
        Self { body, watch }
    }
}

/// A body of no call.
impl<B> From<B> for ObservedBody<B> {
    fn from(body: B) -> Self {
        Self { body, watch: None }
    }
}

impl<B> Body for ObservedBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(watch), Some(bytes)) = (this.watch.as_mut(), frame.data_ref()) {
                    watch.bytes(bytes);
                }
                // Many stop asking here.
                if this.watch.is_some() && this.body.is_end_stream() {
                    finish(this.watch);
                }
            }
            Some(Err(_)) => {
                if let Some(mut watch) = this.watch.take() {
                    watch.fail("body");
                }
            }
            None => finish(this.watch),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default> Default for ObservedBody<B> {
    fn default() -> Self {
        Self {
            body: B::default(),
            watch: None,
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for ObservedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedBody")
            .field("body", &self.body)
            .field("watched", &self.watch.is_some())
            .finish()
    }
}

fn finish(watch: &mut Option<Box<Watch>>) {
    if let Some(mut watch) = watch.take() {
        watch.end();
    }
}
