//! An agent whose tool is another service: one trace over both, and the feature known in both.
//!
//! Started with `search`, this program is that other service.

use std::{collections::HashMap, process::Stdio};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use costflame_examples::{Error, MockProvider, serve, where_to_look};
use costflame_instrumentation::{GenAi, Provider, attribute_to, setup};
use opentelemetry::{Context, global, trace::FutureExt};
use reqwest_middleware::ClientWithMiddleware;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Error> {
    match std::env::args().nth(1).as_deref() {
        Some("search") => search_service().await,
        _ => research().await,
    }
}

/// The agent: asks the model, runs the tool it asks for, asks again.
async fn research() -> Result<(), Error> {
    let telemetry = setup("research-agent")?;
    let genai = GenAi::global();
    let provider = MockProvider::reach().await?;
    let client = provider.client(Provider::ANTHROPIC);

    let mut search = tokio::process::Command::new(std::env::current_exe()?)
        .arg("search")
        .env_remove("OTEL_SERVICE_NAME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = search
        .stdout
        .take()
        .ok_or("no output of the search service")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    let search_address = line.ok_or("the search service did not start")?;

    let attribution = attribute_to()
        .feature("research")
        .tag("team", "growth")
        .context();
    let agent = genai
        .invoke_agent("researcher")
        .model("claude-sonnet-4-5")
        .under(&attribution)
        .start();
    let run = async {
        let mut messages = vec![json!({"role": "user", "content": "What do our calls cost?"})];
        loop {
            let request = json!({
                "model": "claude-sonnet-4-5", "max_tokens": 200, "messages": messages,
                "tools": [{"name": "search", "input_schema": {"type": "object"}}],
            });
            let url = provider.url("/v1/messages");
            let answer: Value = client.post(url).json(&request).send().await?.json().await?;
            if answer["stop_reason"] != "tool_use" {
                return Ok::<_, Error>(());
            }
            let tool = genai
                .execute_tool("search")
                .kind("function")
                .call_id(
                    answer["content"][0]["id"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                )
                .start();
            let found = tool.run(ask_search(&search_address)).await?;
            messages.push(json!({"role": "assistant", "content": answer["content"]}));
            let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": found});
            messages.push(json!({"role": "user", "content": [result]}));
        }
    };
    run.with_context(agent.context()).await?;
    agent.end();

    // The end of its input ends the other service, which then sends its spans.
    drop(search.stdin.take());
    search.wait().await?;
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    where_to_look(
        "An agent asked twice and searched once, in services `research-agent` and `search`.",
    );
    Ok(())
}

/// Calls the other service with trace context and baggage in the headers.
async fn ask_search(address: &str) -> Result<String, Error> {
    let mut headers = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject(&mut headers));
    let mut request = reqwest::Client::new().post(format!("http://{address}/search"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Ok(request.body("costs").send().await?.text().await?)
}

type Search = (GenAi, MockProvider, ClientWithMiddleware);

/// The tool: embeds the query, then looks the nearest documents up.
async fn search_service() -> Result<(), Error> {
    let telemetry = setup("search")?;
    let provider = MockProvider::reach().await?;
    let client = provider.client(Provider::OPENAI);
    let state: Search = (GenAi::global(), provider, client);
    let routes = Router::new()
        .route("/search", post(search))
        .with_state(state);
    print_address(&serve(routes).await?);
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the agent reads the address here")]
fn print_address(address: &str) {
    println!("{address}");
}

async fn search(State(state): State<Search>, headers: HeaderMap, query: String) -> String {
    let headers: HashMap<String, String> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let parent = global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &headers)
    });
    match find(state, query).with_context(parent).await {
        Ok(found) => found,
        Err(error) => format!("nothing found: {error}"),
    }
}

#[tracing::instrument(skip_all, fields(otel.name = "POST /search", otel.kind = "server", http.route = "/search"))]
async fn find((genai, provider, client): Search, query: String) -> Result<String, Error> {
    let request = json!({"model": "text-embedding-3-small", "input": query});
    let url = provider.url("/v1/embeddings");
    let embedded: Value = client.post(url).json(&request).send().await?.json().await?;
    let retrieval = genai.retrieval("handbook").top_k(3).start();
    let near = embedded["data"][0]["embedding"].to_string();
    retrieval.end();
    Ok(format!("three documents near {near}"))
}
