//! Laws over random requests: protobuf, JSON and prost agree, and no bytes whatever make the decoder panic.

use base64::Engine as _;
use costflame_collector::decode::{
    Limits, Status, count_records, event, json_to_protobuf, walk_traces,
};
use costflame_profile::{Signal, SpanId, SpanKind, TraceId};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use proptest::{collection::vec, prelude::*};
use prost::Message;
use serde_json::{Value as Json, json};

use crate::{
    corpus,
    random::requests,
    seen::{List, Owned, Seen, walk},
};

const SIGNALS: [Signal; 3] = [Signal::Span, Signal::Log, Signal::Metric];

fn owned(value: Option<&AnyValue>) -> Owned {
    use any_value::Value;
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => Owned::Empty,
        Some(Value::StringValue(text)) => Owned::Str(text.clone()),
        Some(Value::BoolValue(flag)) => Owned::Bool(*flag),
        Some(Value::IntValue(number)) => Owned::Int(*number),
        Some(Value::DoubleValue(number)) => Owned::Double(number.to_bits()),
        Some(Value::BytesValue(bytes)) => Owned::Bytes(bytes.clone()),
        Some(Value::ArrayValue(array)) => Owned::Array(
            array
                .values
                .iter()
                .map(|value| owned(Some(value)))
                .collect(),
        ),
        Some(Value::KvlistValue(map)) => Owned::Map(list(&map.values)),
    }
}

fn list(attributes: &[KeyValue]) -> List {
    attributes
        .iter()
        .map(|entry| (entry.key.clone(), owned(entry.value.as_ref())))
        .collect()
}

fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok().filter(|id| *id != [0; N])
}

/// What the rules say about a span; `None` if it is to be refused.
fn expected(resource: &ResourceSpans, scope: &ScopeSpans, span: &Span) -> Option<Seen> {
    let micros = |nanos: u64| i64::try_from(nanos / 1000).expect("a u64 divided by 1000 fits");
    let start = if span.start_time_unix_nano == 0 {
        span.end_time_unix_nano
    } else {
        span.start_time_unix_nano
    };
    if ![0, 8].contains(&span.parent_span_id.len()) {
        return None;
    }
    Some(Seen {
        resource: resource
            .resource
            .as_ref()
            .map(|resource| list(&resource.attributes))
            .unwrap_or_default(),
        scope: scope
            .scope
            .as_ref()
            .map(|scope| {
                (
                    scope.name.clone(),
                    scope.version.clone(),
                    list(&scope.attributes),
                )
            })
            .unwrap_or_default(),
        trace_id: TraceId(id(&span.trace_id)?),
        span_id: SpanId(id(&span.span_id)?),
        parent_span_id: id(&span.parent_span_id).map(SpanId),
        trace_state: span.trace_state.clone(),
        name: span.name.clone(),
        kind: match span.kind {
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Internal,
        },
        times_us: (micros(start), micros(span.end_time_unix_nano.max(start))),
        status: match span.status.as_ref().map(|status| status.code) {
            Some(1) => Status::Ok,
            Some(2) => Status::Error,
            _ => Status::Unset,
        },
        attributes: list(&span.attributes),
        events: span
            .events
            .iter()
            .map(|event| {
                (
                    event.name.clone(),
                    micros(event.time_unix_nano),
                    list(&event.attributes),
                )
            })
            .collect(),
        links: span
            .links
            .iter()
            .filter_map(|link| id(&link.trace_id))
            .map(TraceId)
            .collect(),
        dropped_attributes: span.dropped_attributes_count,
        flags: span.flags,
    })
}

fn all_expected(request: &ExportTraceServiceRequest) -> (usize, Vec<Seen>) {
    let mut sent = 0;
    let mut accepted = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            sent += scope.spans.len();
            accepted.extend(
                scope
                    .spans
                    .iter()
                    .filter_map(|span| expected(resource, scope, span)),
            );
        }
    }
    (sent, accepted)
}

/// Deviations that a reader of JSON has to accept.
#[derive(Clone, Copy, Debug)]
struct Style {
    snake_case: bool,
    upper_case_ids: bool,
    numbers: bool,
    enum_names: bool,
    unknown_keys: bool,
    reversed: bool,
}

fn styles() -> impl Strategy<Value = Style> {
    any::<[bool; 6]>().prop_map(
        |[
            snake_case,
            upper_case_ids,
            numbers,
            enum_names,
            unknown_keys,
            reversed,
        ]| Style {
            snake_case,
            upper_case_ids,
            numbers,
            enum_names,
            unknown_keys,
            reversed,
        },
    )
}

/// The JSON of a request as the `opentelemetry-proto` crate writes it, in another style.
fn restyle(json: Json, style: Style) -> Json {
    match json {
        Json::Array(values) => values
            .into_iter()
            .map(|value| restyle(value, style))
            .collect(),
        Json::Object(object) => {
            let mut fields: Vec<_> = object
                .into_iter()
                .map(|(key, value)| restyle_field(key, value, style))
                .collect();
            if style.unknown_keys {
                fields.push(("unknown".into(), json!([{"any": [1, "thing", null]}])));
            }
            if style.reversed {
                fields.reverse();
            }
            Json::Object(fields.into_iter().collect())
        }
        other => other,
    }
}

fn restyle_field(key: String, value: Json, style: Style) -> (String, Json) {
    const SPAN_KINDS: [&str; 6] = [
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    let value = match (key.as_str(), value) {
        ("traceId" | "spanId" | "parentSpanId", Json::String(id)) if style.upper_case_ids => {
            json!(id.to_uppercase())
        }
        (
            "intValue" | "startTimeUnixNano" | "endTimeUnixNano" | "timeUnixNano",
            Json::String(text),
        ) if style.numbers => serde_json::from_str(&text).expect("decimal text"),
        ("kind", Json::Number(kind)) if style.enum_names => kind
            .as_u64()
            .and_then(|kind| SPAN_KINDS.get(kind as usize))
            .map_or(json!(kind), |name| json!(name)),
        // The crate writes an array of numbers here and `null` for infinity, against proto3 JSON.
        ("bytesValue", Json::Array(bytes)) => {
            let bytes: Vec<u8> = bytes
                .iter()
                .filter_map(|byte| u8::try_from(byte.as_u64()?).ok())
                .collect();
            json!(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        (_, value) => restyle(value, style),
    };
    (
        if style.snake_case {
            snake_case(&key)
        } else {
            key
        },
        value,
    )
}

fn snake_case(key: &str) -> String {
    let separated = |letter: char| {
        if letter.is_ascii_uppercase() {
            vec!['_', letter.to_ascii_lowercase()]
        } else {
            vec![letter]
        }
    };
    key.chars().flat_map(separated).collect()
}

/// Whether each flagged place of a body is changed, removed or doubled.
fn mutate(mut body: Vec<u8>, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (place, byte, what) in edits {
        if body.is_empty() {
            return body;
        }
        let at = place.index(body.len());
        match what % 4 {
            0 => body[at] = *byte,
            1 => drop(body.remove(at)),
            2 => body.insert(at, *byte),
            _ => body.truncate(at),
        }
    }
    body
}

/// Everything the receiver does with bytes of unknown origin; what comes out does not matter.
fn decode_all(body: &[u8]) {
    let limits = Limits::default();
    for signal in SIGNALS {
        let _ = count_records(signal, body, &limits);
        if let Ok(protobuf) = json_to_protobuf(signal, body, &limits) {
            count_records(signal, &protobuf, &limits).expect("what is written can be read");
        }
    }
    let _ = event(body).map(|(_, _, attributes)| attributes.count());
    let walked = walk(body);
    if let Ok((outcome, seen)) = &walked {
        assert_eq!(outcome.accepted + outcome.rejected_total(), outcome.spans);
        assert_eq!(seen.len() as u64, outcome.accepted);
    }
    // What prost takes is taken; the reverse does not hold, since prost refuses text that is not UTF-8.
    if let Ok(request) = ExportTraceServiceRequest::decode(body) {
        assert_eq!(
            walked.expect("prost takes it").0.spans as usize,
            all_expected(&request).0
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn protobuf_is_read_as_sent(request in requests()) {
        let body = request.encode_to_vec();
        let (sent, accepted) = all_expected(&request);
        let (outcome, seen) = walk(&body).unwrap();
        prop_assert_eq!(outcome.spans as usize, sent);
        prop_assert_eq!(outcome.rejected_total() as usize, sent - accepted.len());
        prop_assert_eq!(outcome.first_error.is_some(), sent > accepted.len());
        prop_assert_eq!(seen, accepted);
        prop_assert_eq!(count_records(Signal::Span, &body, &Limits::default()).unwrap(), sent);
    }

    #[test]
    fn json_is_read_as_protobuf(request in requests(), style in styles()) {
        let json = serde_json::to_value(&request).unwrap();
        let json = serde_json::to_vec(&restyle(json, style)).unwrap();
        let body = json_to_protobuf(Signal::Span, &json, &Limits::default()).unwrap();
        prop_assert!(body.len() <= json.len());
        let read = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        prop_assert_eq!(read, request);
    }

    #[test]
    fn cut_requests_visit_all_or_nothing(request in requests(), cut in any::<prop::sample::Index>()) {
        let body = request.encode_to_vec();
        let body = &body[..cut.index(body.len() + 1)];
        let mut visited = 0;
        match walk_traces(body, &Limits::default(), |_, _, _| visited += 1) {
            Ok(outcome) => prop_assert_eq!(outcome.accepted, visited),
            Err(_) => prop_assert_eq!(visited, 0),
        }
    }

    #[test]
    fn random_bytes_do_not_panic(body in vec(any::<u8>(), 0..300)) {
        decode_all(&body);
    }

    #[test]
    fn random_json_does_not_panic(body in r#"[\[\]{}:,"\\u0-9a-f]{0,200}"#) {
        decode_all(body.as_bytes());
        decode_all(format!(r#"{{"resourceSpans":{body}"#).as_bytes());
    }

    #[test]
    fn changed_requests_do_not_panic(
        request in requests(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 1..8),
    ) {
        decode_all(&mutate(request.encode_to_vec(), &edits));
        decode_all(&mutate(serde_json::to_vec(&request).unwrap(), &edits));
    }
}

#[test]
fn every_prefix_of_a_recorded_body_is_handled() {
    let shortest = corpus::bodies()
        .filter(|body| body.signal == Signal::Span)
        .min_by_key(|body| body.protobuf.len());
    let body = shortest.expect("the corpus has traces").protobuf;
    for end in 0..body.len() {
        decode_all(&body[..end]);
    }
}

/// A short fuzz: recorded bodies with a few bytes changed, reproducible by its seed.
#[test]
fn changed_recorded_bodies_do_not_panic() {
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % bound as u64) as usize
    };
    for recorded in corpus::bodies().filter(|body| body.protobuf.len() < 20_000) {
        for _ in 0..4 {
            let mut body = recorded.protobuf.clone();
            for _ in 0..1 + next(4) {
                let at = next(body.len());
                body[at] = next(256) as u8;
            }
            decode_all(&body);
        }
    }
}
