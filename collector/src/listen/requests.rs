//! The requests that are open on the connections of a port: how many there may be, and whether the peer takes the answers.
//!
//! An HTTP/2 peer opens many requests on one connection, and takes answers only as far as it opens windows for them, which no
//! timeout of reads and writes notices. So a request counts as open until the last byte of its answer has left.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::{
    Response,
    body::{Body as HttpBody, Frame, SizeHint},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Requests beyond one that a connection may have open, for each connection that the port may have.
const SHARED_BY_EACH: usize = 4;
/// What of an answer is handed over at once, in bytes: the frame size of HTTP/2.
const PIECE: usize = 16 << 10;

/// What the connections of a port share.
#[derive(Clone)]
pub(super) struct Pool(Arc<Semaphore>);

impl Pool {
    pub(super) fn new(max_connections: usize) -> Self {
        let shared = max_connections.saturating_mul(SHARED_BY_EACH);
        Self(Arc::new(Semaphore::new(shared.min(Semaphore::MAX_PERMITS))))
    }

    pub(super) fn connection(&self) -> Requests {
        Requests {
            pool: self.clone(),
            open: Arc::default(),
            unsent: Arc::default(),
        }
    }
}

/// The open requests of one connection.
pub(super) struct Requests {
    pool: Pool,
    open: Arc<AtomicUsize>,
    unsent: Arc<Unsent>,
}

impl Requests {
    /// One more. `None` where others hold all that is shared; a connection's only one is always taken.
    pub(super) fn open(&self) -> Option<Request> {
        let first = self.open.fetch_add(1, Ordering::AcqRel) == 0;
        let mut request = Request {
            open: self.open.clone(),
            _shared: None,
        };
        if !first {
            request._shared = Some(self.pool.0.clone().try_acquire_owned().ok()?);
        }
        Some(request)
    }

    /// The answer, which keeps its request open until the last byte has left.
    pub(super) fn answer(&self, response: Response<Body>, request: Request) -> Response<Body> {
        response.map(|body| {
            Body::new(Answer {
                body,
                rest: Bytes::new(),
                request: Arc::new(request),
                unsent: self.unsent.clone(),
            })
        })
    }

    /// Returns once a piece of an answer has waited so long for the peer to take it.
    pub(super) async fn untaken_for(&self, longest: Duration) {
        loop {
            let oldest = self.unsent.oldest().unwrap_or_else(Instant::now);
            if oldest.elapsed() >= longest {
                return;
            }
            sleep_until(oldest + longest).await;
        }
    }
}

/// An open request, until dropped.
pub(super) struct Request {
    open: Arc<AtomicUsize>,
    _shared: Option<OwnedSemaphorePermit>,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The pieces of the answers of one connection that were handed over and have not left: when, in that order.
#[derive(Default)]
struct Unsent(Mutex<BTreeMap<u64, Instant>>);

impl Unsent {
    fn pieces(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        // Whole after every line that changes it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn oldest(&self) -> Option<Instant> {
        self.pieces().values().next().copied()
    }

    fn add(&self) -> u64 {
        let mut pieces = self.pieces();
        let number = pieces.last_key_value().map_or(0, |(last, _)| last + 1);
        pieces.insert(number, Instant::now());
        number
    }
}

/// The body of an answer, in pieces that tell when they have left.
struct Answer {
    body: Body,
    rest: Bytes,
    request: Arc<Request>,
    unsent: Arc<Unsent>,
}

impl Answer {
    fn piece(&mut self) -> Bytes {
        let bytes = self.rest.split_to(self.rest.len().min(PIECE));
        Bytes::from_owner(Piece {
            bytes,
            number: self.unsent.add(),
            unsent: self.unsent.clone(),
            _request: self.request.clone(),
        })
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Bytes of an answer, until they have left.
struct Piece {
    bytes: Bytes,
    number: u64,
    unsent: Arc<Unsent>,
    _request: Arc<Request>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.unsent.pieces().remove(&self.number);
    }
}
