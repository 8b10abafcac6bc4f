//! Every provider's format, whole and streamed, split wherever bytes can be split: what the span says, and that the
//! caller sees the same bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use costflame_instrumentation::{GenAiLayer, HttpCalls, Provider};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use support::{Recorder, int, text, value};
use tower::{Layer, Service};

/// A body of given pieces, which may break off with an error.
struct Pieces(Vec<Result<Bytes, &'static str>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.0.remove(0).map(Frame::data)))
    }
}

/// A provider that answers once.
#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Result<Bytes, &'static str>>,
}

impl Service<Request<Full<Bytes>>> for Answer {
    type Response = Response<Pieces>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Pieces>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        ready(Ok(response.body(Pieces(self.pieces.clone())).unwrap()))
    }
}

/// Futures' own executor refuses to run inside itself, as the exporter in memory does.
fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    });
    RUNTIME.block_on(future)
}

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream; charset=utf-8";
const AWS: &str = "application/vnd.amazon.eventstream";

struct Case {
    name: &'static str,
    url: &'static str,
    request: &'static str,
    kind: &'static str,
    body: Vec<u8>,
    span: &'static str,
    expected: Expected,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    id: Option<&'static str>,
    model: Option<&'static str>,
    finish: Option<&'static str>,
    input: Option<i64>,
    output: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    reasoning: Option<i64>,
}

/// Sends the case's request and reads its response in these pieces.
fn run(
    recorder: &Recorder,
    case: &Case,
    status: u16,
    pieces: Vec<Result<Bytes, &'static str>>,
) -> Vec<u8> {
    let genai = recorder.genai();
    let answer = Answer {
        status,
        headers: vec![("content-type", case.kind.to_owned())],
        pieces,
    };
    let mut service = GenAiLayer::new(HttpCalls::new().genai(genai)).layer(answer);
    let request = Request::post(case.url)
        .body(Full::from(case.request))
        .unwrap();
    let response = block_on(service.call(request)).unwrap();
    let mut body = response.into_body();
    let mut seen = Vec::new();
    while let Some(Ok(frame)) = block_on(body.frame()) {
        seen.extend_from_slice(&frame.into_data().unwrap());
    }
    seen
}

fn pieces(parts: &[&[u8]]) -> Vec<Result<Bytes, &'static str>> {
    parts
        .iter()
        .map(|part| Ok(Bytes::copy_from_slice(part)))
        .collect()
}

fn check(span: &SpanData, case: &Case) {
    let expected = &case.expected;
    assert_eq!(span.name, case.span, "{}", case.name);
    let texts = [
        ("gen_ai.response.id", expected.id.map(str::to_owned)),
        ("gen_ai.response.model", expected.model.map(str::to_owned)),
        (
            "gen_ai.response.finish_reasons",
            expected.finish.map(|reason| format!("[\"{reason}\"]")),
        ),
    ];
    for (key, wanted) in texts {
        assert_eq!(text(span, key), wanted, "{key} of {}", case.name);
    }
    let counts = [
        ("gen_ai.usage.input_tokens", expected.input),
        ("gen_ai.usage.output_tokens", expected.output),
        ("gen_ai.usage.cache_read.input_tokens", expected.cache_read),
        (
            "gen_ai.usage.cache_write.input_tokens",
            expected.cache_write,
        ),
        ("gen_ai.usage.reasoning.output_tokens", expected.reasoning),
    ];
    for (key, wanted) in counts {
        assert_eq!(int(span, key), wanted, "{key} of {}", case.name);
    }
    assert_eq!(
        value(span, "costflame.instrumentation.unread"),
        None,
        "{}",
        case.name
    );
    assert_eq!(
        span.status,
        Status::Unset,
        "{}: {:?}",
        case.name,
        value(span, "error.type")
    );
}

fn frame(event: &str, payload: &str) -> Vec<u8> {
    framed(
        &[
            (":event-type", event),
            (":content-type", JSON),
            (":message-type", "event"),
        ],
        payload,
    )
}

fn framed(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(name.len() as u8);
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend_from_slice(&(value.len() as u16).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = 12 + encoded.len() + payload.len() + 4;
    let mut frame = Vec::new();
    frame.extend_from_slice(&(total as u32).to_be_bytes());
    frame.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
    frame.extend_from_slice(&[1, 2, 3, 4]);
    frame.extend_from_slice(&encoded);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&[5, 6, 7, 8]);
    frame
}

fn embedded(payload: &str) -> Vec<u8> {
    let bytes = BASE64_STANDARD.encode(payload);
    frame("chunk", &format!(r#"{{"bytes":"{bytes}","p":"abcd"}}"#))
}

fn cases() -> Vec<Case> {
    let chat = "https://api.openai.com/v1/chat/completions";
    vec![
        Case {
            name: "OpenAI chat",
            url: chat,
            request: r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#,
            kind: JSON,
            body: br#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"{\"usage\":{\"prompt_tokens\":1}}"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30}},"system_fingerprint":"fp_1"}"#.to_vec(),
            span: "chat gpt-4o",
            expected: Expected {
                id: Some("chatcmpl-1"),
                model: Some("gpt-4o-2024-08-06"),
                finish: Some("stop"),
                input: Some(1200),
                output: Some(80),
                cache_read: Some(1024),
                reasoning: Some(30),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI chat, streamed",
            url: chat,
            request: r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}"#,
            kind: SSE,
            body: b"data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"data: [DONE]\\n\"},\"finish_reason\":null}],\"usage\":null}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":null}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":80,\"total_tokens\":1280,\"prompt_tokens_details\":{\"cached_tokens\":1024}}}\n\ndata: [DONE]\n\n".to_vec(),
            span: "chat gpt-4o",
            expected: Expected {
                id: Some("chatcmpl-1"),
                model: Some("gpt-4o-2024-08-06"),
                finish: Some("length"),
                input: Some(1200),
                output: Some(80),
                cache_read: Some(1024),
                ..Expected::default()
            },
        },
        Case {
            name: "xAI, whose reasoning stands apart",
            url: "https://api.x.ai/v1/chat/completions",
            request: r#"{"model":"grok-4"}"#,
            kind: JSON,
            body: br#"{"id":"x","model":"grok-4","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}}"#.to_vec(),
            span: "chat grok-4",
            expected: Expected {
                id: Some("x"),
                model: Some("grok-4"),
                finish: Some("stop"),
                input: Some(10),
                output: Some(105),
                reasoning: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI responses, streamed",
            url: "https://api.openai.com/v1/responses",
            request: r#"{"model":"gpt-5","input":"hi","stream":true,"reasoning":{"effort":"low"}}"#,
            kind: SSE,
            body: b"event: response.created\r\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"model\":\"gpt-5-2025-08-07\",\"usage\":null}}\r\n\r\nevent: response.output_text.delta\r\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\r\n\r\nevent: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"model\":\"gpt-5-2025-08-07\",\"error\":null,\"usage\":{\"input_tokens\":300,\"input_tokens_details\":{\"cached_tokens\":200},\"output_tokens\":90,\"output_tokens_details\":{\"reasoning_tokens\":64},\"total_tokens\":390}}}\r\n\r\n".to_vec(),
            span: "chat gpt-5",
            expected: Expected {
                id: Some("resp_1"),
                model: Some("gpt-5-2025-08-07"),
                finish: Some("completed"),
                input: Some(300),
                output: Some(90),
                cache_read: Some(200),
                reasoning: Some(64),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI embeddings",
            url: "https://api.openai.com/v1/embeddings",
            request: r#"{"model":"text-embedding-3-small","input":["a","b"],"dimensions":2}"#,
            kind: JSON,
            body: br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.2e-3]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":7,"total_tokens":7}}"#.to_vec(),
            span: "embeddings text-embedding-3-small",
            expected: Expected {
                model: Some("text-embedding-3-small"),
                input: Some(7),
                ..Expected::default()
            },
        },
        Case {
            name: "Anthropic messages",
            url: "https://api.anthropic.com/v1/messages",
            request: r#"{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[]}"#,
            kind: JSON,
            body: br#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":20,"cache_creation_input_tokens":300,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":50,"service_tier":"standard"}}"#.to_vec(),
            span: "chat claude-sonnet-4-5",
            expected: Expected {
                id: Some("msg_1"),
                model: Some("claude-sonnet-4-5-20250929"),
                finish: Some("end_turn"),
                input: Some(1320),
                output: Some(50),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
        Case {
            name: "Anthropic messages, streamed",
            url: "https://api.anthropic.com/v1/messages",
            request: r#"{"model":"claude-sonnet-4-5","max_tokens":100,"stream":true}"#,
            kind: SSE,
            body: b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-5-20250929\",\"stop_reason\":null,\"usage\":{\"input_tokens\":20,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":1000,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"stop_reason\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":50}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_vec(),
            span: "chat claude-sonnet-4-5",
            expected: Expected {
                id: Some("msg_1"),
                model: Some("claude-sonnet-4-5-20250929"),
                finish: Some("max_tokens"),
                input: Some(1320),
                output: Some(50),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
        Case {
            name: "Gemini",
            url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            request: r#"{"contents":[],"generationConfig":{"temperature":0.5,"maxOutputTokens":10}}"#,
            kind: "application/json; charset=UTF-8",
            body: br#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":500,"candidatesTokenCount":40,"totalTokenCount":650,"cachedContentTokenCount":400,"thoughtsTokenCount":100,"toolUsePromptTokenCount":10,"promptTokensDetails":[{"modality":"TEXT","tokenCount":450},{"modality":"AUDIO","tokenCount":50}]},"modelVersion":"gemini-2.5-flash","responseId":"g-1"}"#.to_vec(),
            span: "generate_content gemini-2.5-flash",
            expected: Expected {
                id: Some("g-1"),
                model: Some("gemini-2.5-flash"),
                finish: Some("STOP"),
                input: Some(510),
                output: Some(140),
                cache_read: Some(400),
                reasoning: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "Gemini, streamed as events",
            url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            request: "{}",
            kind: "text/event-stream",
            body: b"data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"h\"}]}}],\"usageMetadata\": {\"promptTokenCount\": 500,\"totalTokenCount\": 500},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"g-1\"}\r\n\r\ndata: {\"candidates\": [{\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": 500,\"candidatesTokenCount\": 40,\"thoughtsTokenCount\": 100,\"totalTokenCount\": 640},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"g-1\"}\r\n\r\n".to_vec(),
            span: "generate_content gemini-2.5-flash",
            expected: Expected {
                id: Some("g-1"),
                model: Some("gemini-2.5-flash"),
                finish: Some("STOP"),
                input: Some(500),
                output: Some(140),
                reasoning: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "Gemini, streamed as an array",
            url: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent",
            request: "{}",
            kind: JSON,
            body: b"[{\"candidates\": [{\"content\": {}}],\"responseId\": \"g-1\"}\n,\r\n{\"candidates\": [{\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": 5,\"candidatesTokenCount\": 4}}\n]".to_vec(),
            span: "generate_content gemini-2.5-pro",
            expected: Expected {
                id: Some("g-1"),
                finish: Some("STOP"),
                input: Some(5),
                output: Some(4),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock converse",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse",
            request: r#"{"messages":[],"inferenceConfig":{"maxTokens":10}}"#,
            kind: JSON,
            body: br#"{"metrics":{"latencyMs":5},"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":30,"outputTokens":20,"totalTokens":1350,"cacheReadInputTokens":1000,"cacheWriteInputTokens":300}}"#.to_vec(),
            span: "chat amazon.nova-pro-v1:0",
            expected: Expected {
                finish: Some("end_turn"),
                input: Some(1330),
                output: Some(20),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock converse, streamed",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse-stream",
            request: r#"{"messages":[]}"#,
            kind: AWS,
            body: [
                frame("messageStart", r#"{"role":"assistant"}"#),
                frame("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#),
                frame("messageStop", r#"{"stopReason":"max_tokens"}"#),
                frame("metadata", r#"{"metrics":{"latencyMs":5},"usage":{"inputTokens":30,"outputTokens":20,"totalTokens":50,"cacheReadInputTokens":1000,"cacheWriteInputTokens":0}}"#),
            ]
            .concat(),
            span: "chat amazon.nova-pro-v1:0",
            expected: Expected {
                finish: Some("max_tokens"),
                input: Some(1030),
                output: Some(20),
                cache_read: Some(1000),
                cache_write: Some(0),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock invoke of a Claude, streamed",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-5-haiku-20241022-v1%3A0/invoke-with-response-stream",
            request: r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":10}"#,
            kind: AWS,
            body: [
                embedded(r#"{"type":"message_start","message":{"id":"msg_bdrk_1","model":"claude-3-5-haiku-20241022","usage":{"input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}}}"#),
                embedded(r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}"#),
                embedded(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":50}}"#),
                embedded(r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":20,"outputTokenCount":50,"cacheReadInputTokenCount":100}}"#),
            ]
            .concat(),
            span: "chat anthropic.claude-3-5-haiku-20241022-v1:0",
            expected: Expected {
                id: Some("msg_bdrk_1"),
                finish: Some("end_turn"),
                input: Some(120),
                output: Some(50),
                cache_read: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere chat, streamed",
            url: "https://api.cohere.com/v2/chat",
            request: r#"{"model":"command-a-03-2025","stream":true,"p":0.9,"k":5}"#,
            kind: "text/event-stream",
            body: b"event: message-start\ndata: {\"id\":\"c-1\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\nevent: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":8},\"tokens\":{\"input_tokens\":500,\"output_tokens\":10}}}}\n\ndata: [DONE]\n\n".to_vec(),
            span: "chat command-a-03-2025",
            expected: Expected {
                id: Some("c-1"),
                finish: Some("COMPLETE"),
                input: Some(9),
                output: Some(8),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere chat of version 1, streamed as lines",
            url: "https://api.cohere.com/v1/chat",
            request: r#"{"model":"command-r","stream":true}"#,
            kind: "application/stream+json",
            body: b"{\"is_finished\":false,\"event_type\":\"stream-start\",\"generation_id\":\"c-1\"}\n{\"event_type\":\"text-generation\",\"text\":\"hi\"}\n{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\",\"response\":{\"generation_id\":\"c-1\",\"meta\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":8}}}}\n".to_vec(),
            span: "chat command-r",
            expected: Expected {
                id: Some("c-1"),
                finish: Some("COMPLETE"),
                input: Some(9),
                output: Some(8),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere rerank",
            url: "https://api.cohere.com/v2/rerank",
            request: r#"{"model":"rerank-v3.5","query":"q","documents":[],"top_n":3}"#,
            kind: JSON,
            body: br#"{"id":"r-1","results":[{"index":3,"relevance_score":0.99}],"meta":{"billed_units":{"search_units":1}}}"#.to_vec(),
            span: "rerank rerank-v3.5",
            expected: Expected {
                id: Some("r-1"),
                ..Expected::default()
            },
        },
    ]
}

#[test]
fn every_format_is_read_wherever_its_bytes_are_split() {
    for case in cases() {
        let recorder = Recorder::new();
        let mut splits = vec![pieces(&[&case.body])];
        splits.push(pieces(&case.body.chunks(1).collect::<Vec<_>>()));
        for at in 1..case.body.len() {
            let (head, tail) = case.body.split_at(at);
            splits.push(pieces(&[head, tail]));
        }
        for split in splits {
            assert_eq!(
                run(&recorder, &case, 200, split),
                case.body,
                "{}",
                case.name
            );
            check(&recorder.span(), &case);
            recorder.clear();
        }
    }
}

#[test]
fn a_stream_broken_off_anywhere_ends_its_span_and_keeps_what_was_known() {
    for case in cases() {
        let recorder = Recorder::new();
        for at in 0..case.body.len() {
            let mut parts = pieces(&[&case.body[..at]]);
            parts.push(Err("connection reset"));
            run(&recorder, &case, 200, parts);
            let span = recorder.span();
            assert_eq!(
                text(&span, "error.type").as_deref(),
                Some("body"),
                "{}",
                case.name
            );
            recorder.clear();
        }
    }
}

#[test]
fn a_body_dropped_halfway_is_cancelled_unless_its_answer_is_known() {
    let cases = cases();
    let case = cases
        .iter()
        .find(|case| case.name == "OpenAI chat, streamed")
        .unwrap();
    let end_of_answer = case
        .body
        .windows(7)
        .position(|bytes| bytes == b"length\"")
        .unwrap();
    for (at, error) in [(20, Some("cancelled")), (end_of_answer + 40, None)] {
        let recorder = Recorder::new();
        let genai = recorder.genai();
        let answer = Answer {
            status: 200,
            headers: vec![("content-type", SSE.to_owned())],
            pieces: pieces(&[&case.body[..at], &case.body[at..]]),
        };
        let mut service = GenAiLayer::new(HttpCalls::new().genai(genai)).layer(answer);
        let request = Request::post(case.url)
            .body(Full::from(case.request))
            .unwrap();
        let mut body = block_on(service.call(request)).unwrap().into_body();
        block_on(body.frame()).unwrap().unwrap();
        drop(body);
        assert_eq!(text(&recorder.span(), "error.type").as_deref(), error);
    }
}

#[test]
fn errors_inside_a_stream_are_named() {
    let stream = |url, kind, body: &[u8]| Case {
        name: "error",
        url,
        request: r#"{"model":"m","stream":true}"#,
        kind,
        body: body.to_vec(),
        span: "",
        expected: Expected::default(),
    };
    let anthropic = "https://api.anthropic.com/v1/messages";
    let bedrock = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream";
    let exception = framed(
        &[
            (":exception-type", "throttlingException"),
            (":message-type", "exception"),
        ],
        r#"{"message":"slow down"}"#,
    );
    let cases = [
        (stream(anthropic, SSE, b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), "overloaded_error"),
        (stream("https://api.openai.com/v1/chat/completions", SSE, b"data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"code\":null}}\n\n"), "server_error"),
        (stream("https://openrouter.ai/api/v1/chat/completions", SSE, b"data: {\"id\":\"x\",\"error\":{\"code\":502,\"message\":\"bad\"}}\n\n"), "502"),
        (stream("https://api.openai.com/v1/responses", SSE, b"data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}\n\n"), "rate_limit_exceeded"),
        (stream("https://api.openai.com/v1/responses", SSE, b"data: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"x\"}}}\n\n"), "server_error"),
        (stream("https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent", SSE, b"data: {\"error\":{\"code\":503,\"message\":\"x\",\"status\":\"UNAVAILABLE\"}}\n\n"), "UNAVAILABLE"),
        (stream(bedrock, AWS, &exception), "throttlingException"),
    ];
    for (case, error) in cases {
        let recorder = Recorder::new();
        run(&recorder, &case, 200, pieces(&[&case.body]));
        let span = recorder.span();
        assert_eq!(
            text(&span, "error.type").as_deref(),
            Some(error),
            "{}",
            case.url
        );
        assert!(matches!(span.status, Status::Error { .. }));
    }
}

#[test]
fn a_stream_without_usage_is_a_span_without_usage() {
    let recorder = Recorder::new();
    let case = Case {
        name: "no usage",
        url: "https://api.openai.com/v1/chat/completions",
        request: r#"{"model":"gpt-4o","stream":true}"#,
        kind: SSE,
        body: b"data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".to_vec(),
        span: "chat gpt-4o",
        expected: Expected {
            id: Some("c"),
            model: Some("m"),
            finish: Some("stop"),
            ..Expected::default()
        },
    };
    run(&recorder, &case, 200, pieces(&[&case.body]));
    check(&recorder.span(), &case);
}

#[test]
fn a_refused_request_is_an_error_by_the_providers_name_or_the_status() {
    let openai = "https://api.openai.com/v1/chat/completions";
    let cases = [
        (
            429,
            r#"{"error":{"message":"x","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
            "rate_limit_exceeded",
        ),
        (
            401,
            r#"{"error":{"message":"x","type":"invalid_request_error","code":null}}"#,
            "invalid_request_error",
        ),
        (502, "<html>Bad Gateway</html>", "502"),
        (
            500,
            r#"{"error":{"code":"an id like 5f3c: never twice the same"}}"#,
            "500",
        ),
    ];
    for (status, body, error) in cases {
        let recorder = Recorder::new();
        let case = Case {
            name: "refused",
            url: openai,
            request: r#"{"model":"gpt-4o"}"#,
            kind: JSON,
            body: body.as_bytes().to_vec(),
            span: "chat gpt-4o",
            expected: Expected::default(),
        };
        run(&recorder, &case, status, pieces(&[body.as_bytes()]));
        let span = recorder.span();
        assert_eq!(text(&span, "error.type").as_deref(), Some(error));
        assert_eq!(value(&span, "costflame.instrumentation.unread"), None);
    }
}

#[test]
fn what_cannot_be_read_says_so_and_is_counted() {
    let recorder = Recorder::new();
    let mut case = Case {
        name: "unreadable",
        url: "https://api.openai.com/v1/chat/completions",
        request: r#"{"model":"gpt-4o"}"#,
        kind: JSON,
        body: b"{\"id\":\"c\",\"usage\":{\"prompt_tokens\":5,".to_vec(),
        span: "chat gpt-4o",
        expected: Expected::default(),
    };
    run(&recorder, &case, 200, pieces(&[&case.body]));
    let span = recorder.span();
    assert_eq!(
        text(&span, "costflame.instrumentation.unread").as_deref(),
        Some("invalid")
    );
    assert_eq!(int(&span, "gen_ai.usage.input_tokens"), Some(5));

    recorder.clear();
    case.request = "not json";
    case.body = b"{}".to_vec();
    run(&recorder, &case, 200, pieces(&[&case.body]));
    let span = recorder.span();
    assert_eq!(span.name, "chat");
    assert_eq!(
        text(&span, "costflame.instrumentation.unread").as_deref(),
        Some("request")
    );
}

#[test]
fn a_compressed_body_is_passed_on_and_said_to_be_unread() {
    let recorder = Recorder::new();
    let answer = Answer {
        status: 200,
        headers: vec![
            ("content-type", JSON.to_owned()),
            ("content-encoding", "gzip".to_owned()),
        ],
        pieces: pieces(&[b"\x1f\x8b..."]),
    };
    let mut service = GenAiLayer::new(HttpCalls::new().genai(recorder.genai())).layer(answer);
    let request = Request::post("https://api.openai.com/v1/chat/completions")
        .body(Full::from(r#"{"model":"m"}"#))
        .unwrap();
    let body = block_on(service.call(request)).unwrap().into_body();
    assert_eq!(
        block_on(body.collect()).unwrap().to_bytes(),
        &b"\x1f\x8b..."[..]
    );
    assert_eq!(
        text(&recorder.span(), "costflame.instrumentation.unread").as_deref(),
        Some("encoded")
    );
    let unread = recorder.metric("costflame.instrumentation.unread").unwrap();
    assert_eq!(unread.points[0].label("reason"), Some("encoded"));
}

#[test]
fn requests_become_the_attributes_of_their_page() {
    let recorder = Recorder::new();
    let case = Case {
        name: "request",
        url: "https://api.openai.com:8443/v1/chat/completions",
        request: r#"{"model":"gpt-4o","n":2,"max_completion_tokens":100,"temperature":1,"top_p":0.9,"seed":-7,"stop":["a","b"],"frequency_penalty":0.1,"presence_penalty":-0.2,"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{}},"service_tier":"flex","messages":[{"role":"user","content":"model"}]}"#,
        kind: JSON,
        body: b"{}".to_vec(),
        span: "",
        expected: Expected::default(),
    };
    run(&recorder, &case, 200, pieces(&[&case.body]));
    let span = recorder.span();
    for (key, expected) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o"),
        ("gen_ai.request.choice.count", "2"),
        ("gen_ai.request.max_tokens", "100"),
        ("gen_ai.request.temperature", "1"),
        ("gen_ai.request.top_p", "0.9"),
        ("gen_ai.request.seed", "-7"),
        ("gen_ai.request.stop_sequences", r#"["a","b"]"#),
        ("gen_ai.request.frequency_penalty", "0.1"),
        ("gen_ai.request.presence_penalty", "-0.2"),
        ("gen_ai.request.reasoning.level", "low"),
        ("gen_ai.output.type", "json"),
        ("openai.request.service_tier", "flex"),
        ("openai.api.type", "chat_completions"),
        ("server.address", "api.openai.com"),
        ("server.port", "8443"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(value(&span, "gen_ai.request.stream"), None);
}

#[test]
fn other_requests_pass_without_a_span() {
    let recorder = Recorder::new();
    for (method, url) in [
        ("GET", "https://api.openai.com/v1/responses"),
        ("POST", "https://example.com/v1/chat/completions"),
        ("POST", "https://api.openai.com/v1/files"),
    ] {
        let answer = Answer {
            status: 200,
            headers: Vec::new(),
            pieces: pieces(&[b"as it is"]),
        };
        let mut service = GenAiLayer::new(HttpCalls::new().genai(recorder.genai())).layer(answer);
        let request = Request::builder()
            .method(method)
            .uri(url)
            .body(Full::from("x"))
            .unwrap();
        let body = block_on(service.call(request)).unwrap().into_body();
        assert_eq!(block_on(body.collect()).unwrap().to_bytes(), "as it is");
    }
    assert!(recorder.spans().is_empty());
}

#[test]
fn own_hosts_are_recognised() {
    let recorder = Recorder::new();
    let answer = Answer {
        status: 200,
        headers: vec![("content-type", JSON.to_owned())],
        pieces: pieces(&[br#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#]),
    };
    let calls = HttpCalls::new()
        .genai(recorder.genai())
        .host("gateway.internal", Provider::from("our-gateway"));
    let mut service = GenAiLayer::new(calls).layer(answer);
    let request = Request::post("http://gateway.internal/v1/chat/completions")
        .body(Full::from(r#"{"model":"m"}"#))
        .unwrap();
    drop(block_on(service.call(request)).unwrap());
    let span = recorder.span();
    assert_eq!(
        text(&span, "gen_ai.provider.name").as_deref(),
        Some("our-gateway")
    );
    assert_eq!(int(&span, "server.port"), Some(80));
}
