//! Scenario: a Rust program calls a provider by a client with our middleware, and exports to the real binary.
//! Guarantee: each call has exactly the tokens the provider reported, its cost, its place and its attribution.

mod support;

use axum::{Router, body::Body, http::header, response::IntoResponse, routing::post};
use costflame_instrumentation::{GenAi, GenAiMiddleware, HttpCalls, Provider, attribute_to};
use opentelemetry::trace::FutureExt;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use support::{
    Server,
    api::{ALL_TIME, get, settled_calls},
};

const OPENAI: &str = r#"{"id":"chatcmpl-e2e","model":"gpt-4o-2024-08-06","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,"prompt_tokens_details":{"cached_tokens":1024}}}"#;
const ANTHROPIC: [&str; 2] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_e2e\",\"model\":\"claude-sonnet-4-5-20250929\",\"usage\":{\"input_tokens\":20,\"cache_creation_input_tokens\":300,\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":200},\"cache_read_input_tokens\":1000,\"output_tokens\":1}}}\n\nevent: message_del",
    "ta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":50}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];

async fn provider() -> String {
    let routes = Router::new()
        .route(
            "/v1/chat/completions",
            post(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAI) }),
        )
        .route(
            "/v1/messages",
            post(|| async {
                let events = ANTHROPIC.map(Ok::<_, std::convert::Infallible>);
                let body = Body::from_stream(futures::stream::iter(events));
                ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn post_to(client: &ClientWithMiddleware, url: String, body: &'static str) {
    let response = client.post(url).body(body).send().await.expect("an answer");
    response.bytes().await.expect("a body");
}

/// Two providers called by an agent and its tool.
async fn program(genai: &GenAi, address: &str) {
    let client = |provider| {
        let calls = HttpCalls::new()
            .genai(genai.clone())
            .host(address, provider);
        ClientBuilder::new(reqwest::Client::new())
            .with(GenAiMiddleware::new(calls))
            .build()
    };
    let context = attribute_to()
        .feature("search")
        .user("u-42")
        .tag("team", "growth")
        .context();
    let agent = genai.invoke_agent("planner").under(&context).start();
    let openai = client(Provider::OPENAI);
    let url = format!("http://{address}/v1/chat/completions");
    post_to(&openai, url, r#"{"model":"gpt-4o"}"#)
        .with_context(agent.context())
        .await;
    let tool = genai
        .execute_tool("summarise")
        .under(&agent.context())
        .start();
    let anthropic = client(Provider::ANTHROPIC);
    let url = format!("http://{address}/v1/messages");
    post_to(
        &anthropic,
        url,
        r#"{"model":"claude-sonnet-4-5","stream":true}"#,
    )
    .with_context(tool.context())
    .await;
    tool.end();
    agent.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instrumented_program_is_billed_exactly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start_with(
        folder.path(),
        "sqlite://c.db",
        &support::Addresses::free(),
        &["--settle-after", "100ms"],
    );
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&server.grpc)
        .build()
        .expect("an exporter");
    let tracers = SdkTracerProvider::builder()
        .with_resource(
            Resource::builder()
                .with_service_name("planner-service")
                .build(),
        )
        .with_batch_exporter(exporter)
        .build();
    let genai = GenAi::builder().tracer_provider(&tracers).build();
    program(&genai, &provider().await).await;
    tokio::task::spawn_blocking(move || tracers.shutdown())
        .await
        .expect("joined")
        .expect("all is exported");

    let calls = settled_calls(&server, 2).await;
    let call = |id: &str| {
        let found = calls.iter().find(|call| call["response_id"] == id);
        found.unwrap_or_else(|| panic!("{id} in {calls:#?}"))
    };
    let openai = call("chatcmpl-e2e");
    assert_eq!(openai["model"], "gpt-4o-2024-08-06");
    assert_eq!(
        openai["tokens"],
        serde_json::json!({"input": 176, "cache_read": 1024, "output": 80})
    );
    // 176 × 2.5 + 1024 × 1.25 + 80 × 10 dollars a million.
    assert_eq!(openai["cost_usd"], "0.00252");
    let anthropic = call("msg_e2e");
    // 20 × 3 + 1000 × 0.3 + 100 × 3.75 + 200 × 6 + 50 × 15 dollars a million.
    assert_eq!(anthropic["cost_usd"], "0.002685");
    for call in [openai, anthropic] {
        assert_eq!(call["counted"], true, "{call:#}");
        assert_eq!(call["flags"], serde_json::json!([]), "{call:#}");
    }
    let by_feature = get(&server, &format!("breakdown?by=feature&{ALL_TIME}")).await;
    assert_eq!(by_feature["rows"][0]["value"], "search", "{by_feature:#}");
    assert_eq!(by_feature["rows"][0]["cost_usd"], "0.005205");
    let flames = get(&server, &format!("flamegraph?{ALL_TIME}")).await;
    let labels: Vec<&str> = flames["frames"]
        .as_array()
        .expect("frames")
        .iter()
        .filter_map(|frame| frame["label"].as_str())
        .collect();
    for label in ["planner", "summarise"] {
        assert!(labels.contains(&label), "{label} in {labels:?}");
    }
}
