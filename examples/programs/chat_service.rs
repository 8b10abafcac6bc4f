//! A chat service on axum: each request is a span of `tracing`, its user and feature are on every call below, the answer
//! is streamed from the provider to the caller.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use costflame_examples::{Error, MockProvider, serve, where_to_look};
use costflame_instrumentation::{Provider, attribute_to, setup};
use opentelemetry::trace::FutureExt;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::json;

#[derive(Clone)]
struct Service {
    provider: MockProvider,
    openai: ClientWithMiddleware,
    anthropic: ClientWithMiddleware,
}

async fn chat(
    State(service): State<Service>,
    Path(model): Path<String>,
    headers: HeaderMap,
    question: String,
) -> Response {
    let user = headers.get("x-user").and_then(|user| user.to_str().ok());
    let context = attribute_to()
        .feature("chat")
        .user(user.unwrap_or("anonymous").to_owned())
        .context();
    answer(service, &model, question)
        .with_context(context)
        .await
}

#[tracing::instrument(skip_all, fields(otel.name = "POST /chat/{model}", otel.kind = "server", http.route = "/chat/{model}"))]
async fn answer(service: Service, model: &str, question: String) -> Response {
    let mut request = json!({
        "model": model,
        "stream": true,
        "messages": [{"role": "user", "content": question}],
    });
    let (client, path) = match model.starts_with("claude") {
        true => {
            request["max_tokens"] = 200.into();
            (service.anthropic, "/v1/messages")
        }
        false => {
            // Without it OpenAI tells no usage of a stream.
            request["stream_options"] = json!({"include_usage": true});
            (service.openai, "/v1/chat/completions")
        }
    };
    let url = service.provider.url(path);
    match client.post(url).json(&request).send().await {
        Ok(answer) => Response::new(Body::from_stream(answer.bytes_stream())),
        Err(error) => {
            tracing::error!(%error, "the provider did not answer");
            let mut failure = Response::new(Body::empty());
            *failure.status_mut() = StatusCode::BAD_GATEWAY;
            failure
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let telemetry = setup("chat-service")?;
    let provider = MockProvider::reach().await?;
    let service = Service {
        openai: provider.client(Provider::OPENAI),
        anthropic: provider.client(Provider::ANTHROPIC),
        provider,
    };
    let routes = Router::new().route("/chat/{model}", post(chat));
    let address = serve(routes.with_state(service)).await?;

    // Three users ask; a real service would wait for them.
    for (user, model) in [
        ("ada", "gpt-4o-mini"),
        ("ben", "gpt-4o-mini"),
        ("cleo", "claude-sonnet-4-5"),
    ] {
        let url = format!("http://{address}/chat/{model}");
        let question = reqwest::Client::new().post(url).header("x-user", user);
        question
            .body("Why is the sky blue?")
            .send()
            .await?
            .bytes()
            .await?;
    }
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    where_to_look(
        "Three users chatted with two models; feature `chat`, users `ada`, `ben` and `cleo`.",
    );
    Ok(())
}
