//! Bodies made to hurt: a clear refusal, and good data beside them is kept.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::time::Duration;

use common::{Rig, attribute, body, gzip, request, span, start, text, until, zstd};
use costflame_collector::{CommitConfig, ReceiverConfig, listen::ListenConfig};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceResponse,
    common::v1::{AnyValue, ArrayValue, any_value::Value},
};
use prost::Message as _;
use reqwest::{Client, Response};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PROTOBUF: &str = "application/x-protobuf";

async fn send(rig: &Rig, encoding: &str, body: Vec<u8>) -> Response {
    let request = Client::new()
        .post(rig.url("/v1/traces"))
        .header("content-type", PROTOBUF);
    request
        .header("content-encoding", encoding)
        .body(body)
        .send()
        .await
        .unwrap()
}

async fn message(response: Response) -> String {
    tonic_types::Status::decode(response.bytes().await.unwrap())
        .unwrap()
        .message
}

async fn partial_success(response: Response) -> (i64, String) {
    assert_eq!(response.status(), 200);
    let decoded = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    let partial = decoded.partial_success.expect("something was rejected");
    (partial.rejected_spans, partial.error_message)
}

/// Four million spans without a field, two bytes each: 8 MiB.
fn empty_spans() -> Vec<u8> {
    let spans = [0x12, 0x00].repeat(4_000_000);
    let mut scope = vec![0x12];
    prost::encoding::encode_varint(spans.len() as u64, &mut scope);
    scope.extend(spans);
    let mut body = vec![0x0a];
    prost::encoding::encode_varint(scope.len() as u64, &mut body);
    body.extend(scope);
    body
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(text("core"), |inner, _| {
        Value::ArrayValue(ArrayValue {
            values: vec![AnyValue { value: Some(inner) }],
        })
    })
}

#[tokio::test]
async fn four_million_empty_spans_are_refused() {
    let rig = start(ReceiverConfig::default()).await;
    for (encoding, body) in [("identity", empty_spans()), ("gzip", gzip(&empty_spans()))] {
        let response = send(&rig, encoding, body).await;
        assert_eq!(response.status(), 413);
        let message = message(response).await;
        assert!(
            message.contains("spans") && message.contains("100000"),
            "{message}"
        );
    }
    assert_eq!(rig.ledger.rows(), []);
}

/// A gzip body whose last member says that there is next to nothing in it.
fn lying_bomb(bytes: usize) -> Vec<u8> {
    [gzip(&vec![0; bytes]), gzip(b"")].concat()
}

#[tokio::test]
async fn a_bomb_is_refused_whether_or_not_it_tells_its_size() {
    let rig = start(ReceiverConfig {
        max_request_bytes: 1 << 20,
        ..ReceiverConfig::default()
    })
    .await;
    let zeros = vec![0; 16 << 20];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("gzip", lying_bomb(zeros.len())),
        ("zstd", zstd(&zeros)),
    ];
    for (encoding, bomb) in bombs {
        assert!(bomb.len() < 1 << 20);
        let response = send(&rig, encoding, bomb).await;
        assert_eq!(response.status(), 413, "{encoding}");
        let message = message(response).await;
        assert!(message.contains("1048576"), "{message}");
    }
    assert_eq!(rig.metric("costflame_inflight_bytes"), 0);
}

#[tokio::test]
async fn an_honest_body_of_several_members_is_accepted() {
    let rig = start(ReceiverConfig::default()).await;
    let bytes = body(&["a", "b", "c"]);
    let (front, back) = bytes.split_at(bytes.len() - 3);
    let response = send(&rig, "gzip", [gzip(front), gzip(back)].concat()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(rig.ledger.rows().len(), 3);
}

#[tokio::test]
async fn a_deeply_nested_value_costs_its_span_and_no_other() {
    let rig = start(ReceiverConfig::default()).await;
    let mut deep = span(0, "deep");
    deep.attributes = vec![attribute("deep", nested(60))];
    let mut fine = span(1, "fine");
    fine.attributes = vec![attribute("fine", nested(20))];
    let body = request(vec![deep, fine]).encode_to_vec();
    let (rejected, message) = partial_success(send(&rig, "identity", body).await).await;
    assert_eq!(rejected, 1);
    assert!(message.contains("nested"), "{message}");
    assert_eq!(rig.ledger.names(), ["fine"]);
}

#[tokio::test]
async fn ten_thousand_attributes_cost_their_span_and_no_other() {
    let rig = start(ReceiverConfig::default()).await;
    let mut wide = span(0, "wide");
    wide.attributes = (0..10_000)
        .map(|index| attribute(&format!("key.{index}"), text("x")))
        .collect();
    let body = request(vec![wide, span(1, "fine")]).encode_to_vec();
    let (rejected, message) = partial_success(send(&rig, "identity", body).await).await;
    assert_eq!(rejected, 1);
    assert!(message.contains("10000 attributes"), "{message}");
    assert_eq!(rig.ledger.names(), ["fine"]);
}

#[tokio::test]
async fn good_data_beside_hostile_bodies_is_kept() {
    let rig = start(ReceiverConfig {
        max_request_bytes: 1 << 20,
        ..ReceiverConfig::default()
    })
    .await;
    let bomb = lying_bomb(16 << 20);
    let hostile = async {
        for _ in 0..3 {
            assert_eq!(send(&rig, "gzip", bomb.clone()).await.status(), 413);
        }
    };
    let good = async {
        for _ in 0..20 {
            assert_eq!(send(&rig, "identity", body(&["good"])).await.status(), 200);
        }
    };
    tokio::join!(hostile, good);
    assert_eq!(rig.ledger.rows().len(), 20);
}

#[tokio::test]
async fn a_request_of_many_chunks_is_kept_whole() {
    let rig = start(ReceiverConfig::default()).await;
    let spans: Vec<_> = (0..20_000).map(|index| span(index, "step")).collect();
    assert_eq!(
        send(&rig, "gzip", gzip(&request(spans).encode_to_vec()))
            .await
            .status(),
        200
    );
    assert_eq!(rig.ledger.rows().len(), 20_000);
}

#[tokio::test]
async fn without_room_a_request_waits_and_is_then_refused_with_a_delay() {
    let config = ReceiverConfig {
        max_inflight_bytes: 1 << 20,
        admission_wait: Duration::from_millis(50),
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    let mut hog = TcpStream::connect(rig.http).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {}\r\n\r\n",
        1 << 20
    );
    hog.write_all(head.as_bytes()).await.unwrap();
    hog.write_all(&vec![0; (1 << 20) - 1]).await.unwrap();
    // All that is not kept for small requests.
    until(|| rig.metric("costflame_inflight_bytes") == (1 << 20) / 8 * 7).await;

    let large = request((0..1000).map(|index| span(index, "step")).collect()).encode_to_vec();
    let refused = send(&rig, "identity", large.clone()).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(
        rig.metric("costflame_requests_refused_total{reason=\"no_memory\"}"),
        1
    );
    assert_eq!(send(&rig, "identity", body(&["a"])).await.status(), 200);

    drop(hog);
    until(|| rig.metric("costflame_inflight_bytes") == 0).await;
    assert_eq!(send(&rig, "identity", large).await.status(), 200);
}

#[tokio::test]
async fn a_large_request_that_finds_no_room_in_the_queue_is_refused_with_a_delay() {
    let commit = CommitConfig {
        queue_bytes: 1 << 20,
        ..CommitConfig::default()
    };
    let config = ReceiverConfig {
        commit,
        admission_wait: Duration::from_millis(50),
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    let turns = rig.ledger.turns.acquire_many(64).await.unwrap();
    let many = request((0..20_000).map(|index| span(index, "step")).collect()).encode_to_vec();
    assert_eq!(send(&rig, "identity", many.clone()).await.status(), 503);
    assert_eq!(
        rig.metric("costflame_requests_refused_total{reason=\"queue_full\"}"),
        1
    );
    drop(turns);
    until(|| rig.metric("costflame_queue_bytes") == 0).await;
    assert_eq!(send(&rig, "identity", many).await.status(), 200);
}

#[tokio::test]
async fn a_sender_that_stalls_is_refused_with_a_delay() {
    let config = ReceiverConfig {
        body_timeout: Duration::from_millis(50),
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    let mut slow = TcpStream::connect(rig.http).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: 100\r\n\r\nabc"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let listen = ListenConfig {
        header_timeout: Duration::from_millis(50),
        ..ListenConfig::default()
    };
    let config = ReceiverConfig {
        listen,
        ..ReceiverConfig::default()
    };
    let rig = start(config).await;
    for sent in ["", "POST /v1/traces HTTP/1.1\r\nhost: x\r\n"] {
        let mut silent = TcpStream::connect(rig.http).await.unwrap();
        silent.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Closed, with or without a word.
        let _ = silent.read_to_end(&mut answer).await;
    }
}

fn only_so_many_connections(max_connections: usize) -> ReceiverConfig {
    let listen = ListenConfig {
        max_connections,
        ..ListenConfig::default()
    };
    ReceiverConfig {
        listen,
        ..ReceiverConfig::default()
    }
}

/// Begins a request and does not go on.
async fn begin_request(rig: &Rig) -> TcpStream {
    let mut stream = TcpStream::connect(rig.http).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: 100\r\n\r\nabc"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_connection_over_the_bound_waits_for_its_turn() {
    let rig = start(only_so_many_connections(1)).await;
    let first = begin_request(&rig).await;
    until(|| rig.metric("costflame_inflight_bytes") > 0).await;
    let second = tokio::spawn({
        let request = Client::new()
            .post(rig.url("/v1/traces"))
            .header("content-type", PROTOBUF);
        async move { request.body(body(&["a"])).send().await.unwrap().status() }
    });
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap(), 200);
}

#[tokio::test]
async fn connections_without_a_request_make_room() {
    let rig = start(only_so_many_connections(3)).await;
    let working = begin_request(&rig).await;
    until(|| rig.metric("costflame_inflight_bytes") > 0).await;
    // One that never said a word, and one that has had its answer.
    let mut silent = TcpStream::connect(rig.http).await.unwrap();
    let known = Client::new();
    let post = async |client: &Client| {
        let request = client
            .post(rig.url("/v1/traces"))
            .header("content-type", PROTOBUF);
        request.body(body(&["a"])).send().await.unwrap().status()
    };
    assert_eq!(post(&known).await, 200);
    let others = [(); 3].map(|()| Client::new());
    for other in &others {
        assert_eq!(post(other).await, 200);
    }
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    let made_room = "costflame_connections_made_room_total{port=\"otlp_http\"}";
    assert!(rig.metric(made_room) >= 3);
    assert_eq!(post(&known).await, 200, "it connects again");
    assert!(
        rig.metric("costflame_inflight_bytes") > 0,
        "who works stays"
    );
    drop(working);
}

/// One of each kind that misbehaves, many times over: silent, slow, promising much, huge, deaf to every answer.
async fn misbehave(rig: &Rig, habit: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(rig.http).await.ok()?;
    let head = |length: usize| {
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let (head, body) = match habit % 5 {
        0 => (String::new(), Vec::new()),
        1 => (head(100), vec![0x1f]),
        2 => (head(1 << 20), vec![0x1f; 100]),
        3 => (head(1 << 20), vec![0x1f; 200 << 10]),
        _ => {
            let body = gzip(&body(&["deaf"]));
            (head(body.len()), body)
        }
    };
    stream.write_all(head.as_bytes()).await.ok()?;
    // As much of it as is taken at once.
    let _ = tokio::time::timeout(Duration::from_millis(20), stream.write_all(&body)).await;
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_behaves_is_served_beside_a_crowd_that_does_not() {
    let config = ReceiverConfig {
        max_inflight_bytes: 2 << 20,
        max_request_bytes: 1 << 20,
        ..only_so_many_connections(100)
    };
    let rig = start(config).await;
    // Half as many again as there are places, a third of which would fill the memory several times over.
    let crowd = futures::future::join_all((0..150).map(|habit| misbehave(&rig, habit))).await;
    for number in 0..20 {
        let answer = send(&rig, "gzip", gzip(&body(&["good"]))).await;
        assert_eq!(answer.status(), 200, "request {number}");
    }
    assert!(rig.metric("costflame_inflight_bytes") <= 2 << 20);
    assert!(rig.metric("costflame_connections{port=\"otlp_http\"}") <= 101);
    drop(crowd);
    let good = rig
        .ledger
        .names()
        .iter()
        .filter(|name| *name == "good")
        .count();
    assert_eq!(good, 20);
}
