//! What the examples share: a provider that needs no key, and a client that is instrumented.
//!
//! The provider speaks OpenAI's and Anthropic's formats, whole and streamed. Its answers are made up, its usage is
//! computed from the request, so that a run can be checked.
#![allow(clippy::print_stdout, reason = "examples talk to their user")]

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Body,
    http::header,
    response::{IntoResponse, Response},
    routing::post,
};
use costflame_instrumentation::{GenAiMiddleware, HttpCalls, Provider};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::{Value, json};

/// The failure of an example.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A running provider.
#[derive(Clone, Debug)]
pub struct MockProvider {
    /// Where it listens, `127.0.0.1:PORT`.
    pub address: String,
}

impl MockProvider {
    /// Starts it on a free port of this machine; it lives as long as the runtime.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start() -> Result<Self, Error> {
        let routes = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embeddings))
            .route("/v1/messages", post(messages));
        let address = serve(routes).await?;
        Ok(Self { address })
    }

    /// The URL of one of its endpoints.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A client whose calls to it become spans of this provider.
    pub fn client(&self, provider: Provider) -> ClientWithMiddleware {
        let calls = HttpCalls::new().host(&*self.address, provider);
        ClientBuilder::new(reqwest::Client::new())
            .with(GenAiMiddleware::new(calls))
            .build()
    }
}

/// Serves routes on a free port; its address.
///
/// # Errors
///
/// When no port is free.
pub async fn serve(routes: Router) -> Result<String, Error> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

/// Says where the run can be seen.
pub fn where_to_look(what: &str) {
    println!("{what}");
    println!("The spans went to OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318 without it.");
    println!("With `costflame` running, look at http://127.0.0.1:4319: flamegraph, then traces.");
}

/// Roughly four characters a token; of a long prompt all but the last 100 tokens were cached.
fn usage(prompt: &Value) -> (u64, u64) {
    let tokens = prompt.to_string().len() as u64 / 4 + 1;
    (tokens, tokens.saturating_sub(100) / 128 * 128)
}

/// An id no other answer has, in this run or another: the same id twice is the same call.
fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{prefix}-{:x}-{:x}-{count}",
        now.as_nanos(),
        std::process::id()
    )
}

async fn chat(Json(request): Json<Value>) -> Response {
    let (prompt, cached) = usage(&request["messages"]);
    let model = request["model"]
        .as_str()
        .unwrap_or("gpt-4o-mini")
        .to_owned();
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": 12, "total_tokens": prompt + 12,
        "prompt_tokens_details": {"cached_tokens": cached},
    });
    let id = unique("chatcmpl");
    if request["stream"] != true {
        let message = json!({"role": "assistant", "content": "An answer of twelve tokens."});
        return Json(json!({
            "id": id, "object": "chat.completion", "model": model, "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }))
        .into_response();
    }
    let chunk = |choices: Value, usage: Value| json!({"id": id, "object": "chat.completion.chunk", "model": model, "choices": choices, "usage": usage});
    let word =
        |word: &str| json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}]);
    let mut events: Vec<String> = ["An ", "answer."]
        .iter()
        .map(|text| format!("data: {}\n\n", chunk(word(text), Value::Null)))
        .collect();
    let stop = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    events.push(format!("data: {}\n\n", chunk(stop, Value::Null)));
    if request["stream_options"]["include_usage"] == true {
        events.push(format!("data: {}\n\n", chunk(json!([]), usage)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    event_stream(events)
}

async fn embeddings(Json(request): Json<Value>) -> Json<Value> {
    let (tokens, _) = usage(&request["input"]);
    Json(json!({
        "object": "list", "model": request["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

/// Asks for the tool `search` first, and answers once its result is among the messages.
async fn messages(Json(request): Json<Value>) -> Json<Value> {
    let (prompt, cached) = usage(&request["messages"]);
    let searched = request["messages"].to_string().contains("tool_result");
    let (content, reason) = match searched {
        true => (json!([{"type": "text", "text": "Found it."}]), "end_turn"),
        false => {
            let call = json!({"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"query": "costs"}});
            (json!([call]), "tool_use")
        }
    };
    Json(json!({
        "id": unique("msg"), "type": "message", "role": "assistant", "model": request["model"],
        "content": content, "stop_reason": reason,
        "usage": {"input_tokens": prompt - cached, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0, "output_tokens": 20},
    }))
}

fn event_stream(events: Vec<String>) -> Response {
    let events = futures::stream::iter(events.into_iter().map(Ok::<_, Infallible>));
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
        .into_response()
}
