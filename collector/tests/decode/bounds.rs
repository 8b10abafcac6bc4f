//! Every bound of a request, reached and exceeded by one.

use costflame_collector::decode::{Adjustment, DecodeError, Limits, Reason, walk_traces};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value},
    trace::v1::{Span, span},
};
use prost::Message;

use crate::build::{attribute, body, request, span, text};

/// An attribute whose value is `depth` arrays around a number.
fn nested(depth: usize) -> KeyValue {
    let mut value = any_value::Value::IntValue(1);
    for _ in 0..depth {
        value = any_value::Value::ArrayValue(ArrayValue {
            values: vec![AnyValue { value: Some(value) }],
        });
    }
    attribute("nested", value)
}

#[test]
fn bounds_of_a_span_refuse_it() {
    let limits = Limits {
        max_attributes_per_span: 3,
        max_attribute_depth: 2,
        ..Limits::default()
    };
    let many = |count| Span {
        attributes: vec![text("k", "v"); count],
        ..span(0)
    };
    let deep = |depth| Span {
        attributes: vec![nested(depth)],
        ..span(0)
    };
    let deep_event = Span {
        events: vec![span::Event {
            attributes: vec![nested(3)],
            ..span::Event::default()
        }],
        ..span(0)
    };
    for (sent, expected) in [
        (many(3), None),
        (
            many(4),
            Some((
                Reason::Attributes,
                "span 0: 4 attributes are more than the bound allows",
            )),
        ),
        (deep(2), None),
        (
            deep(3),
            Some((
                Reason::Depth,
                "span 0: an attribute value is nested deeper than 2 levels",
            )),
        ),
        (
            deep_event,
            Some((
                Reason::Depth,
                "span 0: an attribute value is nested deeper than 2 levels",
            )),
        ),
    ] {
        let outcome = walk_traces(&body(vec![sent, span(1)]), &limits, |_, _, _| {}).unwrap();
        let rejected = outcome.rejected().next();
        assert_eq!(rejected, expected.map(|(reason, _)| (reason, 1)));
        assert_eq!(
            outcome.first_error.as_deref(),
            expected.map(|(_, message)| message)
        );
        assert_eq!(outcome.accepted, if expected.is_some() { 1 } else { 2 });
    }
}

#[test]
fn nesting_has_a_ceiling_whatever_is_configured() {
    let limits = Limits {
        max_attribute_depth: usize::MAX,
        ..Limits::default()
    };
    let deep = |depth| Span {
        attributes: vec![nested(depth)],
        ..span(0)
    };
    let outcome = walk_traces(&body(vec![deep(128), deep(129)]), &limits, |_, _, _| {}).unwrap();
    assert_eq!(
        (outcome.accepted, outcome.rejected().next()),
        (1, Some((Reason::Depth, 1)))
    );
}

#[test]
fn bounds_that_truncate_keep_the_span_and_warn() {
    let limits = Limits {
        max_attributes_per_envelope: 1,
        max_name_bytes: 4,
        max_events_per_span: 1,
        max_links_per_span: 1,
        ..Limits::default()
    };
    let mut sent = request(vec![Span {
        name: "abcé".into(),
        trace_state: "vendor=1".into(),
        events: vec![span::Event::default(); 3],
        links: vec![
            span::Link {
                trace_id: vec![3; 16],
                ..span::Link::default()
            };
            2
        ],
        ..span(0)
    }]);
    sent.resource_spans[0]
        .resource
        .as_mut()
        .unwrap()
        .attributes
        .push(text("second", "unread"));
    let outcome = walk_traces(&sent.encode_to_vec(), &limits, |resource, _, span| {
        assert_eq!(resource.attributes.0.len(), 1);
        assert_eq!(
            (
                span.name,
                span.trace_state,
                span.events.len(),
                span.links.len()
            ),
            ("abc", "", 1, 1)
        );
    })
    .unwrap();
    assert_eq!(
        outcome.adjusted().collect::<Vec<_>>(),
        [
            (Adjustment::LongName, 2),
            (Adjustment::EnvelopeAttribute, 1),
            (Adjustment::Event, 2),
            (Adjustment::Link, 1)
        ]
    );
    assert_eq!(
        outcome.partial_success(),
        Some((
            0,
            "all spans accepted, but bounds were reached: \
             long_name (2), envelope_attribute_unread (1), event_unread (2), link_unread (1)"
                .into()
        ))
    );
}

#[test]
fn bounds_of_a_request_refuse_it() {
    let limits = Limits {
        max_spans_per_request: 2,
        ..Limits::default()
    };
    assert!(walk_traces(&body(vec![span(0), span(1)]), &limits, |_, _, _| {}).is_ok());
    let three = body(vec![span(0), span(1), span(2)]);
    let error = walk_traces(&three, &limits, |_, _, _| panic!("nothing is visited")).unwrap_err();
    assert_eq!(
        error,
        DecodeError::TooLarge {
            unit: "spans",
            found: 3,
            limit: 2
        }
    );
    assert!(error.is_too_large() && !error.is_retryable());

    let limits = Limits {
        max_request_bytes: three.len() - 1,
        ..Limits::default()
    };
    let error = walk_traces(&three, &limits, |_, _, _| panic!("nothing is visited")).unwrap_err();
    assert_eq!(error.label(), "too_large");
}
