//! The real SDK against canned answers: what it reads is what was sent, and the span says what it cost.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use aws_sdk_bedrockruntime::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig,
    },
    primitives::Blob,
    types::{ContentBlock, ConversationRole, ConverseStreamOutput, Message},
};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use costflame_instrumentation::{GenAi, HttpCalls};
use costflame_instrumentation_bedrock::GenAiHttpClient;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

const MODEL: &str = "anthropic.claude-3-5-haiku-20241022-v1:0";
const CONVERSED: &str = r#"{"metrics":{"latencyMs":10},"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":20,"outputTokens":50,"totalTokens":170,"cacheReadInputTokens":100,"cacheWriteInputTokens":0}}"#;

/// Answers in turn; the last answer stays.
#[derive(Clone, Debug)]
struct Canned {
    answers: Arc<Vec<(u16, &'static str, Vec<u8>)>>,
    asked: Arc<AtomicUsize>,
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let at = self.asked.fetch_add(1, Relaxed).min(self.answers.len() - 1);
        let (status, kind, body) = self.answers[at].clone();
        let status = StatusCode::try_from(status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        response.headers_mut().insert("content-type", kind);
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for Canned {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

struct Program {
    client: Client,
    spans: InMemorySpanExporter,
    asked: Arc<AtomicUsize>,
}

fn program(answers: Vec<(u16, &'static str, Vec<u8>)>) -> Program {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let genai = GenAi::builder().tracer_provider(&tracers).build();
    let asked = Arc::new(AtomicUsize::new(0));
    let http = Canned {
        answers: Arc::new(answers),
        asked: Arc::clone(&asked),
    };
    let retries = RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1));
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .retry_config(retries)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(GenAiHttpClient::new(http).with_calls(HttpCalls::new().genai(genai)))
        .build();
    Program {
        client: Client::from_conf(config),
        spans,
        asked,
    }
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let mut found = span
        .attributes
        .iter()
        .filter(|known| known.key.as_str() == key);
    found.next().map(|known| known.value.to_string())
}

fn is_billed(span: &SpanData) {
    assert_eq!(span.name, format!("chat {MODEL}"));
    for (key, expected) in [
        ("gen_ai.provider.name", "aws.bedrock"),
        ("gen_ai.request.model", MODEL),
        ("server.address", "bedrock-runtime.eu-west-1.amazonaws.com"),
        ("gen_ai.response.finish_reasons", r#"["end_turn"]"#),
        ("gen_ai.usage.input_tokens", "120"),
        ("gen_ai.usage.cache_read.input_tokens", "100"),
        ("gen_ai.usage.output_tokens", "50"),
    ] {
        assert_eq!(attribute(span, key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(attribute(span, "error.type"), None);
}

fn question() -> Message {
    let message = Message::builder().role(ConversationRole::User);
    message
        .content(ContentBlock::Text("hi".to_owned()))
        .build()
        .unwrap()
}

#[tokio::test]
async fn converse_is_a_span_and_the_answer_is_what_it_was() {
    let program = program(vec![(200, "application/json", CONVERSED.into())]);
    let request = program
        .client
        .converse()
        .model_id(MODEL)
        .messages(question());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.usage().unwrap().output_tokens(), 50);
    is_billed(&program.spans.get_finished_spans().unwrap()[0]);
}

#[tokio::test]
async fn every_attempt_is_a_call() {
    let busy = r#"{"message":"slow down","__type":"ThrottlingException"}"#;
    let program = program(vec![
        (429, "application/json", busy.into()),
        (200, "application/json", CONVERSED.into()),
    ]);
    let request = program
        .client
        .converse()
        .model_id(MODEL)
        .messages(question());
    request.send().await.unwrap();
    assert_eq!(program.asked.load(Relaxed), 2);
    let spans = program.spans.get_finished_spans().unwrap();
    assert_eq!(
        attribute(&spans[0], "error.type").as_deref(),
        Some("ThrottlingException")
    );
    is_billed(&spans[1]);
    assert_eq!(spans.len(), 2);
}

#[tokio::test]
async fn a_streamed_answer_is_read_as_it_passes() {
    let stream = [
        frame("messageStart", r#"{"role":"assistant"}"#),
        frame(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#,
        ),
        frame("messageStop", r#"{"stopReason":"end_turn"}"#),
        frame(
            "metadata",
            r#"{"metrics":{"latencyMs":10},"usage":{"inputTokens":20,"outputTokens":50,"totalTokens":170,"cacheReadInputTokens":100,"cacheWriteInputTokens":0}}"#,
        ),
    ];
    let program = program(vec![(
        200,
        "application/vnd.amazon.eventstream",
        stream.concat(),
    )]);
    let request = program
        .client
        .converse_stream()
        .model_id(MODEL)
        .messages(question());
    let mut answer = request.send().await.unwrap();
    let mut said = String::new();
    while let Some(event) = answer.stream.recv().await.unwrap() {
        if let ConverseStreamOutput::ContentBlockDelta(delta) = event {
            said.push_str(delta.delta().unwrap().as_text().unwrap());
        }
    }
    assert_eq!(said, "hi");
    drop(answer);
    let spans = program.spans.get_finished_spans().unwrap();
    is_billed(&spans[0]);
    assert_eq!(
        attribute(&spans[0], "gen_ai.request.stream").as_deref(),
        Some("true")
    );
}

#[tokio::test]
async fn invoke_of_a_foreign_format_still_has_its_bytes() {
    let body = r#"{"anything":["at",1,"all"]}"#;
    let program = program(vec![(200, "application/json", body.into())]);
    let request = program.client.invoke_model().model_id("own.model-v1");
    let answer = request.body(Blob::new("{}")).send().await.unwrap();
    assert_eq!(answer.body().as_ref(), body.as_bytes());
    let spans = program.spans.get_finished_spans().unwrap();
    assert_eq!(spans[0].name, "chat own.model-v1");
}

/// A frame of AWS's event stream, with the checksums the SDK verifies.
fn frame(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":event-type", event),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ] {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = 12 + headers.len() + payload.len() + 4;
    let mut frame = (total as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

/// The checksum of zip and Ethernet, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}
