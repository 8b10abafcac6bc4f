//! A model provider that needs no key: OpenAI's and Anthropic's formats, whole and streamed.
//!
//! Its answers are made up; its usage is computed from the request and kept, so that a run can be checked against it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::post,
};
use costflame_instrumentation::{GenAiMiddleware, HttpCalls, Provider};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::{Value, json};

use crate::{Error, serve};

/// Names a provider that runs already, as `HOST:PORT`.
const ADDRESS: &str = "MOCK_PROVIDER";

/// A provider that runs, here or in another process.
#[derive(Clone, Debug)]
pub struct MockProvider {
    /// Where it listens, `HOST:PORT`.
    pub address: String,
    answers: Answers,
}

type Answers = Arc<Mutex<Vec<Answer>>>;

/// What the provider billed for one request. The counts exclude each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The id of the response; embeddings have none.
    pub id: Option<String>,
    /// The model asked for, which is the one that answers.
    pub model: String,
    /// Tokens no cache had.
    pub input: u64,
    /// Tokens read from the cache.
    pub cache_read: u64,
    /// Tokens written to the cache, for five minutes.
    pub cache_write: u64,
    /// Tokens generated.
    pub output: u64,
}

impl MockProvider {
    /// The one that `MOCK_PROVIDER` names, else a new one.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn reach() -> Result<Self, Error> {
        match std::env::var(ADDRESS) {
            Ok(address) => Ok(Self {
                address,
                answers: Answers::default(),
            }),
            Err(_) => Self::start().await,
        }
    }

    /// Starts one on a free port of this machine; it lives as long as the runtime.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start() -> Result<Self, Error> {
        let answers = Answers::default();
        let routes = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embeddings))
            .route("/v1/messages", post(messages))
            .with_state(Arc::clone(&answers));
        let address = serve(routes).await?;
        Ok(Self { address, answers })
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

    /// Tells another program where it is.
    pub fn environment(&self) -> (&'static str, &str) {
        (ADDRESS, &self.address)
    }

    /// What it has billed since it was started here.
    pub fn answers(&self) -> Vec<Answer> {
        let answers = self.answers.lock();
        answers.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Bills a request: roughly four characters a token; of a long prompt all but the last 100 tokens were cached.
fn bill(answers: &Answers, request: &Value, prompt: &str, prefix: &str, output: u64) -> Answer {
    let tokens = request[prompt].to_string().len() as u64 / 4 + 1;
    let cache_read = tokens.saturating_sub(100) / 128 * 128;
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    let answer = Answer {
        id: (!prefix.is_empty()).then(|| unique(prefix, answers.len())),
        model,
        input: tokens - cache_read,
        cache_read,
        cache_write: 0,
        output,
    };
    answers.push(answer.clone());
    answer
}

/// An id no other answer has, in this run or another: the same id twice is the same call.
fn unique(prefix: &str, count: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{prefix}-{now:x}-{:x}-{count}", std::process::id())
}

async fn chat(State(answers): State<Answers>, Json(request): Json<Value>) -> Response {
    let Answer {
        id,
        model,
        input,
        cache_read,
        output,
        ..
    } = bill(&answers, &request, "messages", "chatcmpl", 12);
    let prompt = input + cache_read;
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cache_read},
    });
    if request["stream"] != true {
        let message = json!({"role": "assistant", "content": "An answer of twelve tokens."});
        return Json(json!({
            "id": id, "object": "chat.completion", "model": model, "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }))
        .into_response();
    }
    let chunk = |choices: Value, usage: &Value| json!({"id": id, "object": "chat.completion.chunk", "model": model, "choices": choices, "usage": usage});
    let choice = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
    let mut events: Vec<String> = ["An ", "answer."]
        .map(|word| chunk(choice(json!({"content": word}), Value::Null), &Value::Null))
        .into_iter()
        .chain([chunk(choice(json!({}), json!("stop")), &Value::Null)])
        .map(|chunk| format!("data: {chunk}\n\n"))
        .collect();
    if request["stream_options"]["include_usage"] == true {
        events.push(format!("data: {}\n\n", chunk(json!([]), &usage)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    event_stream(events)
}

async fn embeddings(State(answers): State<Answers>, Json(request): Json<Value>) -> Json<Value> {
    let answer = bill(&answers, &request, "input", "", 0);
    let tokens = answer.input + answer.cache_read;
    Json(json!({
        "object": "list", "model": answer.model,
        "data": [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

/// Asks for a tool first, if there is one, and answers once its result is among the messages.
async fn messages(State(answers): State<Answers>, Json(request): Json<Value>) -> Response {
    let answer = bill(&answers, &request, "messages", "msg", 20);
    let searched = request["messages"].to_string().contains("tool_result");
    let (content, reason) = match request["tools"].is_array() && !searched {
        true => (
            json!({"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"query": "costs"}}),
            "tool_use",
        ),
        false => (json!({"type": "text", "text": "Found it."}), "end_turn"),
    };
    let usage = json!({
        "input_tokens": answer.input, "cache_read_input_tokens": answer.cache_read,
        "cache_creation_input_tokens": answer.cache_write, "output_tokens": answer.output,
    });
    let mut message = json!({
        "id": answer.id, "type": "message", "role": "assistant", "model": answer.model,
        "content": [content], "stop_reason": reason, "usage": usage,
    });
    if request["stream"] != true {
        return Json(message).into_response();
    }
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    message["usage"]["output_tokens"] = json!(1);
    let delta = json!({"type": "text_delta", "text": "Found it."});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": answer.output}}),
        json!({"type": "message_stop"}),
    ];
    let events = events.map(|event| {
        let kind = event["type"].as_str().unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    });
    event_stream(events.to_vec())
}

fn event_stream(events: Vec<String>) -> Response {
    let events = futures::stream::iter(events.into_iter().map(Ok::<_, Infallible>));
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
        .into_response()
}
