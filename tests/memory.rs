//! Scenario: many clients send bodies made to hurt, all at once, and one sends good spans.
//! Guarantee: each hears a clear answer, the good spans land, and the process stays within the memory it promises.

mod support;

use std::{io::Write, time::Duration};

use costflame_bench::load::{Body, SPANS_PER_TRACE};
use costflame_profile::TraceId;
use costflame_store::{Options, Store, TraceKey};
use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use support::Server;

/// Clients that send the same body at the same time.
const CLIENTS: usize = 4;
/// Bodies in flight (96 MiB), rows that wait (48 MiB) and what the allocator keeps beside them.
const MAY_GROW: u64 = 224 << 20;

struct Hostile {
    name: &'static str,
    encoding: &'static str,
    body: Vec<u8>,
    status: u16,
    /// What its answer says.
    says: &'static str,
}

fn gzip(bytes: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in bytes {
        encoder.write_all(&part).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// 160 MiB of zeros, with a window as large as the format allows a decoder to be asked for.
fn zstd_bomb() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
    encoder.window_log(27).expect("a window of 128 MiB");
    for _ in 0..160 {
        encoder.write_all(&[0; 1 << 20]).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

/// `depth` array values in each other around a text, built from the inside since prost would recurse.
fn deep_value(depth: usize) -> Vec<u8> {
    (0..depth).fold(field(1, b"core"), |inner, _| field(5, &field(1, &inner)))
}

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    })
}

fn span(number: u8, attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![number; 16],
        span_id: vec![number; 8],
        name: format!("span {number}"),
        start_time_unix_nano: 1_795_388_725_000_000_000,
        end_time_unix_nano: 1_795_388_726_000_000_000,
        attributes,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn ten_thousand_attributes() -> Vec<u8> {
    let attributes = (0..10_000).map(|number| KeyValue {
        key: format!("key.{number}"),
        value: text("x"),
        ..KeyValue::default()
    });
    request(vec![span(1, attributes.collect())])
}

/// Hundreds of thousands of empty values in one attribute of one span.
fn wide_array() -> Vec<u8> {
    let array = ArrayValue {
        values: vec![AnyValue::default(); 2_000_000],
    };
    let wide = KeyValue {
        key: "wide".to_owned(),
        value: Some(AnyValue {
            value: Some(Value::ArrayValue(array)),
        }),
        ..KeyValue::default()
    };
    request(vec![span(2, vec![wide])])
}

fn deeply_nested() -> Vec<u8> {
    let attribute = [field(1, b"deep"), field(2, &deep_value(10_000))].concat();
    let mut bytes = span(3, Vec::new()).encode_to_vec();
    bytes.extend(field(9, &attribute));
    field(1, &field(2, &field(2, &bytes)))
}

fn hostile_bodies() -> Vec<Hostile> {
    let zeros = || (0..160).map(|_| vec![0; 1 << 20]);
    let empty_spans = field(1, &field(2, &[0x12, 0x00].repeat(4_000_000)));
    let identity = "identity";
    let body = |name, encoding, body, status, says| Hostile {
        name,
        encoding,
        body,
        status,
        says,
    };
    vec![
        body("empty spans", identity, empty_spans, 413, "spans"),
        body("gzip bomb", "gzip", gzip(zeros()), 413, "inflated"),
        body("zstd bomb", "zstd", zstd_bomb(), 400, "too much memory"),
        body("64 MiB of noise", identity, vec![0x0a; 64 << 20], 400, ""),
        body("deep value", identity, deeply_nested(), 200, "nested"),
        body(
            "attributes",
            identity,
            ten_thousand_attributes(),
            200,
            "10000 attributes",
        ),
        body("wide array", identity, wide_array(), 200, ""),
    ]
}

/// Sends until the server no longer asks to retry; the status and what the answer says.
async fn send(url: &str, hostile: &Hostile) -> (u16, String) {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(120))
        .build()
        .expect("a client");
    loop {
        let request = client
            .post(format!("{url}/v1/traces"))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", hostile.encoding);
        let answer = request.body(hostile.body.clone()).send().await;
        let answer = answer.expect("the server answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a whole answer");
        match status {
            503 => {}
            200 => {
                let success = ExportTraceServiceResponse::decode(body).expect("OTLP");
                let partial = success.partial_success.unwrap_or_default();
                return (status, partial.error_message);
            }
            _ => {
                let status_message = tonic_types::Status::decode(body).expect("a Status");
                return (status, status_message.message);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_are_answered_within_the_promised_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("c.db").display());
    let server = Server::start(folder.path(), &url);
    let good = Body::new(5, 10, 1_795_388_725_000_000_000);
    let before = server.resident_bytes();

    for hostile in hostile_bodies() {
        let clients = (0..CLIENTS).map(|_| send(&server.http, &hostile));
        let answers = futures::future::join_all(clients).await;
        let grown = server.peak_resident_bytes() - before;
        println!("{}: peak +{} MiB", hostile.name, grown >> 20);
        for (status, says) in answers {
            assert_eq!(status, hostile.status, "{}: {says}", hostile.name);
            assert!(says.contains(hostile.says), "{}: {says}", hostile.name);
        }
        assert!(
            grown < MAY_GROW,
            "{}: grew by {} MiB",
            hostile.name,
            grown >> 20
        );
    }

    let kept = Hostile {
        name: "good",
        encoding: "identity",
        body: good.stamped(1).to_vec(),
        status: 200,
        says: "",
    };
    assert_eq!(send(&server.http, &kept).await, (200, String::new()));
    assert!(server.terminate().success());
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("opens");
    for trace in good.trace_ids(1) {
        let trace = TraceKey {
            project: 1,
            trace_id: TraceId(trace),
        };
        let landed = store.landed(trace).await.expect("readable");
        assert_eq!(landed.len(), SPANS_PER_TRACE);
    }
}
