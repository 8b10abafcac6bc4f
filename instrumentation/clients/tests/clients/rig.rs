//! `rig` takes a client of `reqwest-middleware`, and writes spans of `tracing` as well.

use futures::StreamExt;
use opentelemetry::trace::FutureExt;
use opentelemetry_sdk::trace::SpanData;
use rig_core::{
    Model,
    completion::CompletionRequest,
    providers::openai::{OpenAIConfig, wire::Chat},
};
use rig_reqwest::ReqwestMiddlewareClient;

use crate::program::{Program, check, text};

fn model(program: &Program) -> Model<Chat> {
    OpenAIConfig::new("none")
        .with_base_url(program.provider.url("/v1"))
        .connect(ReqwestMiddlewareClient::from(program.client()))
        .chat("gpt-4o-mini")
}

fn request() -> CompletionRequest {
    CompletionRequest::new("Why is the sky blue? ".repeat(60))
}

#[tokio::test]
async fn a_completion_is_a_span_of_ours_below_one_of_its_own() {
    let program = Program::start().await;
    let answer = model(&program).call(request());
    answer
        .with_context(Program::feature())
        .await
        .expect("an answer");
    let (spans, answer) = program.answered();
    assert!(answer.cache_read > 0);
    check(ours(&spans), &answer);
}

#[tokio::test]
async fn a_streamed_completion_is_too() {
    let program = Program::start().await;
    async {
        let mut stream = model(&program).stream(request()).expect("a stream");
        while let Some(event) = stream.next().await {
            event.expect("an event");
        }
    }
    .with_context(Program::feature())
    .await;
    let (spans, answer) = program.answered();
    check(ours(&spans), &answer);
}

/// The one of this crate, which has the response's id.
fn ours(spans: &[SpanData]) -> &SpanData {
    let scope = |span: &&SpanData| span.instrumentation_scope.name() == "costflame-instrumentation";
    let ours = spans.iter().find(scope).expect("a span of this crate");
    assert!(text(ours, "gen_ai.response.id").is_some());
    ours
}
