//! Ports: connections in, over TLS where a [`Tls`] says so, HTTP/1.1 and HTTP/2 served on them, drained at the end.
//!
//! Everything that a peer can hold is bounded: how many connections there are ([`places`]) and requests on them ([`requests`]),
//! how long a head may take, how long a peer may leave an answer unread. Where all places are taken, the connection that has
//! been without a request for longest leaves, so that nobody can shut others out by holding connections.

mod metrics;
mod places;
mod requests;
mod tls;

pub use metrics::ListenMetrics;
pub use tls::{Tls, TlsFiles, follow};

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use metrics::PortMetrics;
use places::{Place, Places, UnderWay};
use requests::{Pool, Requests};

/// Unread input that one HTTP/2 connection may hold, in bytes.
const WINDOW: u32 = 256 << 10;
/// Requests that one connection may have open, where enough of those that all connections share are left.
const STREAMS: u32 = 128;
/// Input buffer of an HTTP/1.1 connection, in bytes; also the longest request head.
const HEAD: usize = 64 << 10;
/// A dead HTTP/2 peer is found after this and [`PING_TIMEOUT`].
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after the system refused to hand over a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that makes room may take for the answers it is still owed.
const LEAVE: Duration = Duration::from_secs(5);
/// The first byte of a TLS connection: a handshake record.
const HANDSHAKE: u8 = 0x16;

/// Bounds of the connections of one port.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenConfig {
    /// Open connections, each of which may hold 256 KiB of unread input. All together may have four times as many requests
    /// open, beyond the first of each. Default 1024.
    pub max_connections: usize,
    /// How long a connection may be silent before and within the head of a request, and for its TLS handshake. Default 60 s.
    pub header_timeout: Duration,
    /// How long a peer may leave a piece of an answer (16 KiB) unread. Default 30 s.
    pub write_timeout: Duration,
    /// How long requests in progress may take to finish at shutdown. Default 20 s.
    pub drain_timeout: Duration,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// A bound port.
#[derive(Debug)]
pub struct Port {
    /// Its name in the metrics.
    pub name: &'static str,
    /// Where it listens.
    pub listener: TcpListener,
    /// What it shows to whom connects; without, it does not encrypt.
    pub tls: Option<Arc<Tls>>,
}

impl Port {
    /// A port that does not encrypt.
    #[must_use]
    pub fn plain(name: &'static str, listener: TcpListener) -> Self {
        Self {
            name,
            listener,
            tls: None,
        }
    }
}

/// Serves a port until `shutdown`, then stops accepting and lets requests in progress finish, at most for the configured time.
/// Returns how many connections had to be cut. Requests carry the peer's address as [`ConnectInfo`].
pub async fn serve(
    port: Port,
    router: Router,
    config: &ListenConfig,
    metrics: &ListenMetrics,
    shutdown: CancellationToken,
) -> usize {
    let metrics = metrics.of(port.name);
    let builder = builder(config);
    let places = Places::new(config.max_connections.max(1));
    let pool = Pool::new(config.max_connections.max(1));
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    while let Some((stream, peer, place)) = accept(&port, &places, &metrics, &shutdown).await {
        let connection = Arc::new(Connection {
            peer,
            place,
            requests: pool.connection(),
            builder: builder.clone(),
            router: router.clone(),
            config: config.clone(),
            tls: port.tls.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
        });
        open.spawn(
            cut.clone()
                .run_until_cancelled_owned(connection.run(stream)),
        );
    }
    drop(port.listener);
    open.close();
    let left = open.len();
    let drained = tokio::time::timeout(config.drain_timeout, open.wait())
        .await
        .is_ok();
    cut.cancel();
    if drained { 0 } else { left }
}

async fn accept(
    port: &Port,
    places: &Places,
    metrics: &PortMetrics,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, Arc<Place>)> {
    let accepted = async {
        loop {
            match port.listener.accept().await {
                Ok((stream, peer)) => {
                    // Answers are small; waiting to fill a packet only delays them.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, places.take(metrics).await);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepted).await
}

/// One connection and what it is served by.
struct Connection {
    peer: SocketAddr,
    place: Arc<Place>,
    requests: Requests,
    builder: Builder<TokioExecutor>,
    router: Router,
    config: ListenConfig,
    tls: Option<Arc<Tls>>,
    metrics: PortMetrics,
    shutdown: CancellationToken,
}

impl Connection {
    async fn run(self: Arc<Self>, stream: TcpStream) {
        let silence = self.config.header_timeout;
        let opened = tokio::time::timeout(silence, first_byte(stream));
        let Some(Ok(Some((first, stream)))) = self.unless_leaving(opened).await else {
            return;
        };
        let Some(tls) = &self.tls else {
            return self.converse(stream).await;
        };
        if first != HANDSHAKE {
            // Whoever took the wrong scheme reads why; HTTP/2 sees no answer that it understands, and ends as well.
            let _ = tokio::time::timeout(LEAVE, tell_scheme(stream)).await;
            return;
        }
        let handshake = tokio::time::timeout(silence, tls.acceptor().accept(stream));
        match self.unless_leaving(handshake).await {
            Some(Ok(Ok(stream))) => self.converse(stream).await,
            Some(Ok(Err(error))) => {
                self.metrics.handshake_failed();
                tracing::debug!(peer = %self.peer, %error, "TLS handshake failed");
            }
            Some(Err(_)) | None => {}
        }
    }

    /// What comes before the first request; nobody waits for that at the end.
    async fn unless_leaving<T>(&self, beginning: impl Future<Output = T>) -> Option<T> {
        let leave = self.place.leave();
        tokio::select! {
            done = beginning => Some(done),
            () = leave.cancelled() => None,
            () = self.shutdown.cancelled() => None,
        }
    }

    async fn converse(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.config.write_timeout));
        let this = self.clone();
        let service = service_fn(move |request| {
            // From the moment it is here it keeps its connection from making room.
            let under_way = this.place.request();
            this.clone().answer(request, under_way)
        });
        let connection = self
            .builder
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        tokio::pin!(connection);
        let leave = self.place.leave();
        let longest = tokio::select! {
            ended = connection.as_mut() => return log_end(ended),
            () = self.requests.untaken_for(self.config.write_timeout) => {
                self.metrics.untaken();
                tracing::debug!(peer = %self.peer, "cut: the peer takes no answers");
                return;
            }
            () = leave.cancelled() => LEAVE,
            // Cut from outside after the time to drain.
            () = self.shutdown.cancelled() => Duration::MAX,
        };
        connection.as_mut().graceful_shutdown();
        if let Ok(ended) = tokio::time::timeout(longest, connection).await {
            log_end(ended);
        }
    }

    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        under_way: UnderWay,
    ) -> Result<Response<Body>, h2::Error> {
        let Some(open) = self.requests.open() else {
            self.metrics.request_refused();
            // Says that nothing was done with it, and that it may be sent again (RFC 9113, section 8.7).
            return Err(h2::Reason::REFUSED_STREAM.into());
        };
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let Ok(answer) = self.router.clone().oneshot(request.map(Body::new)).await;
        drop(under_way);
        Ok(self.requests.answer(answer, open))
    }
}

/// Waits for the first byte, and leaves it there.
async fn first_byte(stream: TcpStream) -> Option<(u8, TcpStream)> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) => Some((first[0], stream)),
        _ => None,
    }
}

const WRONG_SCHEME: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 38\r\n\
    connection: close\r\n\r\nthis port speaks TLS: use https://...\n";

/// Answers, and reads what comes meanwhile: unread it would reset the connection, and the answer with it.
async fn tell_scheme(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(WRONG_SCHEME).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(HEAD as u64);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

fn builder(config: &ListenConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
