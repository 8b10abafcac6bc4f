//! Programs that use `tracing`: its spans are parents, their fields are attributes, attribution reaches them.

mod support;

use costflame_instrumentation::{
    AttributionProcessor, Conventions, GenAi, Provider, Usage, attribute_to,
};
use opentelemetry::trace::{FutureExt, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use support::{int, text};
use tracing_subscriber::layer::SubscriberExt;

#[tracing::instrument(skip(genai))]
async fn answer(genai: &GenAi) {
    tokio::task::yield_now().await;
    let mut call = genai.chat(Provider::OPENAI, "gpt-4o").start();
    {
        let _below = call.context().attach();
        tracing::info_span!("parse").in_scope(|| {});
    }
    call.usage(Usage::new(1, 2));
    call.end();
}

struct Program {
    genai: GenAi,
    spans: InMemorySpanExporter,
    _current: tracing::subscriber::DefaultGuard,
}

fn program() -> Program {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder()
        .with_span_processor(AttributionProcessor)
        .with_simple_exporter(spans.clone())
        .build();
    let bridge = tracing_opentelemetry::layer().with_tracer(tracers.tracer("tracing"));
    let subscriber = tracing_subscriber::registry().with(bridge);
    Program {
        genai: GenAi::builder()
            .conventions(Conventions::Latest)
            .tracer_provider(&tracers)
            .build(),
        spans,
        _current: tracing::subscriber::set_default(subscriber),
    }
}

impl Program {
    fn span(&self, name: &str) -> SpanData {
        let spans = self.spans.get_finished_spans().expect("spans");
        let named = spans.iter().find(|span| span.name == name);
        named
            .unwrap_or_else(|| panic!("{name} in {spans:#?}"))
            .clone()
    }
}

#[tokio::test]
async fn spans_of_tracing_are_parents_and_children_of_calls() {
    let program = program();
    answer(&program.genai).await;
    let (parent, call, child) = (
        program.span("answer"),
        program.span("chat gpt-4o"),
        program.span("parse"),
    );
    assert_eq!(call.parent_span_id, parent.span_context.span_id());
    assert_eq!(child.parent_span_id, call.span_context.span_id());
    assert_eq!(call.span_context.trace_id(), parent.span_context.trace_id());
}

#[tokio::test]
async fn fields_of_the_conventions_are_exported_as_they_are() {
    let program = program();
    tracing::info_span!(
        "by tracing alone",
        otel.name = "chat gpt-4o",
        otel.kind = "client",
        gen_ai.operation.name = "chat",
        gen_ai.usage.input_tokens = 12,
        gen_ai.usage.output_tokens = tracing::field::Empty,
    )
    .in_scope(|| {
        tracing::Span::current().record("gen_ai.usage.output_tokens", 7);
    });
    let span = program.span("chat gpt-4o");
    assert_eq!(
        text(&span, "gen_ai.operation.name").as_deref(),
        Some("chat")
    );
    assert_eq!(int(&span, "gen_ai.usage.input_tokens"), Some(12));
    assert_eq!(int(&span, "gen_ai.usage.output_tokens"), Some(7));
}

#[tokio::test]
async fn attribution_and_path_reach_every_span_once() {
    let program = program();
    let agent_context = attribute_to().feature("search").context();
    let agent = program
        .genai
        .invoke_agent("planner")
        .under(&agent_context)
        .start();
    answer(&program.genai).with_context(agent.context()).await;
    agent.end();
    for name in ["invoke_agent planner", "answer", "chat gpt-4o", "parse"] {
        // `text` fails when an attribute is there twice.
        let span = program.span(name);
        assert_eq!(
            text(&span, "costflame.feature").as_deref(),
            Some("search"),
            "{name}"
        );
    }
    assert_eq!(
        text(&program.span("parse"), "costflame.path").as_deref(),
        Some("invoke_agent planner")
    );
}
