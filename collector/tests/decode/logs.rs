//! Log records: what is read of them, and that no damage does more than be refused.

use std::{fs, path::Path};

use costflame_collector::{
    decode::{Limits, Value, count_records, json_to_protobuf, walk_logs},
    dialect::Lander,
};
use costflame_pricing::Catalog;
use costflame_profile::{Signal, SpanId, TraceId};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, KeyValueList, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use proptest::{prelude::*, sample::Index};
use prost::Message as _;

fn request(records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs {
        log_records: records,
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

#[test]
fn a_record_is_read_with_the_fields_of_its_body() {
    use any_value::Value::{IntValue, KvlistValue};
    let fields = KeyValueList {
        values: vec![pair("inside", IntValue(2))],
    };
    let record = LogRecord {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        observed_time_unix_nano: 5_000,
        event_name: "e".to_owned(),
        attributes: vec![pair("beside", IntValue(1))],
        body: Some(AnyValue {
            value: Some(KvlistValue(fields)),
        }),
        ..LogRecord::default()
    };
    let odd = LogRecord {
        trace_id: vec![1; 3],
        span_id: vec![0; 8],
        time_unix_nano: 9_000,
        observed_time_unix_nano: 5_000,
        ..LogRecord::default()
    };
    let mut seen = 0;
    let records = walk_logs(
        &request(vec![record, odd]),
        &Limits::default(),
        |_, _, record| {
            seen += 1;
            if seen == 1 {
                assert_eq!(record.trace_id, Some(TraceId([7; 16])));
                assert_eq!(record.span_id, Some(SpanId([8; 8])));
                assert_eq!((record.time_us, record.event_name), (5, "e"));
                assert_eq!(record.attributes.get("beside"), Some(Value::Int(1)));
                assert_eq!(record.attributes.get("inside"), Some(Value::Int(2)));
            } else {
                assert_eq!((record.trace_id, record.span_id), (None, None));
                assert_eq!(record.time_us, 9);
            }
        },
    );
    assert_eq!((records, seen), (Ok(2), 2));
}

fn recorded() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let read = |name: &str| fs::read(corpus.join(name)).expect("a recorded body");
    let json = read("claude-code/tools/002.logs.json");
    let from_json =
        json_to_protobuf(Signal::Log, &json, &Limits::default()).expect("recorded JSON");
    vec![
        read("claude-code/plain/001.logs.pb"),
        read("codex/text/003.logs.pb"),
        read("gemini-cli/grpc/002.logs.pb"),
        from_json,
    ]
}

proptest! {
    #[test]
    fn damaged_requests_are_refused_or_read(
        body in prop::sample::select(recorded()),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        length in any::<Index>(),
        cut in prop::bool::weighted(0.2),
    ) {
        let mut body = body;
        for (place, byte) in damage {
            let at = place.index(body.len());
            body[at] = byte;
        }
        if cut {
            body.truncate(length.index(body.len()));
        }
        let limits = Limits::default();
        let catalog = Catalog::embedded();
        let mut lander = Lander::new(&catalog);
        let mut calls = 0;
        let walked = walk_logs(&body, &limits, |resource, scope, record| {
            let row = lander.land_log(resource, scope, record, 1, 2);
            if let Some(row) = row {
                calls += 1;
                assert!(row.span.call.is_some_and(|call| !call.usage.is_zero() || call.cost.is_none()));
            }
        });
        let counted = count_records(Signal::Log, &body, &limits);
        prop_assert_eq!(walked.clone().ok(), counted.ok().map(|records| records as u64));
        prop_assert!(calls <= walked.unwrap_or(0));
    }
}
