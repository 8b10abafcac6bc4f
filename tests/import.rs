//! Scenario: files of the Collector's file exporter are loaded, grow, are broken in one place, and are loaded again.
//! Guarantee: every whole record arrives once, a broken one is named and costs no other, a second run goes on where the
//! first one ended.

mod support;

use std::path::Path;

use costflame_bench::load::{Body, CALLS_PER_TRACE};
use costflame_profile::TraceId;
use costflame_store::{Options, Store, TraceKey};
use support::{Server, costflame, output};

const TRACES: u64 = 3;

/// A message as the exporter's protobuf format frames it: its length as four bytes, big endian, then itself.
fn framed(body: &Body, round: u64) -> Vec<u8> {
    let message = body.stamped(round);
    let length = u32::try_from(message.len()).expect("a small message");
    [length.to_be_bytes().as_slice(), &message].concat()
}

/// A line of the exporter's JSON format: one call of a trace of its own.
fn line(trace: u8) -> String {
    let trace_id = format!("{trace:02x}").repeat(16);
    let span_id = format!("{trace:02x}").repeat(8);
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace_id}","spanId":"{span_id}","name":"chat gpt-4o","kind":3,"startTimeUnixNano":"1795388725000000000","endTimeUnixNano":"1795388726000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000"}}}},{{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"10"}}}}]}}]}}]}}]}}"#
    )
}

fn import(folder: &Path, server: &Server, file: &str) -> (Option<i32>, String) {
    let (code, _, said) =
        output(costflame(folder).args(["import", "--endpoint", &server.http, file]));
    (code, said)
}

async fn landed(store: &Store, trace_id: [u8; 16]) -> usize {
    let trace = TraceKey {
        project: 1,
        trace_id: TraceId(trace_id),
    };
    let rows = store.landed(trace).await.expect("readable");
    rows.iter().filter(|row| row.span.call.is_some()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_protobuf_file_is_loaded_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("c.db").display());
    let server = Server::start(folder.path(), &url);
    let body = Body::new(7, TRACES, 1_795_388_725_000_000_000);
    let file = folder.path().join("traces.pb");

    std::fs::write(&file, [framed(&body, 1), framed(&body, 2)].concat()).expect("writable");
    let (code, said) = import(folder.path(), &server, "traces.pb");
    assert!(
        code == Some(0) && said.contains("2 records accepted"),
        "{said}"
    );

    let grown = [framed(&body, 1), framed(&body, 2), framed(&body, 3)].concat();
    std::fs::write(&file, &grown).expect("writable");
    let (code, said) = import(folder.path(), &server, "traces.pb");
    assert!(
        code == Some(0) && said.contains("1 records accepted"),
        "{said}"
    );

    let packed = zstd::encode_all(grown.as_slice(), 3).expect("memory");
    std::fs::write(folder.path().join("traces.pb.zst"), packed).expect("writable");
    let (code, said) = import(folder.path(), &server, "traces.pb.zst");
    assert!(
        code == Some(0) && said.contains("3 records accepted"),
        "{said}"
    );

    assert!(server.terminate().success());
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("opens");
    for round in 1..=3 {
        for trace in body.trace_ids(round) {
            // The compressed copy repeats what landed before; settling takes one of each.
            assert!(landed(&store, trace).await >= CALLS_PER_TRACE);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_is_named_and_costs_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}", folder.path().join("c.db").display());
    let server = Server::start(folder.path(), &url);
    let lines = [line(1), r#"{"resourceSpans": [7]}"#.to_owned(), line(2)].join("\n");
    std::fs::write(folder.path().join("traces.json"), lines).expect("writable");

    let (code, said) = import(folder.path(), &server, "traces.json");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("traces.json, record 2"), "{said}");
    assert!(said.contains("2 records accepted"), "{said}");

    assert!(server.terminate().success());
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("opens");
    for trace in [1, 2] {
        assert_eq!(landed(&store, [trace; 16]).await, 1);
    }
}
