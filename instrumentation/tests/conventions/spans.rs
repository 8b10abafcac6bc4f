use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use costflame_instrumentation::{Conventions, GenAi, Provider, attribute_to};
use opentelemetry::{
    Array, Context, KeyValue, Value,
    trace::{Link, SpanKind, Status, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, SpanData,
};

use crate::{
    operations,
    pages::{Attribute, PAGES, Page, Type, names},
    support::{Recorder, int, text, value},
};

const GENERATIONS: [Conventions; 3] = [Conventions::Latest, Conventions::V1_36, Conventions::Both];

/// The attributes of a page in a generation.
fn of<'a>(
    generation: Conventions,
    attributes: impl IntoIterator<Item = &'a Attribute>,
) -> BTreeMap<&'static str, Type> {
    let named = attributes.into_iter();
    named
        .flat_map(|attribute| names(*attribute, generation))
        .collect()
}

/// The attributes of a span; one written twice fails the test. The path of a span below another is our own.
fn written(span: &SpanData) -> BTreeMap<&str, Type> {
    let mut written = BTreeMap::new();
    for attribute in &span.attributes {
        let kind = match &attribute.value {
            Value::String(_) => Type::Text,
            Value::I64(_) => Type::Int,
            Value::F64(_) => Type::Double,
            Value::Bool(_) => Type::Bool,
            Value::Array(Array::String(_)) => Type::Texts,
            other => panic!("{other:?}"),
        };
        let key = attribute.key.as_str();
        assert_eq!(written.insert(key, kind), None, "{key} twice");
    }
    written.remove("costflame.path");
    written
}

fn run(page: &Page, generation: Conventions, operation: fn(&GenAi, &str)) -> SpanData {
    let recorder = Recorder::new();
    let genai = recorder.builder(generation).capture_content(true).build();
    operation(&genai, page.name);
    // An agent around it ends last.
    recorder.spans().swap_remove(0)
}

#[test]
fn a_span_of_which_everything_is_known_is_its_page() {
    for generation in GENERATIONS {
        for page in PAGES {
            let span = run(page, generation, operations::whole);
            let groups = page.conditional.iter().chain(page.others).copied();
            let mut all: Vec<&Attribute> = groups.flatten().chain(page.required).collect();
            if generation != Conventions::Latest {
                all.extend(page.older);
            }
            assert_eq!(
                written(&span),
                of(generation, all),
                "{} of {generation:?}",
                page.name
            );
            assert_eq!(
                (span.name.as_ref(), &span.span_kind),
                (page.name, &page.kind)
            );
            assert_eq!(
                text(&span, "gen_ai.operation.name").as_deref(),
                Some(page.operation)
            );
            assert!(matches!(span.status, Status::Error { .. }), "{}", page.name);
        }
    }
}

#[test]
fn a_span_of_which_nothing_is_known_has_what_is_required_and_no_more() {
    for generation in GENERATIONS {
        for page in PAGES {
            let span = run(page, generation, operations::bare);
            let mut written = written(&span);
            // Said so that the call is no cancelled one.
            written.remove("gen_ai.response.finish_reasons");
            assert_eq!(written, of(generation, page.required), "{}", page.name);
            let named = page
                .required
                .iter()
                .any(|(key, _)| *key == "gen_ai.tool.name");
            let name = if named { page.name } else { page.operation };
            assert_eq!(span.name, name, "an unknown part is left out of the name");
            assert_eq!(span.status, Status::Unset, "{}", page.name);
        }
    }
}

/// Keeps what a sampler is told: a span's name and its attributes.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<Start>>>);

type Start = (String, BTreeSet<String>);

impl ShouldSample for Told {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        _: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let keys = attributes.iter().map(|known| known.key.to_string());
        let told = (name.to_owned(), keys.collect());
        self.0.lock().expect("not poisoned").push(told);
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

#[test]
fn what_samplers_may_decide_by_is_known_at_the_start() {
    for page in PAGES {
        let told = Told::default();
        let tracers = SdkTracerProvider::builder()
            .with_sampler(told.clone())
            .build();
        let genai = GenAi::builder()
            .conventions(Conventions::Latest)
            .tracer_provider(&tracers)
            .build();
        operations::whole(&genai, page.name);
        let told = told.0.lock().expect("not poisoned");
        let (_, keys) = told
            .iter()
            .find(|(name, _)| name == page.name)
            .expect("the sampler was asked");
        for key in page.sampled {
            assert!(keys.contains(*key), "{key} of {}", page.name);
        }
    }
}

#[test]
fn values_are_those_that_were_told() {
    let span = run(&PAGES[0], Conventions::Latest, operations::whole);
    assert_eq!(text(&span, "gen_ai.provider.name").as_deref(), Some("x_ai"));
    for (key, expected) in [
        ("gen_ai.usage.input_tokens", 1000),
        ("gen_ai.usage.output_tokens", 200),
        ("gen_ai.usage.cache_read.input_tokens", 600),
        ("gen_ai.usage.cache_write.input_tokens", 100),
        ("gen_ai.usage.reasoning.output_tokens", 50),
        ("server.port", 443),
        ("gen_ai.request.top_k", 40),
    ] {
        assert_eq!(int(&span, key), Some(expected), "{key}");
    }
    assert_eq!(
        text(&span, "gen_ai.response.finish_reasons").as_deref(),
        Some(r#"["stop","length"]"#)
    );
    assert_eq!(text(&span, "error.type").as_deref(), Some("overloaded"));
    let older = run(&PAGES[0], Conventions::V1_36, operations::whole);
    assert_eq!(text(&older, "gen_ai.system").as_deref(), Some("xai"));
    assert_eq!(
        value(&older, "gen_ai.request.top_k"),
        Some(Value::F64(40.0))
    );
}

#[test]
fn content_is_not_even_asked_for_without_the_setting() {
    let recorder = Recorder::new();
    let genai = recorder.genai();
    let never = || -> String { panic!("content was asked for") };
    let mut call = genai
        .chat(Provider::OPENAI, "gpt-4o")
        .input_messages(never)
        .system_instructions(never)
        .tool_definitions(never)
        .start();
    call.output_messages(never);
    call.end();
    let mut tool = genai.execute_tool("search").arguments(never).start();
    tool.result(never);
    tool.end();
    assert_eq!(recorder.spans().len(), 2);
}

#[test]
fn attribution_and_path_are_on_every_span_below() {
    let recorder = Recorder::new();
    let genai = recorder.genai();
    let context = attribute_to()
        .feature("search")
        .user("u-42")
        .session("s-7")
        .tag("team", "growth")
        .context();
    let workflow = genai.invoke_workflow("report").under(&context).start();
    let agent = genai.invoke_agent("planner").under(&workflow.context());
    let agent = agent.start();
    let call = genai.chat(Provider::OPENAI, "gpt-4o");
    call.under(&agent.context()).start().end();
    agent.end();
    workflow.end();
    let spans = recorder.spans();
    for span in &spans {
        for (key, expected) in [
            ("costflame.feature", "search"),
            ("user.id", "u-42"),
            ("session.id", "s-7"),
            ("costflame.tag.team", "growth"),
        ] {
            assert_eq!(text(span, key).as_deref(), Some(expected), "{}", span.name);
        }
    }
    let path = |at: usize| text(&spans[at], "costflame.path");
    assert_eq!(
        path(0).as_deref(),
        Some("invoke_workflow report;invoke_agent planner")
    );
    assert_eq!(path(1).as_deref(), Some("invoke_workflow report"));
    assert_eq!(path(2), None);
}
