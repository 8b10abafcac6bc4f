//! One port: accept, serve HTTP/1.1 and HTTP/2 by prior knowledge, drain.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use super::ReceiverConfig;

/// Unread input that one connection may hold, in bytes.
const WINDOW: u32 = 512 << 10;
/// Requests that one connection may have open.
const STREAMS: u32 = 128;
/// Input buffer of an HTTP/1.1 connection, in bytes; also the longest request head.
const HEAD: usize = 64 << 10;
/// A dead HTTP/2 peer is found after this and [`PING_TIMEOUT`].
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after the system refused to hand over a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a bound listener until `shutdown`, then stops accepting and lets requests in progress
/// finish, at most for the configured time. Returns how many connections had to be cut.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    config: &ReceiverConfig,
    shutdown: CancellationToken,
) -> usize {
    let builder = builder(config);
    let slots = Arc::new(Semaphore::new(config.max_connections.max(1)));
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    while let Some((stream, slot)) = accept(&listener, &slots, &shutdown).await {
        let (builder, router, cut) = (builder.clone(), router.clone(), cut.clone());
        let (watcher, silence) = (graceful.watcher(), config.header_timeout);
        tokio::spawn(async move {
            let _slot = slot;
            let connection = async {
                if !speaks(&stream, silence).await {
                    return;
                }
                let service = TowerToHyperService::new(router);
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                if let Err(error) = watcher.watch(connection.into_owned()).await {
                    tracing::debug!(%error, "connection ended");
                }
            };
            cut.run_until_cancelled(connection).await;
        });
    }
    drop(listener);
    let open = graceful.count();
    let drained = tokio::time::timeout(config.drain_timeout, graceful.shutdown())
        .await
        .is_ok();
    cut.cancel();
    if drained { 0 } else { open }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    shutdown
        .run_until_cancelled(async {
            let slot = slots.clone().acquire_owned().await.ok()?;
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        // Answers are small; waiting to fill a packet only delays them.
                        let _ = stream.set_nodelay(true);
                        return Some((stream, slot));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        })
        .await
        .flatten()
}

/// True once the first byte is there; a connection that stays silent holds no slot for ever.
async fn speaks(stream: &TcpStream, silence: Duration) -> bool {
    matches!(
        tokio::time::timeout(silence, stream.peek(&mut [0])).await,
        Ok(Ok(1..))
    )
}

fn builder(config: &ReceiverConfig) -> Builder<TokioExecutor> {
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
