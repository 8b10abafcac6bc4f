//! Every operation's span and metrics, attribute by attribute, against tables taken from the conventions' pages.

mod support;

use std::collections::BTreeSet;

use costflame_instrumentation::{Conventions, Provider, Usage, attribute_to};
use opentelemetry::{
    Array, Value,
    trace::{SpanKind, Status},
};
use opentelemetry_sdk::trace::SpanData;
use support::{Recorder, Seen, int, text, value};

/// One span type: its kind, its required attributes, and all attributes it may have, each with its type.
struct Page<'a> {
    name: &'static str,
    kind: SpanKind,
    required: &'a [&'a str],
    allowed: &'a [&'a [(&'a str, Type)]],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Type {
    Text,
    Int,
    Double,
    Bool,
    Texts,
}
use Type::{Bool, Double, Int, Text, Texts};

const ENDING: &[(&str, Type)] = &[("error.type", Text)];
const SERVER: &[(&str, Type)] = &[("server.address", Text), ("server.port", Int)];
const LATEST: &[(&str, Type)] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.provider.name", Text),
    ("gen_ai.usage.cache_write.input_tokens", Int),
    ("openai.request.service_tier", Text),
    ("openai.response.service_tier", Text),
    ("openai.response.system_fingerprint", Text),
    ("gen_ai.request.top_k", Int),
];
const OLDER: &[(&str, Type)] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.system", Text),
    ("gen_ai.usage.cache_creation.input_tokens", Int),
    ("gen_ai.openai.request.service_tier", Text),
    ("gen_ai.openai.response.service_tier", Text),
    ("gen_ai.openai.response.system_fingerprint", Text),
    ("gen_ai.request.top_k", Double),
];
const USAGE: &[(&str, Type)] = &[
    ("gen_ai.usage.input_tokens", Int),
    ("gen_ai.usage.output_tokens", Int),
    ("gen_ai.usage.cache_read.input_tokens", Int),
    ("gen_ai.usage.reasoning.output_tokens", Int),
    ("gen_ai.usage.audio.input_tokens", Int),
    ("gen_ai.usage.image.input_tokens", Int),
];
const REQUEST: &[(&str, Type)] = &[
    ("gen_ai.request.model", Text),
    ("gen_ai.request.choice.count", Int),
    ("gen_ai.request.seed", Int),
    ("gen_ai.output.type", Text),
    ("gen_ai.request.stream", Bool),
    ("gen_ai.prompt.name", Text),
    ("gen_ai.prompt.version", Text),
    ("gen_ai.conversation.id", Text),
    ("gen_ai.request.max_tokens", Int),
    ("gen_ai.request.temperature", Double),
    ("gen_ai.request.top_p", Double),
    ("gen_ai.request.stop_sequences", Texts),
    ("gen_ai.request.frequency_penalty", Double),
    ("gen_ai.request.presence_penalty", Double),
    ("gen_ai.request.reasoning.level", Text),
    ("gen_ai.request.previous_response.id", Text),
    ("openai.api.type", Text),
];
const RESPONSE: &[(&str, Type)] = &[
    ("gen_ai.response.id", Text),
    ("gen_ai.response.model", Text),
    ("gen_ai.response.finish_reasons", Texts),
    ("gen_ai.response.time_to_first_chunk", Double),
];
const CONTENT: &[(&str, Type)] = &[
    ("gen_ai.system_instructions", Text),
    ("gen_ai.input.messages", Text),
    ("gen_ai.output.messages", Text),
    ("gen_ai.tool.definitions", Text),
];
const EMBEDDINGS: &[(&str, Type)] = &[
    ("gen_ai.request.model", Text),
    ("gen_ai.request.encoding_formats", Texts),
    ("gen_ai.embeddings.dimension.count", Int),
    ("gen_ai.response.model", Text),
];
const AGENT: &[(&str, Type)] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.agent.name", Text),
    ("gen_ai.agent.id", Text),
    ("gen_ai.agent.description", Text),
    ("gen_ai.agent.version", Text),
    ("gen_ai.request.model", Text),
    ("gen_ai.conversation.id", Text),
    ("gen_ai.data_source.id", Text),
];
const TOOL: &[(&str, Type)] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.tool.name", Text),
    ("gen_ai.tool.type", Text),
    ("gen_ai.tool.call.id", Text),
    ("gen_ai.tool.description", Text),
    ("gen_ai.agent.name", Text),
    ("gen_ai.tool.call.arguments", Text),
    ("gen_ai.tool.call.result", Text),
];
const WORKFLOW: &[(&str, Type)] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.workflow.name", Text),
];
const RETRIEVAL: &[(&str, Type)] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.data_source.id", Text),
    ("gen_ai.retrieval.top_k", Int),
    ("gen_ai.retrieval.query.text", Text),
    ("gen_ai.retrieval.documents", Text),
    ("gen_ai.provider.name", Text),
];
/// Not of the conventions: the path every span below another carries.
const OURS: &[(&str, Type)] = &[("costflame.path", Text)];

/// Checks a span against its page, and that the test wrote every attribute the page has.
fn check(span: &SpanData, page: &Page<'_>, complete: bool) {
    assert_eq!(span.name, page.name);
    assert_eq!(span.span_kind, page.kind);
    let allowed: Vec<&(&str, Type)> = page.allowed.iter().copied().flatten().collect();
    let mut seen = BTreeSet::new();
    for attribute in &span.attributes {
        let key = attribute.key.as_str();
        let (_, kind) = allowed
            .iter()
            .find(|(name, _)| *name == key)
            .unwrap_or_else(|| panic!("{key} is not an attribute of {}", page.name));
        assert_eq!(kind_of(&attribute.value), *kind, "{key}");
        assert!(seen.insert(key), "{key} twice");
    }
    for key in page.required {
        assert!(seen.contains(key), "{key} is required");
    }
    if complete {
        let missing: Vec<&str> = allowed
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !seen.contains(key))
            .collect();
        assert!(missing.is_empty(), "never written: {missing:?}");
    }
}

fn kind_of(value: &Value) -> Type {
    match value {
        Value::String(_) => Text,
        Value::I64(_) => Int,
        Value::F64(_) => Double,
        Value::Bool(_) => Bool,
        Value::Array(Array::String(_)) => Texts,
        other => panic!("{other:?}"),
    }
}

fn usage() -> Usage {
    let mut usage = Usage::new(1000, 200)
        .cache_read(600)
        .cache_write(100)
        .reasoning(50);
    usage.audio_input = Some(30);
    usage.image_input = Some(20);
    usage
}

/// An inference span with everything on it.
fn whole_inference(conventions: Conventions) -> SpanData {
    let recorder = Recorder::new();
    let genai = recorder.builder(conventions).capture_content(true).build();
    let mut call = genai
        .chat(Provider::X_AI, "grok-4")
        .server("api.x.ai", 443)
        .streaming()
        .max_tokens(100)
        .temperature(0.5)
        .top_p(0.9)
        .top_k(40)
        .seed(7)
        .choices(2)
        .stop_sequences(["END", "STOP"])
        .frequency_penalty(0.1)
        .presence_penalty(0.2)
        .reasoning_level("high")
        .output_type("json")
        .conversation("c-1")
        .previous_response("r-0")
        .prompt("greeting", Some("3"))
        .openai_service_tier("flex")
        .openai_api("responses")
        .input_messages(|| "[]")
        .system_instructions(|| "[]")
        .tool_definitions(|| "[]")
        .start();
    call.chunk().chunk();
    call.response_id("r-1")
        .response_model("grok-4-0709")
        .finish_reason("stop")
        .finish_reason("length")
        .openai_service_tier("default")
        .openai_system_fingerprint("fp")
        .output_messages(|| "[]")
        .usage(usage());
    call.fail("overloaded");
    recorder.span()
}

#[test]
fn an_inference_span_has_every_attribute_of_its_page_in_the_latest_names() {
    let span = whole_inference(Conventions::Latest);
    let page = Page {
        name: "chat grok-4",
        kind: SpanKind::Client,
        required: &["gen_ai.operation.name", "gen_ai.provider.name"],
        allowed: &[LATEST, REQUEST, RESPONSE, USAGE, SERVER, CONTENT, ENDING],
    };
    check(&span, &page, true);
    assert_eq!(text(&span, "gen_ai.provider.name").as_deref(), Some("x_ai"));
    assert_eq!(int(&span, "gen_ai.usage.input_tokens"), Some(1000));
    assert_eq!(
        int(&span, "gen_ai.usage.cache_write.input_tokens"),
        Some(100)
    );
    assert_eq!(int(&span, "server.port"), Some(443));
    assert_eq!(
        text(&span, "gen_ai.response.finish_reasons").as_deref(),
        Some(r#"["stop","length"]"#)
    );
    assert_eq!(text(&span, "error.type").as_deref(), Some("overloaded"));
    assert!(matches!(span.status, Status::Error { .. }));
}

#[test]
fn the_same_span_in_the_names_of_v1_36() {
    let span = whole_inference(Conventions::V1_36);
    let page = Page {
        name: "chat grok-4",
        kind: SpanKind::Client,
        required: &["gen_ai.operation.name", "gen_ai.system"],
        allowed: &[OLDER, REQUEST, RESPONSE, USAGE, SERVER, CONTENT, ENDING],
    };
    check(&span, &page, true);
    assert_eq!(text(&span, "gen_ai.system").as_deref(), Some("xai"));
}

#[test]
fn both_generations_at_once_are_the_union() {
    let keys = |span: SpanData| -> BTreeSet<String> {
        span.attributes
            .iter()
            .map(|attribute| attribute.key.to_string())
            .collect()
    };
    let latest = keys(whole_inference(Conventions::Latest));
    let older = keys(whole_inference(Conventions::V1_36));
    let both = whole_inference(Conventions::Both);
    assert_eq!(both.attributes.len(), keys(both.clone()).len());
    assert_eq!(keys(both), latest.union(&older).cloned().collect());
}

#[test]
fn without_anything_known_only_what_is_required_is_written() {
    let recorder = Recorder::new();
    let mut call = recorder
        .genai()
        .chat(Provider::OPENAI, "")
        .choices(1)
        .start();
    call.finish_reason("stop");
    call.end();
    let span = recorder.span();
    assert_eq!(span.name, "chat");
    let keys: Vec<&str> = span
        .attributes
        .iter()
        .map(|attribute| attribute.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.response.finish_reasons"
        ]
    );
    assert_eq!(span.status, Status::Unset);
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
fn an_embeddings_span_follows_its_page() {
    let recorder = Recorder::new();
    let mut call = recorder
        .genai()
        .embeddings(Provider::OPENAI, "text-embedding-3-small")
        .server("api.openai.com", 443)
        .dimensions(256)
        .encoding_formats(["float"])
        .start();
    call.response_model("text-embedding-3-small")
        .usage(Usage::of_input(12));
    call.fail("429");
    let page = Page {
        name: "embeddings text-embedding-3-small",
        kind: SpanKind::Client,
        required: &["gen_ai.operation.name", "gen_ai.provider.name"],
        allowed: &[&LATEST[..2], &USAGE[..1], EMBEDDINGS, SERVER, ENDING],
    };
    check(&recorder.span(), &page, true);
}

#[test]
fn agents_workflows_tools_and_retrievals_follow_their_pages() {
    let recorder = Recorder::new();
    let genai = recorder
        .builder(Conventions::Latest)
        .capture_content(true)
        .build();
    let workflow = genai.invoke_workflow("report").start();
    let mut agent = genai
        .invoke_agent("planner")
        .id("a-1")
        .description("plans")
        .version("2")
        .model("gpt-4o")
        .conversation("c-1")
        .data_source("kb")
        .system_instructions(|| "[]")
        .input_messages(|| "[]")
        .under(&workflow.context())
        .start();
    agent.usage(Usage::new(10, 5)).output_messages(|| "[]");
    let mut tool = genai
        .execute_tool("search")
        .kind("function")
        .call_id("call_1")
        .description("searches")
        .arguments(|| "{}")
        .under(&agent.context())
        .start();
    tool.result(|| "{}");
    let mut retrieval = genai
        .retrieval("kb")
        .provider(&Provider::OPENAI)
        .server("localhost", 6333)
        .top_k(5)
        .query(|| "q")
        .under(&tool.context())
        .start();
    retrieval.documents(|| "[]");
    retrieval.fail("timeout");
    tool.fail("timeout");
    agent.fail("timeout");
    workflow.fail("timeout");

    let spans = recorder.spans();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let required = &["gen_ai.operation.name"];
    check(
        span("retrieval kb"),
        &Page {
            name: "retrieval kb",
            kind: SpanKind::Client,
            required,
            allowed: &[RETRIEVAL, SERVER, ENDING, OURS],
        },
        true,
    );
    check(
        span("execute_tool search"),
        &Page {
            name: "execute_tool search",
            kind: SpanKind::Internal,
            required: &["gen_ai.operation.name", "gen_ai.tool.name"],
            allowed: &[TOOL, ENDING, OURS],
        },
        true,
    );
    assert_eq!(
        text(span("execute_tool search"), "gen_ai.agent.name").as_deref(),
        Some("planner")
    );
    check(
        span("invoke_agent planner"),
        &Page {
            name: "invoke_agent planner",
            kind: SpanKind::Internal,
            required,
            allowed: &[AGENT, &USAGE[..2], &CONTENT[..3], ENDING, OURS],
        },
        true,
    );
    check(
        span("invoke_workflow report"),
        &Page {
            name: "invoke_workflow report",
            kind: SpanKind::Internal,
            required,
            allowed: &[WORKFLOW, ENDING],
        },
        true,
    );
    assert_eq!(
        text(span("retrieval kb"), "costflame.path").as_deref(),
        Some("invoke_workflow report;invoke_agent planner;execute_tool search")
    );
}

#[test]
fn an_agent_elsewhere_is_a_client_span_of_its_provider() {
    let recorder = Recorder::new();
    let genai = recorder.genai();
    for (agent, name) in [
        (
            genai.invoke_remote_agent(Provider::OPENAI, "helper"),
            "invoke_agent helper",
        ),
        (
            genai.create_agent(Provider::OPENAI, "helper"),
            "create_agent helper",
        ),
    ] {
        recorder.clear();
        agent.server("api.openai.com", 443).start().end();
        check(
            &recorder.span(),
            &Page {
                name,
                kind: SpanKind::Client,
                required: &["gen_ai.operation.name", "gen_ai.provider.name"],
                allowed: &[AGENT, &LATEST[1..2], SERVER, ENDING],
            },
            false,
        );
    }
}

const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TOKENS: [f64; 14] = [
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];

/// One inference, one embeddings call, one agent with a call and a tool in it, one workflow.
fn measured(conventions: Conventions) -> Vec<Seen> {
    let recorder = Recorder::new();
    let genai = recorder.builder(conventions).build();
    let mut call = genai
        .chat(Provider::OPENAI, "gpt-4o")
        .server("api.openai.com", 443)
        .start();
    call.response_model("gpt-4o-2024-08-06");
    call.chunk().chunk().chunk();
    call.usage(usage());
    call.end();
    let mut call = genai.embeddings(Provider::OPENAI, "e-small").start();
    call.usage(Usage::of_input(12));
    call.end();
    let agent = genai.invoke_agent("planner").start();
    let call = genai
        .chat(Provider::OPENAI, "gpt-4o")
        .under(&agent.context())
        .start();
    call.fail("429");
    genai
        .execute_tool("search")
        .kind("function")
        .under(&agent.context())
        .start()
        .end();
    agent.end();
    genai.invoke_workflow("report").start().end();
    recorder.metrics()
}

#[test]
fn the_latest_metrics_have_the_units_buckets_and_labels_of_their_page() {
    let metrics = measured(Conventions::Latest);
    let page: &[(&str, &str, &[f64], &[&str])] = &[
        (
            "gen_ai.client.inference.duration",
            "s",
            &SECONDS,
            &[
                "gen_ai.operation.name",
                "gen_ai.provider.name",
                "gen_ai.request.model",
            ],
        ),
        (
            "gen_ai.client.embeddings.duration",
            "s",
            &SECONDS,
            &[
                "gen_ai.operation.name",
                "gen_ai.provider.name",
                "gen_ai.request.model",
            ],
        ),
        (
            "gen_ai.client.inference.time_to_first_chunk",
            "s",
            &SECONDS,
            &["gen_ai.operation.name", "gen_ai.provider.name"],
        ),
        (
            "gen_ai.client.inference.time_per_output_chunk",
            "s",
            &SECONDS,
            &["gen_ai.operation.name", "gen_ai.provider.name"],
        ),
        (
            "gen_ai.client.inference.usage.input_tokens",
            "{token}",
            &[],
            &["gen_ai.token.modality", "gen_ai.provider.name"],
        ),
        (
            "gen_ai.client.inference.usage.output_tokens",
            "{token}",
            &[],
            &["gen_ai.token.modality"],
        ),
        (
            "gen_ai.client.inference.usage.cache_read.input_tokens",
            "{token}",
            &[],
            &["gen_ai.token.modality"],
        ),
        (
            "gen_ai.client.inference.usage.cache_write.input_tokens",
            "{token}",
            &[],
            &["gen_ai.token.modality"],
        ),
        (
            "gen_ai.client.inference.usage.reasoning.output_tokens",
            "{token}",
            &[],
            &["gen_ai.token.modality"],
        ),
        (
            "gen_ai.client.inference.operation.input_tokens",
            "{token}",
            &TOKENS,
            &["gen_ai.operation.name"],
        ),
        (
            "gen_ai.client.inference.operation.output_tokens",
            "{token}",
            &TOKENS,
            &["gen_ai.operation.name"],
        ),
        (
            "gen_ai.client.embeddings.operation.input_tokens",
            "{token}",
            &TOKENS,
            &["gen_ai.operation.name"],
        ),
        (
            "gen_ai.client.token.usage",
            "{token}",
            &TOKENS,
            &["gen_ai.token.type", "gen_ai.provider.name"],
        ),
        (
            "gen_ai.client.operation.duration",
            "s",
            &SECONDS,
            &["gen_ai.operation.name", "gen_ai.provider.name"],
        ),
        (
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            &SECONDS,
            &["gen_ai.provider.name"],
        ),
        (
            "gen_ai.client.operation.time_per_output_chunk",
            "s",
            &SECONDS,
            &["gen_ai.provider.name"],
        ),
        (
            "gen_ai.invoke_agent.duration",
            "s",
            &[
                0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
            ],
            &["gen_ai.agent.name"],
        ),
        (
            "gen_ai.invoke_agent.inference_calls",
            "{inference_call}",
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0],
            &["gen_ai.agent.name"],
        ),
        (
            "gen_ai.invoke_agent.tool_calls",
            "{tool_call}",
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0],
            &["gen_ai.agent.name"],
        ),
        (
            "gen_ai.execute_tool.duration",
            "s",
            &SECONDS,
            &["gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.agent.name"],
        ),
        (
            "gen_ai.invoke_workflow.duration",
            "s",
            &[
                1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
            ],
            &["gen_ai.workflow.name"],
        ),
    ];
    for (name, unit, bounds, labels) in page {
        let metric = find(&metrics, name);
        assert_eq!(metric.unit, *unit, "{name}");
        assert_eq!(metric.bounds, *bounds, "{name}");
        for point in &metric.points {
            for label in *labels {
                assert!(
                    point.label(label).is_some(),
                    "{name} needs {label}: {point:?}"
                );
            }
        }
    }
    assert_eq!(metrics.len(), page.len(), "metrics of no page");
}

#[test]
fn usage_counts_add_up_by_modality_and_the_parts_are_subsets() {
    let metrics = measured(Conventions::Latest);
    let by_modality = |name: &str| -> Vec<(String, f64)> {
        let mut points: Vec<(String, f64)> = find(&metrics, name)
            .points
            .iter()
            .map(|point| {
                (
                    point.label("gen_ai.token.modality").unwrap().to_owned(),
                    point.sum,
                )
            })
            .collect();
        points.sort_by(|a, b| a.0.cmp(&b.0));
        points
    };
    let of = |modality: &str, sum: f64| (modality.to_owned(), sum);
    assert_eq!(
        by_modality("gen_ai.client.inference.usage.input_tokens"),
        [of("audio", 30.0), of("image", 20.0), of("unknown", 950.0)]
    );
    assert_eq!(
        by_modality("gen_ai.client.inference.usage.cache_read.input_tokens"),
        [of("unknown", 600.0)]
    );
}

#[test]
fn the_metrics_of_v1_36_are_four_and_carry_the_system() {
    let metrics = measured(Conventions::V1_36);
    let mut names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "gen_ai.client.operation.duration",
            "gen_ai.client.operation.time_per_output_chunk",
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.client.token.usage",
        ]
    );
    let usage = find(&metrics, "gen_ai.client.token.usage");
    let sum = |kind: &str| -> f64 {
        usage
            .points
            .iter()
            .filter(|point| point.label("gen_ai.token.type") == Some(kind))
            .map(|point| {
                assert_eq!(point.label("gen_ai.system"), Some("openai"));
                assert_eq!(point.label("gen_ai.provider.name"), None);
                point.sum
            })
            .sum()
    };
    assert_eq!((sum("input"), sum("output")), (1012.0, 200.0));
}

#[test]
fn an_agents_calls_and_tools_are_counted_and_errors_are_labels() {
    let metrics = measured(Conventions::Latest);
    let one = |name: &str| find(&metrics, name).points[0].sum as u64;
    assert_eq!(one("gen_ai.invoke_agent.inference_calls"), 1);
    assert_eq!(one("gen_ai.invoke_agent.tool_calls"), 1);
    let errors: Vec<Option<&str>> = find(&metrics, "gen_ai.client.inference.duration")
        .points
        .iter()
        .map(|point| point.label("error.type"))
        .collect();
    assert!(
        errors.contains(&Some("429")) && errors.contains(&None),
        "{errors:?}"
    );
}

fn find<'a>(metrics: &'a [Seen], name: &str) -> &'a Seen {
    metrics
        .iter()
        .find(|metric| metric.name == name)
        .unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn attribution_is_on_every_span_below_it() {
    let recorder = Recorder::new();
    let genai = recorder.genai();
    let context = attribute_to()
        .feature("search")
        .user("u-42")
        .session("s-7")
        .tag("team", "growth")
        .context();
    let agent = genai.invoke_agent("planner").under(&context).start();
    let call = genai
        .chat(Provider::OPENAI, "gpt-4o")
        .under(&agent.context())
        .start();
    call.end();
    agent.end();
    for span in recorder.spans() {
        for (key, expected) in [
            ("costflame.feature", "search"),
            ("user.id", "u-42"),
            ("session.id", "s-7"),
            ("costflame.tag.team", "growth"),
        ] {
            assert_eq!(text(&span, key).as_deref(), Some(expected), "{}", span.name);
        }
    }
    let call = &recorder.spans()[0];
    assert_eq!(
        value(call, "costflame.path"),
        Some(Value::from("invoke_agent planner"))
    );
}
