//! An `async-openai` client, whole and streamed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use axum::{Router, http::header, routing::post};
use costflame_instrumentation::{AsyncOpenAi, HttpCalls, Provider};
use futures::StreamExt;
use support::{Recorder, int, text};

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,"prompt_tokens_details":{"cached_tokens":1024}}}"#;
const EVENTS: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":80,\"total_tokens\":1280}}\n\ndata: [DONE]\n\n";

async fn chat(body: String) -> ([(header::HeaderName, &'static str); 1], &'static str) {
    match body.contains(r#""stream":true"#) {
        true => ([(header::CONTENT_TYPE, "text/event-stream")], EVENTS),
        false => ([(header::CONTENT_TYPE, "application/json")], WHOLE),
    }
}

async fn client(recorder: &Recorder) -> Client<OpenAIConfig> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let routes = Router::new().route("/v1/chat/completions", post(chat));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let calls = HttpCalls::new()
        .genai(recorder.genai())
        .host(&*address, Provider::OPENAI);
    let config = OpenAIConfig::new()
        .with_api_base(format!("http://{address}/v1"))
        .with_api_key("none");
    Client::with_config(config).with_http_service(AsyncOpenAi::new(reqwest::Client::new(), calls))
}

fn request() -> async_openai::types::chat::CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessageArgs::default()
        .content("hi")
        .build()
        .unwrap();
    CreateChatCompletionRequestArgs::default()
        .model("gpt-4o")
        .messages([message.into()])
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_chat_is_a_span() {
    let recorder = Recorder::new();
    let answer = client(&recorder)
        .await
        .chat()
        .create(request())
        .await
        .unwrap();
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("hi"));
    let span = recorder.span();
    assert_eq!(span.name, "chat gpt-4o");
    assert_eq!(
        int(&span, "gen_ai.usage.cache_read.input_tokens"),
        Some(1024)
    );
}

#[tokio::test]
async fn a_streamed_chat_is_a_span_with_its_usage() {
    let recorder = Recorder::new();
    let mut stream = client(&recorder)
        .await
        .chat()
        .create_stream(request())
        .await
        .unwrap();
    let mut chunks = 0;
    while let Some(chunk) = stream.next().await {
        chunk.unwrap();
        chunks += 1;
    }
    drop(stream);
    assert_eq!(chunks, 2);
    let span = wait_for_span(&recorder).await;
    assert_eq!(int(&span, "gen_ai.usage.output_tokens"), Some(80));
    assert_eq!(text(&span, "error.type"), None);
}

/// The client reads its stream in a task of its own.
async fn wait_for_span(recorder: &Recorder) -> opentelemetry_sdk::trace::SpanData {
    while recorder.spans().is_empty() {
        tokio::task::yield_now().await;
    }
    recorder.span()
}
