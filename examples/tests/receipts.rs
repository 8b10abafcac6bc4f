//! Each example runs to its end; what a receiver of OTLP gets is the tree of calls it made, with the usage the provider
//! reported.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;

type Received = Arc<Mutex<Vec<Bytes>>>;

/// A span with its service and its attributes as text.
#[derive(Clone, Debug)]
struct Seen {
    service: String,
    name: String,
    id: Vec<u8>,
    parent: Vec<u8>,
    trace: Vec<u8>,
    attributes: BTreeMap<String, String>,
}

impl Seen {
    fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    fn tokens(&self) -> (&str, &str, &str) {
        (
            self.get("gen_ai.usage.input_tokens"),
            self.get("gen_ai.usage.cache_read.input_tokens"),
            self.get("gen_ai.usage.output_tokens"),
        )
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(int)) => int.to_string(),
        other => format!("{other:?}"),
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), text(attribute.value.as_ref())))
        .collect()
}

fn seen(service: &str, span: &Span) -> Seen {
    Seen {
        service: service.to_owned(),
        name: span.name.clone(),
        id: span.span_id.clone(),
        parent: span.parent_span_id.clone(),
        trace: span.trace_id.clone(),
        attributes: texts(&span.attributes),
    }
}

/// Runs an example against a receiver; the spans that came.
async fn run(program: &str) -> Vec<Seen> {
    let received = Received::default();
    let take = |State(received): State<Received>, body: Bytes| async move {
        received.lock().expect("not poisoned").push(body);
    };
    let routes = Router::new()
        .route("/v1/traces", post(take))
        .route("/v1/metrics", post(|| async {}))
        .with_state(Arc::clone(&received));
    let address = costflame_examples::serve(routes)
        .await
        .expect("a free port");
    let mut command = Command::new(program);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env_remove("OTEL_SERVICE_NAME")
        .stdout(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("joined")
        .expect("it runs");
    assert!(ended.status.success(), "{ended:?}");
    let told = String::from_utf8(ended.stdout).expect("UTF-8");
    assert!(told.contains("http://127.0.0.1:4319"), "{told}");

    let mut spans = Vec::new();
    for body in received.lock().expect("not poisoned").drain(..) {
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
        for resource in request.resource_spans {
            let attributes = resource
                .resource
                .map(|resource| texts(&resource.attributes));
            let service = attributes.unwrap_or_default()["service.name"].clone();
            let scopes = resource.scope_spans.iter();
            spans.extend(
                scopes
                    .flat_map(|scope| &scope.spans)
                    .map(|span| seen(&service, span)),
            );
        }
    }
    spans
}

/// The names from the root down to a span.
fn path(spans: &[Seen], span: &Seen) -> String {
    let parent = spans.iter().find(|other| other.id == span.parent);
    match parent {
        Some(parent) => format!("{} > {}", path(spans, parent), span.name),
        None => span.name.clone(),
    }
}

fn paths(spans: &[Seen]) -> Vec<String> {
    let mut paths: Vec<String> = spans.iter().map(|span| path(spans, span)).collect();
    paths.sort();
    paths
}

fn named<'a>(spans: &'a [Seen], name: &str) -> Vec<&'a Seen> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_service_streams_and_knows_its_users() {
    let spans = run(env!("CARGO_BIN_EXE_chat_service")).await;
    assert_eq!(
        paths(&spans),
        [
            "POST /chat",
            "POST /chat",
            "POST /chat",
            "POST /chat > chat gpt-4o-mini",
            "POST /chat > chat gpt-4o-mini",
            "POST /chat > chat gpt-4o-mini"
        ]
    );
    let calls = named(&spans, "chat gpt-4o-mini");
    // `[{"content":"Why is the sky blue?","role":"user"}]` has 49 characters.
    assert!(
        calls.iter().all(|call| call.tokens() == ("13", "0", "12")),
        "{calls:?}"
    );
    let mut users: Vec<&str> = calls.iter().map(|call| call.get("user.id")).collect();
    users.sort_unstable();
    assert_eq!(users, ["ada", "ben", "cleo"]);
    assert!(
        spans
            .iter()
            .all(|span| span.get("costflame.feature") == "chat")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_and_its_tool_are_one_trace_over_two_services() {
    let spans = run(env!("CARGO_BIN_EXE_agent")).await;
    assert_eq!(
        paths(&spans),
        [
            "invoke_agent researcher",
            "invoke_agent researcher > chat claude-sonnet-4-5",
            "invoke_agent researcher > chat claude-sonnet-4-5",
            "invoke_agent researcher > execute_tool search",
            "invoke_agent researcher > execute_tool search > POST /search",
            "invoke_agent researcher > execute_tool search > POST /search > embeddings text-embedding-3-small",
            "invoke_agent researcher > execute_tool search > POST /search > retrieval handbook",
        ]
    );
    assert!(spans.iter().all(|span| span.trace == spans[0].trace));
    assert!(
        spans
            .iter()
            .all(|span| span.get("costflame.feature") == "research")
    );
    let embedding = named(&spans, "embeddings text-embedding-3-small")[0];
    assert_eq!(embedding.service, "search");
    assert_eq!(embedding.get("gen_ai.usage.input_tokens"), "2");
    assert_eq!(
        embedding.get("costflame.path"),
        "invoke_agent researcher;execute_tool search"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_indexer_measures_by_hand() {
    let spans = run(env!("CARGO_BIN_EXE_rag_indexer")).await;
    assert_eq!(
        paths(&spans),
        [
            "invoke_workflow answer",
            "invoke_workflow answer > chat gpt-4o-mini",
            "invoke_workflow answer > embeddings text-embedding-3-small",
            "invoke_workflow answer > retrieval index",
            "invoke_workflow index",
            "invoke_workflow index > embeddings text-embedding-3-small",
            "invoke_workflow index > embeddings text-embedding-3-small",
            "invoke_workflow index > embeddings text-embedding-3-small",
        ]
    );
    let chat = named(&spans, "chat gpt-4o-mini")[0];
    assert_eq!(chat.get("gen_ai.usage.output_tokens"), "12");
    assert_eq!(chat.get("user.id"), "ada");
    // Content was not asked for.
    assert_eq!(
        named(&spans, "retrieval index")[0].get("gen_ai.retrieval.query.text"),
        ""
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_batch_job_keeps_parallel_paths_apart() {
    let spans = run(env!("CARGO_BIN_EXE_batch_job")).await;
    let call = "nightly digest > summarise > chat gpt-4o-mini";
    assert_eq!(
        paths(&spans),
        [
            "nightly digest",
            "nightly digest > summarise",
            "nightly digest > summarise",
            "nightly digest > summarise",
            call,
            call,
            call
        ]
    );
    let calls = named(&spans, "chat gpt-4o-mini");
    let ids: BTreeSet<&str> = calls
        .iter()
        .map(|call| call.get("gen_ai.response.id"))
        .collect();
    assert_eq!(ids.len(), 3, "one id, one call");
    for call in calls {
        let (input, cached, output) = call.tokens();
        let (input, cached): (u64, u64) = (
            input.parse().expect("a count"),
            cached.parse().expect("a count"),
        );
        assert!(cached > 0 && cached < input && output == "12", "{call:?}");
        assert_eq!(call.get("costflame.tag.team"), "reporting");
    }
}
