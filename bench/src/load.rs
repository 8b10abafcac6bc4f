//! Agent traces of ten spans over two services, five of them model calls, serialised ahead of time.
//!
//! A body is made once and stamped with fresh ids of traces, responses, sessions and users before every send, so that
//! the generator costs next to nothing while it measures somebody else, and nothing it sends is a duplicate.

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span::SpanKind},
};
use prost::Message;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Spans of one trace.
pub const SPANS_PER_TRACE: usize = 10;
/// Model calls of one trace.
pub const CALLS_PER_TRACE: usize = 5;

const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("openai", "gpt-4.1-mini-2025-04-14"),
];

/// Traces of one session.
const TRACES_PER_SESSION: u64 = 4;
/// Users that the load speaks of.
const USERS: u64 = 2_000;

/// A serialised request whose ids can be replaced in place.
#[derive(Clone, Debug)]
pub struct Body {
    bytes: Vec<u8>,
    places: Vec<Place>,
    traces: u64,
}

/// Sixteen bytes to be replaced before every send.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: usize,
    what: What,
    /// Of the trace in its body, or of the call among all calls of the body.
    number: u64,
}

/// What they are.
#[derive(Clone, Copy, Debug)]
enum What {
    Trace,
    Response,
    Session,
    User,
}

impl What {
    const ALL: [Self; 4] = [Self::Trace, Self::Response, Self::Session, Self::User];

    /// Marks a place, followed by eight bytes of its number.
    const fn mark(self) -> &'static [u8; 8] {
        match self {
            Self::Trace => b"TRACE-ID",
            Self::Response => b"RESPONSE",
            Self::Session => b"SESSION-",
            Self::User => b"USER-IS-",
        }
    }
}

impl Body {
    /// A request of `traces` whole traces that began at `start_ns` (nanoseconds since 1970).
    #[must_use]
    pub fn new(seed: u64, traces: u64, start_ns: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut frontend = Vec::new();
        let mut agent = Vec::new();
        for trace in 0..traces {
            let (first, rest) = agent_trace(&mut random, trace, start_ns);
            frontend.extend(first);
            agent.extend(rest);
        }
        let request = ExportTraceServiceRequest {
            resource_spans: vec![
                resource_spans("frontend", "opentelemetry.instrumentation.asgi", frontend),
                resource_spans("agent", "opentelemetry.instrumentation.openai_v2", agent),
            ],
        };
        let bytes = request.encode_to_vec();
        let places = places(&bytes);
        Self {
            bytes,
            places,
            traces,
        }
    }

    /// Spans in this body.
    #[must_use]
    pub fn spans(&self) -> usize {
        usize::try_from(self.traces).unwrap_or(usize::MAX) * SPANS_PER_TRACE
    }

    /// The same spans in traces of their own, answered by responses of their own: `round` must differ from send to send.
    #[must_use]
    pub fn stamped(&self, round: u64) -> Bytes {
        let mut bytes = self.bytes.clone();
        for place in &self.places {
            let number = place.number;
            let stamp = match place.what {
                What::Trace => trace_id(round, number),
                What::Response => hex(mixed(round, number)),
                What::Session => hex(mixed(round / TRACES_PER_SESSION, number)),
                What::User => hex(mixed(round, number) % USERS),
            };
            bytes[place.offset..place.offset + 16].copy_from_slice(&stamp);
        }
        Bytes::from(bytes)
    }

    /// The trace ids that `stamped(round)` carries.
    pub fn trace_ids(&self, round: u64) -> impl Iterator<Item = [u8; 16]> + '_ {
        (0..self.traces).map(move |trace| trace_id(round, trace))
    }
}

/// A well mixed id, never zero.
fn trace_id(round: u64, trace: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mixed(round, trace).to_be_bytes());
    id[8..].copy_from_slice(&mixed(!round, trace).to_be_bytes());
    id[0] |= 1;
    id
}

/// A number that looks like chance; different for every pair of a round and a number below 2³².
fn mixed(round: u64, number: u64) -> u64 {
    // The finisher of SplitMix64, which maps no two inputs to the same output.
    let mut mixed = round.rotate_left(32) ^ number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = (number >> (60 - 4 * place)) & 15;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    digits
}

fn places(bytes: &[u8]) -> Vec<Place> {
    let number = |offset: usize| {
        let mut digits = [0; 8];
        digits.copy_from_slice(&bytes[offset + 8..offset + 16]);
        u64::from_be_bytes(digits)
    };
    let place = |offset: usize| {
        let marked = |what: &What| bytes[offset..].starts_with(what.mark());
        let what = What::ALL.into_iter().find(marked)?;
        let number = match what {
            What::Trace => number(offset),
            _ => spelled(&bytes[offset + 8..offset + 16])?,
        };
        Some(Place {
            offset,
            what,
            number,
        })
    };
    (0..bytes.len().saturating_sub(15))
        .filter_map(place)
        .collect()
}

/// Eight decimal digits.
fn spelled(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A text to be replaced.
fn marked(what: What, number: u64) -> String {
    format!("{}{number:08}", String::from_utf8_lossy(what.mark()))
}

fn agent_trace(random: &mut StdRng, trace: u64, start_ns: u64) -> (Vec<Span>, Vec<Span>) {
    let mut trace_id = What::Trace.mark().to_vec();
    trace_id.extend(trace.to_be_bytes());
    let span = |id: u8, parent: u8, name: &str, kind: SpanKind, from_ms: u64, to_ms: u64| Span {
        trace_id: trace_id.clone(),
        span_id: vec![id, 1, 1, 1, 1, 1, 1, 1],
        parent_span_id: if parent == 0 {
            Vec::new()
        } else {
            vec![parent, 1, 1, 1, 1, 1, 1, 1]
        },
        name: name.to_owned(),
        kind: kind as i32,
        start_time_unix_nano: start_ns + from_ms * 1_000_000,
        end_time_unix_nano: start_ns + to_ms * 1_000_000,
        ..Span::default()
    };
    let mut request = span(1, 0, "POST /chat", SpanKind::Server, 0, 5_000);
    request.attributes = vec![
        text("http.request.method", "POST"),
        text("http.route", "/chat"),
        text("url.path", "/chat"),
        text("user.id", &marked(What::User, trace)),
        text("session.id", &marked(What::Session, trace)),
        number("http.response.status_code", 200),
    ];
    let mut call_agent = span(2, 1, "POST", SpanKind::Client, 10, 4_990);
    call_agent.attributes = vec![
        text("http.request.method", "POST"),
        text("server.address", "agent"),
        number("server.port", 8080),
    ];
    let mut serve_agent = span(3, 2, "POST /run", SpanKind::Server, 20, 4_980);
    serve_agent.attributes = vec![
        text("http.request.method", "POST"),
        text("http.route", "/run"),
    ];
    let mut agent = span(4, 3, "invoke_agent support", SpanKind::Internal, 30, 4_970);
    agent.attributes = vec![
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.agent.name", "support"),
    ];
    let mut tool = span(
        5,
        4,
        "execute_tool search_docs",
        SpanKind::Internal,
        1_000,
        2_000,
    );
    tool.attributes = vec![
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", "search_docs"),
    ];
    let mut calls = Vec::new();
    for call in 0..4u8 {
        let begin = 100 + u64::from(call) * 1_000;
        let (provider, model) = MODELS[random.random_range(0..MODELS.len())];
        let mut chat = span(
            6 + call,
            4,
            &format!("chat {model}"),
            SpanKind::Client,
            begin,
            begin + 800,
        );
        let number = trace * CALLS_PER_TRACE as u64 + u64::from(call);
        chat.attributes = chat_attributes(random, provider, model, number);
        calls.push(chat);
    }
    let mut embedding = span(
        10,
        5,
        "embeddings text-embedding-3-small",
        SpanKind::Client,
        1_100,
        1_200,
    );
    embedding.attributes = vec![
        text("gen_ai.operation.name", "embeddings"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "text-embedding-3-small"),
        text("gen_ai.response.model", "text-embedding-3-small"),
        text("server.address", "api.openai.com"),
        number("gen_ai.usage.input_tokens", random.random_range(10..400)),
    ];
    let mut rest = vec![serve_agent, agent, tool];
    rest.extend(calls);
    rest.push(embedding);
    (vec![request, call_agent], rest)
}

fn chat_attributes(random: &mut StdRng, provider: &str, model: &str, call: u64) -> Vec<KeyValue> {
    let input = random.random_range(500..20_000);
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.request.model", model),
        text("gen_ai.response.model", model),
        text(
            "gen_ai.response.id",
            &format!("chatcmpl-{}", marked(What::Response, call)),
        ),
        text("gen_ai.response.finish_reasons", "stop"),
        text("server.address", "api.openai.com"),
        number("server.port", 443),
        number("gen_ai.request.max_tokens", 2_048),
        number("gen_ai.usage.input_tokens", input),
        number("gen_ai.usage.cache_read.input_tokens", input / 3),
        number("gen_ai.usage.output_tokens", random.random_range(20..1_500)),
        text("openai.response.service_tier", "default"),
    ]
}

fn resource_spans(service: &str, scope: &str, spans: Vec<Span>) -> ResourceSpans {
    let attributes = vec![
        text("service.name", service),
        text("service.version", "1.4.2"),
        text("service.instance.id", &format!("{service}-0")),
        text("deployment.environment.name", "production"),
        text("telemetry.sdk.language", "python"),
    ];
    ResourceSpans {
        resource: Some(Resource {
            attributes,
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: scope.to_owned(),
                version: "2.4b0".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamping_replaces_every_id() {
        let body = Body::new(7, 3, 1_000);
        let decode =
            |round| ExportTraceServiceRequest::decode(body.stamped(round)).expect("valid protobuf");
        let ids = |request: &ExportTraceServiceRequest| {
            let spans = request
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans);
            let mut ids: Vec<_> = spans.map(|span| span.trace_id.clone()).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        let (first, second) = (decode(1), decode(2));
        assert_eq!(ids(&first).len(), 3);
        assert!(ids(&first).iter().all(|id| !ids(&second).contains(id)));
        let mut expected: Vec<_> = body.trace_ids(1).map(Vec::from).collect();
        expected.sort();
        assert_eq!(ids(&first), expected);
        assert_eq!(first.encoded_len(), second.encoded_len());
        let values = |request: &ExportTraceServiceRequest, key: &str| {
            let spans = request
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans);
            let found = spans.flat_map(|span| &span.attributes);
            let found = found.filter(|attribute| attribute.key == key);
            let mut found: Vec<_> = found.map(|a| format!("{:?}", a.value)).collect();
            found.sort();
            found.dedup();
            found
        };
        let (one, other) = (
            values(&first, "gen_ai.response.id"),
            values(&second, "gen_ai.response.id"),
        );
        assert_eq!(one.len(), 12);
        assert!(one.iter().all(|id| !other.contains(id)));
        assert_eq!(
            values(&decode(8), "session.id"),
            values(&decode(9), "session.id")
        );
        assert_eq!(values(&first, "user.id").len(), 3);
        assert_eq!(body.spans(), 30);
    }
}
