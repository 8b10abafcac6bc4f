use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::CallSpan;

pin_project! {
    /// A stream whose end ends a call, made by [`CallSpan::observe`]. Its items pass unchanged.
    #[must_use = "streams do nothing unless polled"]
    pub struct Observed<S, F> {
        #[pin]
        stream: S,
        call: Option<CallSpan>,
        observe: F,
    }
}

impl<S, F> Observed<S, F> {
    pub(crate) fn new(stream: S, call: CallSpan, observe: F) -> Self {
        Self {
            stream,
            call: Some(call),
            observe,
        }
    }
}

impl<S, F> Stream for Observed<S, F>
where
    S: Stream,
    F: FnMut(&mut CallSpan, &S::Item),
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let Poll::Ready(item) = this.stream.poll_next(cx) else {
            return Poll::Pending;
        };
        match (&item, this.call.as_mut()) {
            (Some(item), Some(call)) => {
                call.chunk();
                (this.observe)(call, item);
            }
            (None, _) => {
                if let Some(call) = this.call.take() {
                    call.end();
                }
            }
            _ => {}
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}
