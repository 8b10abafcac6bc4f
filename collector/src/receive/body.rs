//! A request body into memory, within the bounds.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::{
    budget::{Budget, Reservation},
    buffer::Buffer,
    status::Refusal,
};

/// Most bytes that are reserved, and asked of the allocator, before they have arrived.
const ON_TRUST: usize = 4 << 20;
/// How many bytes a byte that has arrived vouches for: usual bodies have room from their first frame on and never wait for each
/// other half read, and promises alone hold nothing.
const VOUCHED: usize = 16;
/// Bytes that one compressed byte is expected to become.
const EXPECTED_RATIO: usize = 8;

/// A body and the reservation of at least its bytes.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) reservation: Reservation,
}

/// Bounds of one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Most bytes.
    pub(crate) max: usize,
    /// Longest time for all of it.
    pub(crate) timeout: Duration,
    /// Told to a sender that was too slow.
    pub(crate) retry_after: Duration,
}

impl BodyLimits {
    /// Of the body of somebody who is not let in: enough for a usual batch, so that its sender hears why.
    pub(crate) fn brief(self) -> Self {
        Self {
            max: self.max.min(1 << 20),
            timeout: self.timeout.min(Duration::from_secs(1)),
            ..self
        }
    }
}

/// What a sender says about its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// Bytes around the message, which the bound does not count.
    pub(crate) frame: usize,
    /// Compressed, so that room for what it becomes is reserved with it.
    pub(crate) compressed: bool,
    /// Bytes of the whole body, read off its first frame; the declared length counts if this is `None`.
    pub(crate) length: fn(&[u8]) -> Option<usize>,
}

/// Reads a body frame by frame into one buffer; every byte is reserved before it is kept.
///
/// # Errors
/// Too large, too slow, no room, or a broken connection.
pub(crate) async fn read(
    body: &mut Body,
    promise: Promise,
    limits: BodyLimits,
    budget: &Budget,
) -> Result<Held, Refusal> {
    let arrival = budget.arrival();
    tokio::select! {
        read = collect(body, promise, limits.max, budget) => return read,
        () = tokio::time::sleep(limits.timeout) => {}
        () = arrival.makes_room() => {}
    }
    Err(Refusal::Slow {
        retry_after: limits.retry_after,
    })
}

async fn collect(
    body: &mut Body,
    promise: Promise,
    max: usize,
    budget: &Budget,
) -> Result<Held, Refusal> {
    let mut declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > max + promise.frame {
        return Err(too_large(max));
    }
    let mut reservation = budget.empty();
    let mut buffer = Buffer::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::invalid("broken_off", format!("the body broke off: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = buffer.len() + data.len();
        if length > max + promise.frame {
            return Err(too_large(max));
        }
        if buffer.len() == 0 {
            declared = (promise.length)(&data).unwrap_or(declared);
        }
        let trusted = declared.min(ON_TRUST).min(VOUCHED * length);
        let ratio = if promise.compressed {
            1 + EXPECTED_RATIO
        } else {
            1
        };
        reservation.grow_to(length.max(trusted * ratio)).await?;
        buffer.push(data, trusted, max + promise.frame);
    }
    Ok(Held {
        bytes: buffer.finish(),
        reservation,
    })
}

/// Reads the rest of a refused body away, so that a client that is still sending hears the answer
/// instead of a reset connection, within the limits. True when nothing is left of it.
pub(crate) async fn discard(body: &mut Body, limits: BodyLimits) -> bool {
    let mut left = limits.max;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(size) else {
                return false;
            };
            left = less;
        }
        true
    };
    tokio::time::timeout(limits.timeout, rest)
        .await
        .unwrap_or(false)
}

fn too_large(max: usize) -> Refusal {
    let message = format!("the request is larger than {max} bytes");
    Refusal::TooLarge {
        reason: "too_large",
        message,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::StreamExt as _;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    const PLAIN: Promise = Promise {
        frame: 0,
        compressed: false,
        length: |_| None,
    };
    const SECOND: Duration = Duration::from_secs(1);

    fn limits(max: usize) -> BodyLimits {
        BodyLimits {
            max,
            timeout: SECOND,
            retry_after: SECOND,
        }
    }

    fn budget() -> Budget {
        Budget::new(1000, SECOND, Refusal::Internal)
    }

    fn streamed(parts: Vec<&'static [u8]>) -> Body {
        let frames = parts
            .into_iter()
            .map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from(part))));
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    #[tokio::test]
    async fn joins_frames_and_reserves_what_it_holds() {
        let budget = budget();
        let held = read(
            &mut streamed(vec![b"", b"ab", b"", b"cd", b"e"]),
            PLAIN,
            limits(10),
            &budget,
        )
        .await
        .unwrap();
        assert_eq!((&*held.bytes, held.reservation.bytes()), (&b"abcde"[..], 5));
        drop(held);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn what_is_promised_is_reserved_with_the_first_frame() {
        let budget = budget();
        let promise = Promise {
            frame: 0,
            compressed: true,
            length: |first| Some(first.len() * 5),
        };
        let held = read(
            &mut streamed(vec![b"ab", b"cd"]),
            promise,
            limits(10),
            &budget,
        )
        .await
        .unwrap();
        assert_eq!(
            (&*held.bytes, held.reservation.bytes()),
            (&b"abcd"[..], 10 * (1 + EXPECTED_RATIO))
        );
    }

    #[tokio::test]
    async fn a_promise_holds_little_before_it_is_kept() {
        let budget = budget();
        let promise = Promise {
            length: |_| Some(900),
            ..PLAIN
        };
        let first =
            futures::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"ab")))]);
        let mut body = Body::new(StreamBody::new(first.chain(futures::stream::pending())));
        let reading = read(&mut body, promise, limits(1000), &budget);
        tokio::select! {
            _ = reading => panic!("it goes on"),
            () = async { while budget.used() == 0 { tokio::task::yield_now().await; } } => {}
        }
        assert_eq!(budget.used(), 0, "and what was held is given back");
    }

    #[tokio::test]
    async fn refuses_one_byte_too_many_with_and_without_a_declared_length() {
        let budget = budget();
        let exact = read(&mut Body::from("12345"), PLAIN, limits(5), &budget)
            .await
            .unwrap();
        assert_eq!(exact.bytes.len(), 5);
        for mut body in [Body::from("123456"), streamed(vec![b"123", b"456"])] {
            let refusal = read(&mut body, PLAIN, limits(5), &budget)
                .await
                .unwrap_err();
            assert_eq!(refusal, too_large(5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_sender_is_refused_with_a_delay_and_holds_nothing_after() {
        let budget = budget();
        let first =
            futures::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))]);
        let mut body = Body::new(StreamBody::new(first.chain(futures::stream::pending())));
        let refusal = read(&mut body, PLAIN, limits(5), &budget)
            .await
            .unwrap_err();
        assert_eq!(
            refusal,
            Refusal::Slow {
                retry_after: SECOND
            }
        );
        assert_eq!(budget.used(), 0);
    }
}
