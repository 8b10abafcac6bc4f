//! Small requests to decode.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

pub(crate) fn span(index: u8) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![index + 1; 8],
        name: format!("span {index}"),
        kind: 3,
        start_time_unix_nano: 1_800_000_000_000_001_999,
        end_time_unix_nano: 1_800_000_000_000_005_000,
        ..Span::default()
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// One resource (`service.name` = shop) and one scope (lib 1.2).
pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "shop")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "lib".into(),
                    version: "1.2".into(),
                    attributes: vec![text("scope.key", "scope value")],
                    ..InstrumentationScope::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

pub(crate) fn body(spans: Vec<Span>) -> Vec<u8> {
    request(spans).encode_to_vec()
}

/// One field that is length-delimited.
pub(crate) fn message(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut out).expect("a Vec grows");
    out.extend_from_slice(content);
    out
}
