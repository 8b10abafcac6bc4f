//! `genai` takes a plain `reqwest::Client`, which lets nobody in, but writes spans of `tracing` itself.

use futures::StreamExt;
use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatMessage, ChatOptions, ChatRequest},
    resolver::{AuthData, Endpoint, Error, ServiceTargetResolver},
};
use opentelemetry::trace::FutureExt;

use crate::program::{Program, check};

/// A prompt long enough that some of it was cached.
fn request() -> ChatRequest {
    ChatRequest::default().append_message(ChatMessage::user("Why is the sky blue? ".repeat(60)))
}

fn client(program: &Program, kind: AdapterKind) -> Client {
    let url = program.provider.url("/v1/");
    let resolver = move |target: ServiceTarget| -> Result<ServiceTarget, Error> {
        Ok(ServiceTarget {
            endpoint: Endpoint::from_owned(url.as_str()),
            auth: AuthData::from_single("none"),
            model: ModelIden::new(kind, target.model.model_name),
        })
    };
    Client::builder()
        .with_service_target_resolver(ServiceTargetResolver::from_resolver_fn(resolver))
        .build()
        .expect("a client")
}

#[tokio::test]
async fn a_chat_of_either_format_is_one_span() {
    for (kind, model) in [
        (AdapterKind::OpenAI, "gpt-4o-mini"),
        (AdapterKind::Anthropic, "claude-sonnet-4-5"),
    ] {
        let program = Program::start().await;
        let client = client(&program, kind);
        let answer = client.exec_chat(model, request(), None);
        answer
            .with_context(Program::feature())
            .await
            .expect("an answer");
        let (spans, answer) = program.answered();
        assert!(answer.cache_read > 0);
        assert_eq!(spans.len(), 1);
        check(&spans[0], &answer);
    }
}

#[tokio::test]
async fn a_streamed_chat_is_one_span_if_its_usage_is_asked_for() {
    let program = Program::start().await;
    let client = client(&program, AdapterKind::OpenAI);
    let options = ChatOptions::default().with_capture_usage(true);
    async {
        let answer = client.exec_chat_stream("gpt-4o-mini", request(), Some(&options));
        let mut stream = answer.await.expect("an answer").stream;
        while let Some(event) = stream.next().await {
            event.expect("an event");
        }
    }
    .with_context(Program::feature())
    .await;
    let (spans, answer) = program.answered();
    assert_eq!(spans.len(), 1);
    check(&spans[0], &answer);
}
