//! The data rules of an OTLP traces request, one test each.

use costflame_collector::decode::{
    Adjustment, Limits, Outcome, Reason, Status, Value, walk_traces,
};
use costflame_profile::{SpanId, SpanKind, TraceId};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span},
};
use prost::Message;

use crate::build::{attribute, body, message, request, span, text};

/// Walks a body with default limits, passing each span with its service and scope name.
fn walk(
    body: &[u8],
    mut visit: impl FnMut(&str, &str, &costflame_collector::decode::Span<'_>),
) -> Outcome {
    walk_traces(body, &Limits::default(), |resource, scope, span| {
        visit(
            resource.attributes.text("service.name").unwrap_or_default(),
            scope.name,
            span,
        );
    })
    .expect("a well-formed body")
}

fn names(body: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    walk(body, |service, scope, span| {
        names.push(format!("{service}/{scope}/{}", span.name))
    });
    names
}

#[test]
fn every_field_arrives() {
    let sent = Span {
        parent_span_id: vec![9; 8],
        trace_state: "vendor=1".into(),
        flags: 0xffff_fd01,
        attributes: vec![
            text("text", "value"),
            attribute("flag", any_value::Value::BoolValue(true)),
            attribute("int", any_value::Value::IntValue(-7)),
            attribute("double", any_value::Value::DoubleValue(7494.0)),
            attribute("bytes", any_value::Value::BytesValue(vec![0, 255])),
            KeyValue {
                key: "empty".into(),
                ..KeyValue::default()
            },
        ],
        dropped_attributes_count: 4,
        links: vec![span::Link {
            trace_id: vec![3; 16],
            span_id: vec![4; 8],
            ..span::Link::default()
        }],
        status: Some(opentelemetry_proto::tonic::trace::v1::Status {
            code: 2,
            message: "boom".into(),
        }),
        ..span(0)
    };
    let mut visited = 0;
    let outcome = walk(&body(vec![sent]), |service, scope, span| {
        visited += 1;
        assert_eq!((service, scope), ("shop", "lib"));
        assert_eq!(
            (span.trace_id, span.span_id),
            (TraceId([1; 16]), SpanId([1; 8]))
        );
        assert_eq!(span.parent_span_id, Some(SpanId([9; 8])));
        assert_eq!(
            (span.trace_state, span.name, span.kind),
            ("vendor=1", "span 0", SpanKind::Client)
        );
        assert_eq!(
            (span.start_us, span.end_us),
            (1_800_000_000_000_001, 1_800_000_000_000_005)
        );
        assert_eq!(
            (span.status, span.flags, span.dropped_attributes),
            (Status::Error, 0xffff_fd01, 4)
        );
        assert_eq!(span.links, [TraceId([3; 16])]);
        assert_eq!(
            span.attributes.0,
            [
                ("text", Value::Str("value")),
                ("flag", Value::Bool(true)),
                ("int", Value::Int(-7)),
                ("double", Value::Double(7494.0)),
                ("bytes", Value::Bytes(&[0, 255])),
                ("empty", Value::Empty),
            ]
        );
    });
    assert_eq!((visited, outcome.spans, outcome.accepted), (1, 1, 1));
    assert_eq!(outcome.partial_success(), None);
}

#[test]
fn empty_request_is_a_success() {
    let outcome = walk(&[], |_, _, _| panic!("no span"));
    assert_eq!(outcome, Outcome::default());
    assert_eq!(outcome.partial_success(), None);
}

#[test]
fn bad_ids_refuse_that_span_only() {
    let bad = |change: fn(&mut Span)| {
        let mut span = span(1);
        change(&mut span);
        span
    };
    type Change = fn(&mut Span);
    let cases: [(Change, Reason, &str); 7] = [
        (
            |span| span.trace_id.clear(),
            Reason::TraceId,
            "span 1: the trace id is missing",
        ),
        (
            |span| span.trace_id = vec![0; 16],
            Reason::TraceId,
            "span 1: the trace id is all zero",
        ),
        (
            |span| span.trace_id = vec![1; 8],
            Reason::TraceId,
            "span 1: the trace id must be 16 bytes (32 hexadecimal digits in JSON), not 8",
        ),
        (
            |span| span.span_id.clear(),
            Reason::SpanId,
            "span 1: the span id is missing",
        ),
        (
            |span| span.span_id = vec![0; 8],
            Reason::SpanId,
            "span 1: the span id is all zero",
        ),
        (
            |span| span.span_id = vec![1; 16],
            Reason::SpanId,
            "span 1: the span id must be 8 bytes (16 hexadecimal digits in JSON), not 16",
        ),
        (
            |span| span.parent_span_id = vec![1; 3],
            Reason::ParentSpanId,
            "span 1: the parent span id must be 8 bytes (16 hexadecimal digits in JSON), not 3",
        ),
    ];
    for (change, reason, message) in cases {
        let mut kept = Vec::new();
        let outcome = walk(&body(vec![span(0), bad(change), span(2)]), |_, _, span| {
            kept.push(span.name.to_owned())
        });
        assert_eq!(kept, ["span 0", "span 2"], "{message}");
        assert_eq!(outcome.rejected().collect::<Vec<_>>(), [(reason, 1)]);
        assert_eq!(outcome.first_error.as_deref(), Some(message));
        let (rejected, text) = outcome.partial_success().unwrap();
        assert_eq!(
            (rejected, text),
            (1, format!("1 of 3 spans refused; the first: {message}"))
        );
    }
}

#[test]
fn zero_parent_is_a_root() {
    for parent in [vec![], vec![0; 8]] {
        walk(
            &body(vec![Span {
                parent_span_id: parent,
                ..span(0)
            }]),
            |_, _, span| {
                assert_eq!(span.parent_span_id, None);
            },
        );
    }
}

#[test]
fn name_that_is_not_utf8_refuses_that_span_only() {
    let mut bytes = body(vec![span(0), span(1)]);
    let at = bytes
        .windows(6)
        .position(|window| window == b"span 1")
        .unwrap();
    bytes[at] = 0xff;
    let mut kept = Vec::new();
    let outcome = walk(&bytes, |_, _, span| kept.push(span.name.to_owned()));
    assert_eq!(kept, ["span 0"]);
    assert_eq!(
        outcome.first_error.as_deref(),
        Some("span 1: the name is not UTF-8")
    );
}

#[test]
fn attribute_text_that_is_not_utf8_is_kept_as_bytes() {
    let mut bytes = body(vec![Span {
        attributes: vec![text("prompt", "cut here")],
        ..span(0)
    }]);
    let at = bytes
        .windows(8)
        .position(|window| window == b"cut here")
        .unwrap();
    bytes[at + 7] = 0xc3;
    let outcome = walk(&bytes, |_, _, span| {
        assert_eq!(
            span.attributes.get("prompt"),
            Some(Value::Bytes(b"cut her\xc3"))
        );
    });
    assert_eq!(
        outcome.adjusted().collect::<Vec<_>>(),
        [(Adjustment::TextAsBytes, 1)]
    );
    assert_eq!(outcome.accepted, 1);
}

#[test]
fn unspecified_and_unknown_kinds_are_internal() {
    for (sent, kind) in [
        (0, SpanKind::Internal),
        (1, SpanKind::Internal),
        (2, SpanKind::Server),
        (3, SpanKind::Client),
        (4, SpanKind::Producer),
        (5, SpanKind::Consumer),
        (6, SpanKind::Internal),
        (-1, SpanKind::Internal),
    ] {
        walk(
            &body(vec![Span {
                kind: sent,
                ..span(0)
            }]),
            |_, _, span| assert_eq!(span.kind, kind, "{sent}"),
        );
    }
}

#[test]
fn odd_times_are_clamped() {
    for (start, end, expected, adjustment) in [
        (5_000, 4_000, (5, 5), Some(Adjustment::EndBeforeStart)),
        (5_000, 0, (5, 5), Some(Adjustment::EndBeforeStart)),
        (0, 5_000, (5, 5), Some(Adjustment::NoStart)),
        (0, 0, (0, 0), None),
        (
            u64::MAX,
            1,
            (18_446_744_073_709_551, 18_446_744_073_709_551),
            Some(Adjustment::EndBeforeStart),
        ),
        (1, u64::MAX, (0, 18_446_744_073_709_551), None),
    ] {
        let sent = Span {
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            ..span(0)
        };
        let outcome = walk(&body(vec![sent]), |_, _, span| {
            assert_eq!((span.start_us, span.end_us), expected)
        });
        assert_eq!(outcome.adjusted().map(|(what, _)| what).next(), adjustment);
        assert_eq!(outcome.accepted, 1);
    }
}

#[test]
fn first_of_equal_keys_wins() {
    let attributes = vec![text("model", "first"), text("model", "second")];
    walk(
        &body(vec![Span {
            attributes,
            ..span(0)
        }]),
        |_, _, span| {
            assert_eq!(span.attributes.text("model"), Some("first"));
            assert_eq!(span.attributes.0.len(), 2);
        },
    );
}

#[test]
fn resource_and_scope_may_come_after_their_spans() {
    let sent = request(vec![span(0)]);
    let scope_spans = &sent.resource_spans[0].scope_spans[0];
    let scope = message(1, &scope_spans.scope.as_ref().unwrap().encode_to_vec());
    let spans = message(2, &scope_spans.spans[0].encode_to_vec());
    let resource = message(
        1,
        &sent.resource_spans[0]
            .resource
            .as_ref()
            .unwrap()
            .encode_to_vec(),
    );
    let scope_spans = message(2, &[spans, scope].concat());
    assert_eq!(
        names(&message(1, &[scope_spans, resource].concat())),
        ["shop/lib/span 0"]
    );
}

#[test]
fn repeated_resource_and_scope_are_merged() {
    let resource = |key: &str, value: &str| {
        let resource = Resource {
            attributes: vec![text(key, value)],
            ..Resource::default()
        };
        message(1, &resource.encode_to_vec())
    };
    let scope = |name: &str, version: &str| {
        let scope = InstrumentationScope {
            name: name.into(),
            version: version.into(),
            ..Default::default()
        };
        message(1, &scope.encode_to_vec())
    };
    let spans = message(2, &span(0).encode_to_vec());
    let scope_spans = message(2, &[scope("lib", ""), spans, scope("", "2")].concat());
    let body = message(
        1,
        &[resource("a", "1"), scope_spans, resource("b", "2")].concat(),
    );
    let mut visited = 0;
    walk_traces(&body, &Limits::default(), |resource, scope, _| {
        visited += 1;
        assert_eq!(
            resource.attributes.0,
            [("a", Value::Str("1")), ("b", Value::Str("2"))]
        );
        assert_eq!((scope.name, scope.version), ("lib", "2"));
    })
    .unwrap();
    assert_eq!(visited, 1);
}

#[test]
fn attributes_of_one_resource_do_not_reach_the_next() {
    let mut sent = request(vec![span(0)]);
    sent.resource_spans.push(ResourceSpans {
        scope_spans: vec![ScopeSpans {
            spans: vec![span(1)],
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    });
    assert_eq!(
        names(&sent.encode_to_vec()),
        ["shop/lib/span 0", "//span 1"]
    );
}

#[test]
fn unknown_fields_and_groups_are_skipped() {
    let unknown = [
        vec![0xc0, 0x3e, 5],                                  // field 1000, varint
        vec![0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],             // fixed64
        vec![0xc2, 0x3e, 2, 0xff, 0xff],                      // bytes
        vec![0xc3, 0x3e, 0x0a, 1, 7, 0x13, 0x14, 0xc4, 0x3e], // group with a field and a group in it
        vec![0xc5, 0x3e, 1, 2, 3, 4],                         // fixed32
    ]
    .concat();
    let spans = message(
        2,
        &[unknown.clone(), span(0).encode_to_vec(), unknown.clone()].concat(),
    );
    let body = message(
        1,
        &[
            unknown.clone(),
            message(2, &[spans, unknown.clone()].concat()),
        ]
        .concat(),
    );
    assert_eq!(
        names(&[unknown.clone(), body, unknown].concat()),
        ["//span 0"]
    );
}

#[test]
fn malformed_tail_visits_nothing() {
    let mut bytes = body(vec![span(0), span(1)]);
    bytes.push(0x0a);
    let mut visited = 0;
    let error = walk_traces(&bytes, &Limits::default(), |_, _, _| visited += 1).unwrap_err();
    assert_eq!(visited, 0);
    assert!(!error.is_retryable() && !error.is_too_large());
    let end = bytes.len();
    let expected = format!(
        "the body is not an OTLP protobuf message: byte {end}: the message ends inside a number"
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn field_of_another_type_is_named() {
    let bytes = message(1, &message(2, &message(2, &[0x28, 1])));
    let error = walk_traces(&bytes, &Limits::default(), |_, _, _| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the body is not an OTLP protobuf message: byte 6: field 5 has the wrong wire type, \
         a message, string or bytes was expected"
    );
}

#[test]
fn values_are_read_lazily() {
    let number = |number| AnyValue {
        value: Some(any_value::Value::IntValue(number)),
    };
    let array = any_value::Value::ArrayValue(ArrayValue {
        values: vec![number(1), number(2)],
    });
    let map = any_value::Value::KvlistValue(KeyValueList {
        values: vec![attribute("inner", array.clone()), text("word", "x")],
    });
    let sent = Span {
        attributes: vec![attribute("array", array), attribute("map", map)],
        ..span(0)
    };
    walk(&body(vec![sent]), |_, _, span| {
        let array = span.attributes.get("array").unwrap();
        assert_eq!(
            array.array().collect::<Vec<_>>(),
            [Value::Int(1), Value::Int(2)]
        );
        assert_eq!(array.map().count(), 0);
        let map: Vec<_> = span.attributes.get("map").unwrap().map().collect();
        assert_eq!((map[0].0, map[1]), ("inner", ("word", Value::Str("x"))));
        assert_eq!(map[0].1.array().count(), 2);
    });
}

#[test]
fn events_are_read_when_asked() {
    let event = span::Event {
        time_unix_nano: 7_000,
        name: "gen_ai.choice".into(),
        attributes: vec![text("finish_reason", "stop")],
        ..span::Event::default()
    };
    walk(
        &body(vec![Span {
            events: vec![event],
            ..span(0)
        }]),
        |_, _, span| {
            let (name, time_us, attributes) =
                costflame_collector::decode::event(span.events[0]).unwrap();
            assert_eq!((name, time_us), ("gen_ai.choice", 7));
            assert_eq!(
                attributes.collect::<Vec<_>>(),
                [("finish_reason", Value::Str("stop"))]
            );
        },
    );
    assert!(costflame_collector::decode::event(&[0xff]).is_none());
}

#[test]
fn links_without_a_trace_are_left_out() {
    let link = |trace_id| span::Link {
        trace_id,
        span_id: vec![4; 8],
        ..span::Link::default()
    };
    let links = vec![link(vec![0; 16]), link(vec![3; 16]), link(vec![])];
    let outcome = walk(&body(vec![Span { links, ..span(0) }]), |_, _, span| {
        assert_eq!(span.links, [TraceId([3; 16])]);
    });
    assert_eq!(
        outcome.adjusted().collect::<Vec<_>>(),
        [(Adjustment::BadLink, 2)]
    );
}
