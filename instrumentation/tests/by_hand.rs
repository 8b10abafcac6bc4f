//! Calls measured by hand: parents, streams, drops, sampling, and a program without a provider.

mod support;

use costflame_instrumentation::{Conventions, GenAi, Provider, Usage};
use futures::{StreamExt, stream};
use opentelemetry::trace::{FutureExt, Status, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use support::{Recorder, int, text, value};

#[test]
fn calls_nest_below_the_spans_that_are_current() {
    let recorder = Recorder::new();
    let genai = recorder.genai();
    let tracer = recorder.tracer();
    tracer.in_span("request", |_| {
        let agent = genai.invoke_agent("planner").start();
        {
            let _current = agent.attach();
            let mut call = genai.chat(Provider::OPENAI, "gpt-4o").start();
            call.usage(Usage::new(1, 1));
            call.end();
        }
        agent.end();
    });
    let spans = recorder.spans();
    let [call, agent, request] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(call.parent_span_id, agent.span_context.span_id());
    assert_eq!(agent.parent_span_id, request.span_context.span_id());
    assert_eq!(
        call.instrumentation_scope.name(),
        "costflame-instrumentation"
    );
    assert!(call.instrumentation_scope.schema_url().is_some());
}

#[tokio::test]
async fn a_future_runs_below_its_tool_and_its_error_is_the_tools() {
    let recorder = Recorder::new();
    let genai = recorder.genai();
    let inner = genai.clone();
    let result: Result<(), std::fmt::Error> = genai
        .execute_tool("search")
        .start()
        .run(async move {
            inner.chat(Provider::OPENAI, "gpt-4o").start().end();
            Err(std::fmt::Error)
        })
        .await;
    assert!(result.is_err());
    let spans = recorder.spans();
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
    assert_eq!(
        text(&spans[1], "error.type").as_deref(),
        Some("core::fmt::Error")
    );
}

#[tokio::test]
async fn a_stream_ends_its_call_and_passes_items_unchanged() {
    let recorder = Recorder::new();
    let call = recorder
        .genai()
        .chat(Provider::OPENAI, "gpt-4o")
        .streaming()
        .start();
    let observed = call.observe(stream::iter([1_u64, 2, 3]), |call, item| {
        call.usage(Usage::new(10, *item));
    });
    let items: Vec<u64> = observed.collect().await;
    assert_eq!(items, [1, 2, 3]);
    let span = recorder.span();
    assert_eq!(int(&span, "gen_ai.usage.output_tokens"), Some(3));
    assert!(value(&span, "gen_ai.response.time_to_first_chunk").is_some());
    assert_eq!(span.status, Status::Unset);
    let gaps = recorder
        .metric("gen_ai.client.operation.time_per_output_chunk")
        .expect("gaps between chunks");
    assert_eq!(gaps.points[0].count, 2);
}

#[tokio::test]
async fn a_stream_dropped_halfway_still_ends_its_call() {
    let recorder = Recorder::new();
    let call = recorder.genai().chat(Provider::OPENAI, "gpt-4o").start();
    let mut observed = call.observe(stream::iter([1, 2, 3]), |_, _| {});
    assert_eq!(observed.next().await, Some(1));
    assert!(recorder.spans().is_empty());
    drop(observed);
    assert_eq!(
        text(&recorder.span(), "error.type").as_deref(),
        Some("cancelled")
    );
}

#[tokio::test]
async fn a_stream_dropped_after_its_answer_is_no_error() {
    let recorder = Recorder::new();
    let call = recorder.genai().chat(Provider::OPENAI, "gpt-4o").start();
    let mut observed = call.observe(stream::iter(["stop", "[DONE]"]), |call, reason| {
        call.finish_reason(*reason);
    });
    observed.next().await;
    drop(observed);
    assert_eq!(recorder.span().status, Status::Unset);
}

#[test]
fn a_call_that_is_dropped_is_cancelled() {
    let recorder = Recorder::new();
    drop(recorder.genai().chat(Provider::OPENAI, "gpt-4o").start());
    let span = recorder.span();
    assert_eq!(text(&span, "error.type").as_deref(), Some("cancelled"));
    assert!(matches!(span.status, Status::Error { .. }));
}

#[test]
fn a_call_that_is_not_sampled_is_still_measured() {
    let recorder = Recorder::new();
    let never = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .build();
    let genai = GenAi::builder()
        .tracer_provider(&never)
        .meter_provider(recorder.meters.clone())
        .build();
    let mut call = genai.chat(Provider::OPENAI, "gpt-4o").start();
    call.usage(Usage::new(5, 7));
    call.end();
    assert!(recorder.spans().is_empty());
    assert!(recorder.metric("gen_ai.client.token.usage").is_some());
}

#[tokio::test]
async fn without_a_provider_everything_is_off_and_harmless() {
    let genai = GenAi::global();
    assert!(!genai.is_on());
    let mut call = genai.chat(Provider::OPENAI, "gpt-4o").max_tokens(5).start();
    call.chunk().usage(Usage::new(1, 1));
    assert!(!call.context().span().span_context().is_valid());
    call.end();
    let agent = genai.invoke_agent("planner").start();
    async {}.with_context(agent.context()).await;
    agent.end();
}

#[test]
fn one_provider_is_enough_to_be_on() {
    let recorder = Recorder::new();
    let spans_only = GenAi::builder().tracer_provider(&recorder.tracers).build();
    let metrics_only = GenAi::builder()
        .meter_provider(recorder.meters.clone())
        .build();
    assert!(spans_only.is_on() && metrics_only.is_on());
    assert!(
        recorder.spans().is_empty(),
        "the probe must not be exported"
    );
}

#[test]
fn the_builders_conventions_choose_the_schema() {
    let recorder = Recorder::new();
    let genai = recorder.builder(Conventions::V1_36).build();
    genai.execute_tool("t").start().end();
    assert_eq!(
        recorder.span().instrumentation_scope.schema_url(),
        Some("https://opentelemetry.io/schemas/1.36.0")
    );
}
