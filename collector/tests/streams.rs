//! Many requests on one connection: bounded over all connections, and nobody's whose answers are not taken.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::{future::pending, net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use bytes::Bytes;
use common::until;
use costflame_collector::listen::{self, ListenConfig, ListenMetrics, Port};
use h2::client::{self, ResponseFuture, SendRequest};
use hyper::Request;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// More than is taken at once anywhere.
const LONG: usize = 1 << 20;

struct Served {
    addr: SocketAddr,
    registry: Registry,
}

impl Served {
    fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

async fn serve(config: ListenConfig) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut registry = Registry::default();
    let metrics = ListenMetrics::new(&mut registry);
    let router = Router::new()
        .route("/short", get(async || "short"))
        .route("/long", get(async || vec![b'x'; LONG]))
        .route("/never", get(async || pending::<String>().await));
    tokio::spawn(async move {
        let port = Port::plain("test", listener);
        listen::serve(port, router, &config, &metrics, CancellationToken::new()).await
    });
    Served { addr, registry }
}

/// A peer that takes `window` bytes of each answer, and more only when told.
async fn connect(
    served: &Served,
    window: u32,
) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(served.addr).await.unwrap();
    let (sender, connection) = client::Builder::new()
        .initial_window_size(window)
        .handshake(stream)
        .await
        .unwrap();
    (sender.ready().await.unwrap(), tokio::spawn(connection))
}

async fn ask(sender: &SendRequest<Bytes>, path: &str) -> ResponseFuture {
    let request = Request::get(format!("http://localhost{path}"))
        .body(())
        .unwrap();
    let mut sender = sender.clone().ready().await.unwrap();
    sender.send_request(request, true).unwrap().0
}

/// What a peer gets that takes whatever there is, in turns with something else.
async fn read(answer: ResponseFuture) -> usize {
    let mut body = answer.await.unwrap().into_body();
    let mut bytes = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        bytes += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    bytes
}

fn only_so_many_connections(max_connections: usize) -> ListenConfig {
    ListenConfig {
        max_connections,
        ..ListenConfig::default()
    }
}

fn soon() -> ListenConfig {
    ListenConfig {
        write_timeout: Duration::from_millis(100),
        ..ListenConfig::default()
    }
}

#[tokio::test]
async fn who_takes_no_answers_is_cut() {
    let served = serve(soon()).await;
    // Not a byte of a short one; the beginning of a long one.
    for (window, path) in [(0, "/short"), (1, "/long"), (100_000, "/long")] {
        let (sender, connection) = connect(&served, window).await;
        let answer = ask(&sender, path).await.await.unwrap();
        let cut = tokio::time::timeout(Duration::from_secs(60), connection).await;
        assert!(cut.is_ok(), "{path} with a window of {window}");
        drop(answer);
    }
    assert_eq!(served.metric("connections_untaken_total{port=\"test\"}"), 3);
    until(|| served.metric("connections{port=\"test\"}") == 0).await;
}

#[tokio::test]
async fn one_answer_taken_does_not_speak_for_the_others() {
    let served = serve(soon()).await;
    let (sender, connection) = connect(&served, 10).await;
    // Longer than the window, and never taken on.
    let stuck = ask(&sender, "/long").await.await.unwrap();
    while !connection.is_finished() {
        let Ok(mut sender) = sender.clone().ready().await else {
            break;
        };
        let request = Request::get("http://localhost/short").body(()).unwrap();
        if let Ok((answer, _)) = sender.send_request(request, true) {
            // A whole answer, within the window.
            drop(answer.await);
        }
    }
    drop(stuck);
    assert_eq!(served.metric("connections_untaken_total{port=\"test\"}"), 1);
}

#[tokio::test]
async fn who_is_only_without_a_request_stays() {
    let served = serve(soon()).await;
    let (sender, connection) = connect(&served, 1 << 20).await;
    assert_eq!(read(ask(&sender, "/short").await).await, 5);
    // Another is cut meanwhile.
    let (deaf, cut) = connect(&served, 0).await;
    let answer = ask(&deaf, "/short").await.await.unwrap();
    assert!(cut.await.is_ok());
    drop(answer);
    assert_eq!(read(ask(&sender, "/short").await).await, 5);
    assert!(!connection.is_finished());
}

#[tokio::test]
async fn long_answers_arrive_whole_through_small_windows() {
    let served = serve(ListenConfig::default()).await;
    let (sender, _connection) = connect(&served, 20_000).await;
    let answers = [ask(&sender, "/long").await, ask(&sender, "/long").await];
    for bytes in futures::future::join_all(answers.map(read)).await {
        assert_eq!(bytes, LONG);
    }
    let http1 = reqwest::get(format!("http://{}/long", served.addr))
        .await
        .unwrap();
    assert_eq!(http1.content_length(), Some(LONG as u64));
    assert_eq!(http1.bytes().await.unwrap().len(), LONG);
}

#[tokio::test]
async fn all_connections_share_the_open_requests_and_each_has_one() {
    let served = serve(only_so_many_connections(2)).await;
    let (greedy, _connection) = connect(&served, 1 << 20).await;
    let mut open = Vec::new();
    for _ in 0..9 {
        open.push(tokio::spawn(ask(&greedy, "/never").await));
    }
    let refused = ask(&greedy, "/short").await.await.unwrap_err();
    assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
    assert!(open.iter().all(|answer| !answer.is_finished()));
    assert_eq!(served.metric("streams_refused_total{port=\"test\"}"), 1);

    let (modest, _connection) = connect(&served, 1 << 20).await;
    assert_eq!(read(ask(&modest, "/short").await).await, 5);
    // One gone makes room for one.
    open.pop().unwrap().abort();
    let mut answered = 0;
    while answered == 0 {
        if let Ok(answer) = ask(&greedy, "/short").await.await {
            let mut body = answer.into_body();
            answered = body.data().await.unwrap().unwrap().len();
        }
    }
    assert_eq!(answered, 5);
}

#[tokio::test]
async fn an_answer_that_was_not_taken_keeps_its_request_open() {
    let served = serve(only_so_many_connections(1)).await;
    let (deaf, _connection) = connect(&served, 0).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(ask(&deaf, "/short").await.await.unwrap());
    }
    let refused = ask(&deaf, "/short").await.await.unwrap_err();
    assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
}
