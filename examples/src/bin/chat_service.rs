//! A chat service on axum: each request is a span of `tracing`, its user and feature are on every call below, the answer
//! is streamed from the provider to the caller.

use axum::{
    Router, body::Body, extract::State, http::HeaderMap, response::Response, routing::post,
};
use costflame_examples::{Error, MockProvider, serve, where_to_look};
use costflame_instrumentation::{Provider, attribute_to, setup};
use opentelemetry::trace::FutureExt;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::json;

#[derive(Clone)]
struct Service {
    provider: MockProvider,
    client: ClientWithMiddleware,
}

async fn chat(State(service): State<Service>, headers: HeaderMap, question: String) -> Response {
    let user = headers.get("x-user").and_then(|user| user.to_str().ok());
    let context = attribute_to()
        .feature("chat")
        .user(user.unwrap_or("anonymous").to_owned())
        .context();
    answer(service, question).with_context(context).await
}

#[tracing::instrument(skip_all, fields(otel.name = "POST /chat", otel.kind = "server", http.route = "/chat"))]
async fn answer(service: Service, question: String) -> Response {
    let request = json!({
        "model": "gpt-4o-mini",
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": question}],
    });
    let url = service.provider.url("/v1/chat/completions");
    match service.client.post(url).json(&request).send().await {
        Ok(answer) => Response::new(Body::from_stream(answer.bytes_stream())),
        Err(error) => {
            tracing::error!(%error, "the provider did not answer");
            let mut failure = Response::new(Body::empty());
            *failure.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
            failure
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let telemetry = setup("chat-service")?;
    let provider = MockProvider::start().await?;
    let service = Service {
        client: provider.client(Provider::OPENAI),
        provider,
    };
    let address = serve(Router::new().route("/chat", post(chat)).with_state(service)).await?;

    // Three users ask; a real service would wait for them.
    for user in ["ada", "ben", "cleo"] {
        let url = format!("http://{address}/chat");
        let question = reqwest::Client::new().post(url).header("x-user", user);
        question
            .body("Why is the sky blue?")
            .send()
            .await?
            .bytes()
            .await?;
    }
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    where_to_look("Three users chatted; feature `chat`, users `ada`, `ben` and `cleo`.");
    Ok(())
}
