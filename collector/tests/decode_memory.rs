//! Hostile bodies cost no more memory than their bytes. A binary of its own, since all allocations are counted.

use std::{io::Write, sync::Mutex};

use costflame_collector::decode::{
    DecodeError, Encoding, Limits, Reason, count_records, inflate, json_to_protobuf, walk_traces,
};
use costflame_profile::Signal;
use dhat::{HeapStats, Profiler};
use flate2::{Compression, write::GzEncoder};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// One measurement at a time.
static MEASURING: Mutex<()> = Mutex::new(());

const MIB: usize = 1 << 20;

/// More than the test harness allocates beside a measurement, and next to nothing for bodies of several MiB.
const NOISE: usize = 64 << 10;

/// What `run` allocates: most bytes at a time, and number of allocations.
fn measure<T>(run: impl FnOnce() -> T) -> (T, usize, u64) {
    let profiler = Profiler::builder().testing().build();
    let result = run();
    let stats = HeapStats::get();
    drop(profiler);
    (result, stats.max_bytes, stats.total_blocks)
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut out).expect("a Vec grows");
    out.extend_from_slice(content);
    out
}

/// A request of one resource and one scope with these encoded span fields.
fn request(spans: &[u8]) -> Vec<u8> {
    field(1, &field(2, spans))
}

fn span(fields: &[u8]) -> Vec<u8> {
    field(
        2,
        &[field(1, &[1; 16]), field(2, &[2; 8]), fields.to_vec()].concat(),
    )
}

fn ignore(body: &[u8]) -> Result<costflame_collector::decode::Outcome, DecodeError> {
    walk_traces(body, &Limits::default(), |_, _, _| {})
}

#[test]
fn four_million_empty_spans_take_no_memory() {
    let _guard = MEASURING.lock();
    let body = request(&field(2, &[]).repeat(4 << 20));
    assert!(body.len() > 8 * MIB);
    let (result, bytes, _) = measure(|| ignore(&body));
    assert_eq!(
        result.unwrap_err(),
        DecodeError::TooLarge {
            unit: "spans",
            found: 100_001,
            limit: 100_000
        }
    );
    assert!(bytes < NOISE, "{bytes} bytes");
}

#[test]
fn as_many_empty_spans_as_allowed_take_no_memory() {
    let _guard = MEASURING.lock();
    let body = request(&field(2, &[]).repeat(100_000));
    let (result, bytes, blocks) = measure(|| ignore(&body));
    assert_eq!(
        result.unwrap().rejected().next(),
        Some((Reason::TraceId, 100_000))
    );
    assert!(
        bytes < NOISE && blocks < 200,
        "{bytes} bytes in {blocks} allocations"
    );
}

#[test]
fn memory_is_that_of_the_widest_span() {
    let _guard = MEASURING.lock();
    let attribute = field(
        9,
        &[field(1, b"key"), field(2, &field(1, b"value"))].concat(),
    );
    let narrow = span(&attribute.repeat(13));
    let body = request(
        &[
            narrow.repeat(5_000),
            span(&attribute.repeat(100)),
            narrow.repeat(5_000),
        ]
        .concat(),
    );
    let (result, bytes, blocks) = measure(|| ignore(&body));
    assert_eq!(result.unwrap().accepted, 10_001);
    assert!(
        bytes < NOISE && blocks < 200,
        "{bytes} bytes in {blocks} allocations"
    );
}

#[test]
fn hundreds_of_thousands_of_empty_attributes_events_and_links_are_bounded() {
    let _guard = MEASURING.lock();
    for number in [9, 11, 13] {
        let body = request(&span(&field(number, &[]).repeat(400_000)));
        let (result, bytes, _) = measure(|| ignore(&body));
        let outcome = result.unwrap();
        let refused = (number == 9).then_some((Reason::Attributes, 1));
        assert_eq!(outcome.rejected().next(), refused);
        assert!(refused.is_some() || outcome.adjusted().next().is_some());
        assert!(bytes < MIB, "{bytes} bytes for field {number}");
    }
}

#[test]
fn ten_thousand_attributes_refuse_the_span() {
    let _guard = MEASURING.lock();
    let attribute = field(
        9,
        &[field(1, b"key"), field(2, &field(1, b"value"))].concat(),
    );
    let body = request(&[span(&attribute.repeat(10_000)), span(&attribute)].concat());
    let (result, bytes, _) = measure(|| ignore(&body));
    let outcome = result.unwrap();
    assert_eq!(
        (outcome.accepted, outcome.rejected().next()),
        (1, Some((Reason::Attributes, 1)))
    );
    let message =
        "1 of 2 spans refused; the first: span 0: 10000 attributes are more than the bound allows";
    assert_eq!(outcome.partial_success(), Some((1, message.into())));
    assert!(bytes < MIB, "{bytes} bytes");
}

#[test]
fn deep_values_refuse_the_span() {
    let _guard = MEASURING.lock();
    let mut value = Vec::new();
    // Arrays in arrays, as many as lengths allow before the body grows beyond 8 MiB.
    while value.len() < 4 << 10 {
        value = field(5, &field(1, &value));
    }
    let body = request(&span(&field(9, &field(2, &value))));
    let (result, bytes, _) = measure(|| ignore(&body));
    assert_eq!(result.unwrap().rejected().next(), Some((Reason::Depth, 1)));
    assert!(bytes < NOISE, "{bytes} bytes");
}

#[test]
fn gzip_and_zstd_bombs_stop_at_the_bound() {
    let _guard = MEASURING.lock();
    let zeros = vec![0; 4 * MIB];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..16 {
        gzip.write_all(&zeros).unwrap();
        zstd.write_all(&zeros).unwrap();
    }
    for (encoding, bomb) in [
        (Encoding::Gzip, gzip.finish().unwrap()),
        (Encoding::Zstd, zstd.finish().unwrap()),
    ] {
        assert!(bomb.len() < MIB);
        let limit = 4 * MIB;
        let (result, bytes, _) = measure(|| inflate(encoding, &bomb, limit).map(|_| ()));
        assert!(result.unwrap_err().is_too_large());
        // While the buffer grows there are two of it; zstd's own window is not counted.
        assert!(bytes < 2 * limit, "{bytes} bytes");
    }
}

#[test]
fn hostile_json_takes_at_most_a_few_times_its_bytes() {
    let _guard = MEASURING.lock();
    let wrap =
        |spans: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let spans = wrap(&format!("{}{{}}", "{},".repeat(MIB / 2)));
    let escapes = wrap(&format!(r#"{{"name":"{}"}}"#, r"\n".repeat(MIB)));
    let brackets = format!(r#"{{"unknown":{}"#, "[".repeat(2 * MIB));
    let numbers = wrap(&format!(r#"{{"unknown":[{}0]}}"#, "0,".repeat(MIB)));
    for body in [spans, escapes, brackets, numbers] {
        let limits = Limits::default();
        let (result, bytes, _) =
            measure(|| json_to_protobuf(Signal::Span, body.as_bytes(), &limits));
        assert!(bytes < 2 * body.len(), "{bytes} bytes for {}", &body[..60]);
        if let Ok(protobuf) = result {
            assert!(protobuf.len() <= body.len());
        }
    }
}

#[test]
fn counting_takes_no_memory() {
    let _guard = MEASURING.lock();
    let logs = field(1, &field(2, &field(2, &[]).repeat(MIB)));
    let (result, bytes, _) = measure(|| count_records(Signal::Log, &logs, &Limits::default()));
    assert_eq!(result.unwrap(), MIB);
    assert!(bytes < NOISE, "{bytes} bytes");
}
