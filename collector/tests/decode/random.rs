//! Random requests, most of them good.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status as SentStatus, span},
};
use proptest::{collection::vec, option, prelude::*};

fn texts() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

fn any_values() -> impl Strategy<Value = AnyValue> {
    use any_value::Value;
    let leaf = prop_oneof![
        texts().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        // Not a number is not equal to itself; it has a test of its own.
        any::<f64>()
            .prop_filter("a number", |value| !value.is_nan())
            .prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..40).prop_map(Value::BytesValue),
    ];
    let leaf = option::weighted(0.9, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 8, 3, |inner| {
        let array =
            vec(inner.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        let map = vec(key_values(inner), 0..3)
            .prop_map(|values| Value::KvlistValue(KeyValueList { values }));
        prop_oneof![array, map].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn key_values(values: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    ("[a-z.]{0,20}", option::weighted(0.9, values)).prop_map(|(key, value)| KeyValue {
        key,
        value,
        ..KeyValue::default()
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_values(any_values()), 0..4)
}

/// Ids of which most are good.
fn ids(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => vec(any::<u8>(), length),
        1 => vec(Just(0), length),
        1 => vec(any::<u8>(), 0..17),
    ]
}

fn events() -> impl Strategy<Value = span::Event> {
    (any::<u64>(), texts(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| span::Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn links() -> impl Strategy<Value = span::Link> {
    (ids(16), ids(8), texts(), attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, flags)| span::Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            flags,
            dropped_attributes_count: 1,
        },
    )
}

fn statuses() -> impl Strategy<Value = SentStatus> {
    (texts(), 0..4).prop_map(|(message, code)| SentStatus { message, code })
}

fn spans() -> impl Strategy<Value = Span> {
    let identity = (
        ids(16),
        ids(8),
        prop_oneof![Just(vec![]), ids(8)],
        texts(),
        texts(),
    );
    let numbers = (0..7, any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>());
    let lists = (
        attributes(),
        vec(events(), 0..3),
        vec(links(), 0..3),
        option::of(statuses()),
    );
    (identity, numbers, lists).prop_map(|(identity, numbers, lists)| {
        let (trace_id, span_id, parent_span_id, trace_state, name) = identity;
        let (kind, start_time_unix_nano, end_time_unix_nano, dropped_attributes_count, flags) =
            numbers;
        let (attributes, events, links, status) = lists;
        Span {
            trace_id,
            span_id,
            parent_span_id,
            trace_state,
            name,
            kind,
            start_time_unix_nano,
            end_time_unix_nano,
            dropped_attributes_count,
            flags,
            attributes,
            events,
            links,
            status,
            dropped_events_count: 2,
            dropped_links_count: 3,
        }
    })
}

fn scopes() -> impl Strategy<Value = InstrumentationScope> {
    (texts(), texts(), attributes()).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        dropped_attributes_count: 4,
    })
}

pub(crate) fn requests() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (option::of(scopes()), vec(spans(), 0..3), "[a-z:/]{0,9}").prop_map(
        |(scope, spans, schema_url)| ScopeSpans {
            scope,
            spans,
            schema_url,
        },
    );
    let resource = option::of(attributes().prop_map(|attributes| Resource {
        attributes,
        ..Resource::default()
    }));
    let resource_spans = (resource, vec(scope_spans, 0..3), "[a-z:/]{0,9}").prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    );
    vec(resource_spans, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
