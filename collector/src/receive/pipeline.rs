//! The core that both transports share: bytes to committed rows.

use std::{borrow::Cow, num::NonZero, sync::Arc, thread};

use arc_swap::ArcSwap;
use bytes::Bytes;
use costflame_pricing::Catalog;
use costflame_profile::Signal;
use costflame_store::{LandingRow, OutboxRow};
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
};

use super::{
    Budget, Format, Payload, ReceiverConfig, Refusal,
    body::{BodyLimits, Held},
    status::bounded,
};
use crate::{
    commit::{Committer, Pending},
    decode::{self, DecodeError, Encoding, InflateError, Limits, Outcome},
    dialect::{Lander, sum},
    forward::Outgoing,
    metrics::Metrics,
    time::now_us,
};

/// Rows handed to the committer at once. A request of more is committed while it is walked, so that
/// its rows are never in memory all together.
const CHUNK_ROWS: usize = 4096;

/// A request of which everything that can be kept is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records that can never be accepted.
    pub rejected: u64,
    /// Why, for the sender's developer; with nothing rejected, a warning. Empty = plain success.
    pub message: String,
}

/// Decodes, prices and commits.
pub struct Receiver {
    catalog: Arc<ArcSwap<Catalog>>,
    committer: Committer,
    outgoing: Arc<Outgoing>,
    metrics: Arc<Metrics>,
    budget: Budget,
    limits: Arc<Limits>,
    body_limits: BodyLimits,
    /// One permit per core: more would only take memory.
    workers: Arc<Semaphore>,
}

impl Accepted {
    /// True when there is nothing to say.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rejected == 0 && self.message.is_empty()
    }
}

impl Receiver {
    /// A receiver that prices by `catalog` and hands rows, and requests for `outgoing`, to `committer`.
    #[must_use]
    pub fn new(
        config: &ReceiverConfig,
        catalog: Arc<ArcSwap<Catalog>>,
        committer: Committer,
        outgoing: Arc<Outgoing>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let full = Refusal::Busy {
            reason: "no_memory",
            what: "the bodies of more requests",
            retry_after: config.retry_delay,
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            catalog,
            committer,
            outgoing,
            metrics,
            budget: Budget::new(config.max_inflight_bytes, config.admission_wait, full)
                .with_room_for_small(),
            limits: Arc::new(config.limits()),
            body_limits: BodyLimits {
                max: config.max_request_bytes,
                timeout: config.body_timeout,
                retry_after: config.retry_delay,
            },
            workers: Arc::new(Semaphore::new(cores)),
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn body_limits(&self) -> BodyLimits {
        self.body_limits
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Refuses before a body is read what would be refused after.
    ///
    /// # Errors
    /// The database is down, or more of the project waits to be forwarded than may.
    pub fn admit(&self, project: i32) -> Result<(), Refusal> {
        self.committer.admit()?;
        if self.outgoing.is_full(project) {
            return Err(Refusal::Busy {
                reason: "outbox_full",
                what: "requests that wait to be forwarded",
                retry_after: self.body_limits.retry_after,
            });
        }
        Ok(())
    }

    /// Takes one request of a project; returns when everything in it that can be kept is durable.
    ///
    /// # Errors
    /// The request is refused as a whole. Part of it may be durable all the same: sending it again
    /// changes nothing.
    pub async fn export(
        &self,
        project: i32,
        signal: Signal,
        payload: Payload,
    ) -> Result<Accepted, Refusal> {
        if payload.held.bytes.is_empty() {
            return Ok(Accepted::default());
        }
        let message = self.message(signal, payload).await?;
        match signal {
            Signal::Span => self.traces(project, message).await,
            Signal::Log => self.logs(project, message).await,
            Signal::Metric => self.points(project, message).await,
        }
    }

    /// The message as protobuf, every byte of it reserved.
    async fn message(&self, signal: Signal, payload: Payload) -> Result<Held, Refusal> {
        let Payload {
            format,
            encoding,
            held,
        } = payload;
        let held = match encoding {
            Encoding::Identity => held,
            Encoding::Gzip | Encoding::Zstd => self.inflate(encoding, held).await?,
        };
        match format {
            Format::Protobuf => Ok(held),
            Format::Json => self.transcode(signal, held).await,
        }
    }

    /// Decompresses, first within the size that the body declares and, if it said too little, within
    /// the bound of a request. Both are reserved before.
    async fn inflate(&self, encoding: Encoding, held: Held) -> Result<Held, Refusal> {
        let Held {
            bytes: packed,
            mut reservation,
        } = held;
        let max = self.limits.max_request_bytes;
        let declared = declared_size(encoding, &packed).map_or(max, |size| size.min(max));
        reservation.grow_to(packed.len() + declared).await?;
        let mut inflated = self.inflate_within(encoding, &packed, declared).await?;
        if matches!(&inflated, Err(error) if error.is_too_large()) && declared < max {
            reservation.grow_to(packed.len() + max).await?;
            inflated = self.inflate_within(encoding, &packed, max).await?;
        }
        let bytes = Bytes::from(inflated?);
        self.metrics.inflated(bytes.len());
        reservation.shrink_to(bytes.len());
        Ok(Held { bytes, reservation })
    }

    async fn inflate_within(
        &self,
        encoding: Encoding,
        packed: &Bytes,
        limit: usize,
    ) -> Result<Result<Vec<u8>, InflateError>, Refusal> {
        let packed = packed.clone();
        self.work(move || decode::inflate(encoding, &packed, limit).map(Cow::into_owned))
            .await
    }

    /// JSON to protobuf, which is the smaller of the two.
    async fn transcode(&self, signal: Signal, held: Held) -> Result<Held, Refusal> {
        let Held {
            bytes: json,
            mut reservation,
        } = held;
        reservation.grow_to(2 * json.len()).await?;
        let limits = self.limits.clone();
        let protobuf = self
            .work(move || decode::json_to_protobuf(signal, &json, &limits))
            .await??;
        reservation.shrink_to(protobuf.len());
        Ok(Held {
            bytes: protobuf.into(),
            reservation,
        })
    }

    async fn traces(&self, project: i32, message: Held) -> Result<Accepted, Refusal> {
        let walk = move |body: &[u8], limits: &Limits, lander: &mut Lander<'_>, rows: &mut Rows| {
            let received_us = now_us();
            decode::walk_traces(body, limits, |resource, scope, span| {
                rows.add(|| Some(lander.land(resource, scope, span, project, received_us)));
            })
        };
        let count = |outcome: &Outcome| outcome.spans;
        let (outcome, landed) = self
            .land((project, Signal::Span), message, walk, count)
            .await?;
        self.metrics.walked(&outcome);
        self.answer(&outcome, landed).await
    }

    /// Records that report a model call are kept like spans; the others are counted.
    async fn logs(&self, project: i32, message: Held) -> Result<Accepted, Refusal> {
        let walk = move |body: &[u8], limits: &Limits, lander: &mut Lander<'_>, rows: &mut Rows| {
            let received_us = now_us();
            decode::walk_logs(body, limits, |resource, scope, record| {
                rows.add(|| lander.land_log(resource, scope, record, project, received_us));
            })
        };
        let (records, landed) = self
            .land((project, Signal::Log), message, walk, |records| *records)
            .await?;
        self.metrics
            .unused("logs", records.saturating_sub(landed.rows));
        self.answer(&Outcome::default(), landed).await
    }

    /// Counters by which coding agents sum their usage are kept, for calls that nothing else reports; the other metrics are counted.
    async fn points(&self, project: i32, message: Held) -> Result<Accepted, Refusal> {
        let walk = move |body: &[u8], limits: &Limits, lander: &mut Lander<'_>, rows: &mut Rows| {
            let received_us = now_us();
            let mut used = 0;
            let all = decode::walk_points(body, limits, sum::wanted, |resource, scope, points| {
                used += points.len() as u64;
                for row in lander.land_points(resource, scope, points, project, received_us) {
                    rows.add(|| Some(row));
                }
            })?;
            Ok((all, used))
        };
        let count = |(points, _): &(u64, u64)| *points;
        let ((points, used), landed) = self
            .land((project, Signal::Metric), message, walk, count)
            .await?;
        self.metrics.unused("metrics", points.saturating_sub(used));
        self.answer(&Outcome::default(), landed).await
    }

    /// Walks a message on a worker and commits what it lands, chunk by chunk; with the last chunk the message itself, if
    /// it is to be forwarded. `count` says how many records there were.
    async fn land<T: Send + 'static>(
        &self,
        (project, signal): (i32, Signal),
        message: Held,
        walk: impl FnOnce(&[u8], &Limits, &mut Lander<'_>, &mut Rows) -> Result<T, DecodeError>
        + Send
        + 'static,
        count: fn(&T) -> u64,
    ) -> Result<(T, Landed), Refusal> {
        let (chunks, mut walked) = mpsc::channel(1);
        let (limits, catalog) = (self.limits.clone(), self.catalog.load_full());
        let (outgoing, metrics) = (self.outgoing.clone(), self.metrics.clone());
        let walk = self.work(move || {
            let mut rows = Rows {
                waiting: Vec::new(),
                chunks,
            };
            let body = &message.bytes;
            let mut lander = Lander::new(&catalog);
            let result = walk(body, &limits, &mut lander, &mut rows)?;
            metrics.ignored_weights(lander.ignored_weights);
            let mut request = None;
            if outgoing.takes(project, signal) {
                let packed = outgoing.pack(project, signal, body, count(&result), now_us());
                request = Some(packed.map_err(|error| {
                    tracing::error!(%error, "a request cannot be packed for forwarding");
                    Refusal::Internal
                })?);
            }
            rows.send(request);
            Ok::<_, Refusal>(result)
        });
        let commit = async {
            let mut landed = Landed::default();
            while let Some(Chunk { rows, request }) = walked.recv().await {
                self.metrics.recognised(&rows);
                landed.rows += rows.len() as u64;
                if request.is_some() {
                    // What is refused after all is not forwarded.
                    landed.wait().await?;
                }
                let pending = self.committer.submit_with(rows, request).await?;
                landed.pending.push(pending);
            }
            // Nothing more comes, or nothing more is wanted: the walk ends either way.
            drop(walked);
            Ok::<_, Refusal>(landed)
        };
        let (walked, landed) = tokio::join!(walk, commit);
        Ok((walked??, landed?))
    }

    async fn answer(&self, outcome: &Outcome, mut landed: Landed) -> Result<Accepted, Refusal> {
        landed.wait().await?;
        let poison = landed.poison;
        let (rejected, mut message) = outcome.partial_success().unwrap_or_default();
        if poison > 0 {
            self.metrics.poison(poison);
            let refused = format!("{poison} spans refused by the database");
            message = if message.is_empty() {
                refused
            } else {
                format!("{message}; {refused}")
            };
        }
        let rejected = u64::try_from(rejected).unwrap_or_default() + poison;
        Ok(Accepted {
            rejected,
            message: bounded(&message).to_owned(),
        })
    }

    /// Runs work that takes more than a moment away from the threads that serve connections.
    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.workers.clone().acquire_owned().await;
        let job = spawn_blocking(move || {
            let _permit = permit;
            job()
        });
        job.await.map_err(|error| {
            tracing::error!(%error, "decoding failed");
            Refusal::Internal
        })
    }
}

/// Rows of one request on their way to the committer.
struct Rows {
    waiting: Vec<LandingRow>,
    chunks: mpsc::Sender<Chunk>,
}

/// Some of the rows, and with the last of them the request if it is to be forwarded.
struct Chunk {
    rows: Vec<LandingRow>,
    request: Option<OutboxRow>,
}

impl Rows {
    /// Adds a row, unless the request has been refused already and nobody takes it.
    fn add(&mut self, row: impl FnOnce() -> Option<LandingRow>) {
        if self.chunks.is_closed() {
            return;
        }
        self.waiting.extend(row());
        if self.waiting.len() == CHUNK_ROWS {
            self.send(None);
        }
    }

    fn send(&mut self, request: Option<OutboxRow>) {
        if !self.waiting.is_empty() || request.is_some() {
            let rows = std::mem::take(&mut self.waiting);
            // When nobody takes them, the request has been refused already.
            let _ = self.chunks.blocking_send(Chunk { rows, request });
        }
    }
}

/// What was handed to the committer.
#[derive(Default)]
struct Landed {
    rows: u64,
    pending: Vec<Pending>,
    /// Rows that the database will never take, of parts that have been waited for.
    poison: u64,
}

impl Landed {
    /// Waits until everything handed over is durable.
    async fn wait(&mut self) -> Result<(), Refusal> {
        for part in self.pending.drain(..) {
            self.poison += part.wait().await?.rejected;
        }
        Ok(())
    }
}

/// The decompressed size that the sender claims, if the format has a place for it. A hint only.
fn declared_size(encoding: Encoding, packed: &[u8]) -> Option<usize> {
    match encoding {
        Encoding::Identity => Some(packed.len()),
        // Of the last member, modulo 4 GiB.
        Encoding::Gzip => {
            let size = u32::from_le_bytes(*packed.last_chunk()?);
            usize::try_from(size).ok()
        }
        Encoding::Zstd => {
            let size = zstd::zstd_safe::get_frame_content_size(packed).ok()??;
            usize::try_from(size).ok()
        }
    }
}
