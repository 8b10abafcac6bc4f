//! The middleware against a provider over real HTTP.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use costflame_instrumentation::{GenAiLayer, GenAiMiddleware, HttpCalls, Provider};
use futures::{StreamExt, stream};
use opentelemetry::trace::{SpanKind, Status};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use support::{Recorder, int, text, value};
use tower::{Layer, Service, service_fn};

const WHOLE: &str = r#"{"id":"chatcmpl-1","model":"gpt-4o-2024-08-06","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,"prompt_tokens_details":{"cached_tokens":1024}}}"#;
const EVENTS: [&str; 3] = [
    "data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"chatcmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"comp",
    "letion_tokens\":80}}\n\ndata: [DONE]\n\n",
];

type Seen = Arc<Mutex<Vec<Bytes>>>;

async fn chat(State(seen): State<Seen>, body: Bytes) -> Response {
    let stream = body.windows(13).any(|bytes| bytes == br#""stream":true"#);
    seen.lock().unwrap().push(body.clone());
    if body.windows(4).any(|bytes| bytes == b"busy") {
        let refusal = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
        return (StatusCode::TOO_MANY_REQUESTS, refusal).into_response();
    }
    if stream {
        let events = stream::iter(EVENTS.map(Ok::<_, std::convert::Infallible>));
        return (
            [(header::CONTENT_TYPE, "text/event-stream")],
            Body::from_stream(events),
        )
            .into_response();
    }
    ([(header::CONTENT_TYPE, "application/json")], WHOLE).into_response()
}

/// A provider on a free port; its address and the bodies it has seen.
async fn provider() -> (String, Seen) {
    let seen = Seen::default();
    let routes = Router::new()
        .route("/v1/chat/completions", post(chat))
        .with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, seen)
}

fn calls(recorder: &Recorder, address: &str) -> HttpCalls {
    HttpCalls::new()
        .genai(recorder.genai())
        .host(address, Provider::OPENAI)
}

fn client(calls: HttpCalls) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new())
        .with(GenAiMiddleware::new(calls))
        .build()
}

#[tokio::test]
async fn a_call_is_a_span_and_the_response_is_what_it_was() {
    let recorder = Recorder::new();
    let (address, _) = provider().await;
    let url = format!("http://{address}/v1/chat/completions?api-version=1");
    let response = client(calls(&recorder, &address))
        .post(&url)
        .body(r#"{"model":"gpt-4o"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.url().as_str(), url);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.content_length(), Some(WHOLE.len() as u64));
    assert!(response.remote_addr().is_some());
    assert_eq!(response.text().await.unwrap(), WHOLE);

    let span = recorder.span();
    assert_eq!(span.name, "chat gpt-4o");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(int(&span, "gen_ai.usage.input_tokens"), Some(1200));
    assert_eq!(
        int(&span, "gen_ai.usage.cache_read.input_tokens"),
        Some(1024)
    );
    assert_eq!(
        text(&span, "gen_ai.response.id").as_deref(),
        Some("chatcmpl-1")
    );
    assert_eq!(
        int(&span, "server.port").map(|port| port.to_string()),
        address.split(':').nth(1).map(str::to_owned)
    );
    assert_eq!(span.status, Status::Unset);
}

#[tokio::test]
async fn a_stream_passes_unchanged_and_its_usage_is_found() {
    let recorder = Recorder::new();
    let (address, _) = provider().await;
    let response = client(calls(&recorder, &address))
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"gpt-4o","stream":true}"#)
        .send()
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(bytes, EVENTS.concat().as_bytes());
    let span = recorder.span();
    assert_eq!(int(&span, "gen_ai.usage.output_tokens"), Some(80));
    assert!(value(&span, "gen_ai.response.time_to_first_chunk").is_some());
    assert_eq!(
        text(&span, "gen_ai.request.stream").as_deref(),
        Some("true")
    );
}

#[tokio::test]
async fn usage_is_asked_for_only_when_told_to() {
    let recorder = Recorder::new();
    let (address, seen) = provider().await;
    let url = format!("http://{address}/v1/chat/completions");
    let silent = r#"{"model":"gpt-4o","stream":true}"#;
    let decided = r#"{"stream_options":{"include_usage":false},"model":"gpt-4o","stream":true}"#;
    let plain = client(calls(&recorder, &address));
    let asking = client(calls(&recorder, &address).ask_for_usage());
    for (client, body) in [(&plain, silent), (&asking, silent), (&asking, decided)] {
        let response = client.post(&url).body(body).send().await.unwrap();
        response.bytes().await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], silent);
    assert_eq!(
        seen[1],
        r#"{"stream_options":{"include_usage":true},"model":"gpt-4o","stream":true}"#
    );
    assert_eq!(seen[2], decided);
}

#[tokio::test]
async fn failures_are_named_and_handed_on() {
    let recorder = Recorder::new();
    let (address, _) = provider().await;
    let response = client(calls(&recorder, &address))
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"busy"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 429);
    drop(response.bytes().await);
    assert_eq!(
        text(&recorder.span(), "error.type").as_deref(),
        Some("rate_limit_exceeded")
    );

    recorder.clear();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    let error = client(calls(&recorder, &address))
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"gpt-4o"}"#)
        .send()
        .await;
    assert!(error.is_err());
    assert_eq!(
        text(&recorder.span(), "error.type").as_deref(),
        Some("connect")
    );
}

#[tokio::test]
async fn a_request_that_is_given_up_is_cancelled() {
    let recorder = Recorder::new();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = client(calls(&recorder, &address));
    let request = client
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"gpt-4o"}"#)
        .send();
    tokio::select! {
        _ = request => panic!("nobody answers"),
        accepted = silent.accept() => drop(accepted.unwrap()),
    }
    assert_eq!(
        text(&recorder.span(), "error.type").as_deref(),
        Some("cancelled")
    );
}

#[tokio::test]
async fn the_layer_works_around_a_reqwest_client() {
    let recorder = Recorder::new();
    let (address, _) = provider().await;
    let mut service = GenAiLayer::new(calls(&recorder, &address)).layer(reqwest::Client::new());
    let request = reqwest::Client::new()
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"gpt-4o"}"#)
        .build()
        .unwrap();
    let response = service.call(request).await.unwrap();
    assert_eq!(response.text().await.unwrap(), WHOLE);
    assert_eq!(
        int(&recorder.span(), "gen_ai.usage.output_tokens"),
        Some(80)
    );
}

#[tokio::test]
async fn no_bytes_are_copied_on_their_way() {
    let recorder = Recorder::new();
    let sent = Bytes::from_static(WHOLE.as_bytes());
    let answer = sent.clone();
    let provider = service_fn(move |_: reqwest::Request| {
        let response = http::Response::new(reqwest::Body::from(answer.clone()));
        ready(Ok::<_, Infallible>(reqwest::Response::from(response)))
    });
    let calls = HttpCalls::new().genai(recorder.genai());
    let request = reqwest::Client::new()
        .post("https://api.openai.com/v1/chat/completions")
        .body(r#"{"model":"gpt-4o"}"#)
        .build()
        .unwrap();
    let mut service = GenAiLayer::new(calls).layer(provider);
    let mut response = service.call(request).await.unwrap();
    let seen = response.chunk().await.unwrap().unwrap();
    assert_eq!((seen.as_ptr(), seen.len()), (sent.as_ptr(), sent.len()));
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(
        int(&recorder.span(), "gen_ai.usage.output_tokens"),
        Some(80)
    );
}

#[tokio::test]
async fn without_a_provider_requests_pass() {
    let (address, _) = provider().await;
    let calls = HttpCalls::new()
        .genai(costflame_instrumentation::GenAi::off())
        .host(&*address, Provider::OPENAI);
    let response = client(calls)
        .post(format!("http://{address}/v1/chat/completions"))
        .body(r#"{"model":"gpt-4o"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), WHOLE);
}
