//! What a span is, by the rules that no recorded payload is likely to break alone.

use costflame_pricing::{Accounting, Flag};
use costflame_profile::{FrameKind, Role, SpanKind};

use std::sync::LazyLock;

use costflame_pricing::Catalog;
use proptest::prelude::*;

use super::{
    DIALECTS, Lander, Recognised, Slots, frame, recognise,
    testing::{judge, scope, span},
};
use crate::decode::{
    Attributes, Resource, Status,
    Value::{self, Double, Int, Str},
};

const USAGE: [(&str, Value<'_>); 2] = [
    ("gen_ai.usage.input_tokens", Int(100)),
    ("gen_ai.usage.output_tokens", Int(10)),
];

/// The role of a span that carries usage and one more attribute.
fn with_usage(key: &str, value: &str) -> (Role, FrameKind, &'static str) {
    let attributes = [
        USAGE[0],
        USAGE[1],
        ("gen_ai.request.model", Str("gpt-4o")),
        (key, Str(value)),
    ];
    let recognised = judge("some.library", "work", &attributes);
    (recognised.role, recognised.kind, recognised.dialect)
}

#[test]
fn operations_decide_between_call_aggregate_and_neither() {
    for (operation, role, kind) in [
        ("chat", Role::Call, FrameKind::Model),
        ("generate_content", Role::Call, FrameKind::Model),
        ("embeddings", Role::Call, FrameKind::Model),
        ("acompletion", Role::Call, FrameKind::Model),
        ("invoke_agent", Role::Aggregate, FrameKind::Agent),
        ("invoke_workflow", Role::Aggregate, FrameKind::Workflow),
        ("execute_tool", Role::Plain, FrameKind::Tool),
        ("fetch_response", Role::Plain, FrameKind::Step),
        ("retrieval", Role::Plain, FrameKind::Step),
        ("search_memory", Role::Plain, FrameKind::Step),
    ] {
        assert_eq!(
            with_usage("gen_ai.operation.name", operation),
            (role, kind, "otel"),
            "{operation}"
        );
    }
}

#[test]
fn kinds_of_libraries_decide_before_their_usage_does() {
    for (key, value, role, dialect) in [
        (
            "openinference.span.kind",
            "LLM",
            Role::Call,
            "openinference",
        ),
        (
            "openinference.span.kind",
            "AGENT",
            Role::Aggregate,
            "openinference",
        ),
        (
            "openinference.span.kind",
            "RETRIEVER",
            Role::Aggregate,
            "openinference",
        ),
        (
            "openinference.span.kind",
            "TOOL",
            Role::Plain,
            "openinference",
        ),
        (
            "traceloop.span.kind",
            "workflow",
            Role::Aggregate,
            "openllmetry",
        ),
        ("llm.request.type", "chat", Role::Call, "openllmetry"),
        (
            "ai.operationId",
            "ai.generateText",
            Role::Aggregate,
            "vercel_ai",
        ),
        (
            "ai.operationId",
            "ai.generateText.doGenerate",
            Role::Call,
            "vercel_ai",
        ),
        (
            "langfuse.observation.type",
            "generation",
            Role::Call,
            "langfuse",
        ),
        (
            "langfuse.observation.type",
            "span",
            Role::Aggregate,
            "langfuse",
        ),
        ("langsmith.span.kind", "chain", Role::Aggregate, "langsmith"),
        ("mlflow.spanType", "\"CHAT_MODEL\"", Role::Call, "mlflow"),
    ] {
        let (found, _, by) = with_usage(key, value);
        assert_eq!((found, by), (role, dialect), "{key}={value}");
    }
}

#[test]
fn without_a_model_or_usage_nothing_is_a_call() {
    let template = judge(
        "langsmith",
        "ChatPromptTemplate",
        &[("gen_ai.operation.name", Str("chat"))],
    );
    assert_eq!(template.role, Role::Plain);
    let model = judge(
        "x",
        "chat gpt-4o",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.request.model", Str("gpt-4o")),
        ],
    );
    assert_eq!((model.role, model.label), (Role::Call, Some("gpt-4o")));
    assert!(!model.call.unwrap().has_usage());
    let agent = judge(
        "x",
        "invoke_agent",
        &[
            ("gen_ai.operation.name", Str("invoke_agent")),
            ("gen_ai.agent.name", Str("a")),
        ],
    );
    assert_eq!(
        (agent.role, agent.kind, agent.label),
        (Role::Plain, FrameKind::Agent, Some("a"))
    );
}

#[test]
fn zeros_are_no_usage_and_an_error_with_usage_is_flagged() {
    let zero = [
        ("gen_ai.operation.name", Str("chat")),
        ("gen_ai.request.model", Str("m")),
        ("gen_ai.usage.input_tokens", Int(0)),
    ];
    assert!(!judge("x", "chat", &zero).call.unwrap().has_usage());
    let attributes = [("gen_ai.operation.name", Str("chat")), USAGE[0], USAGE[1]];
    let failed = crate::decode::Span {
        status: Status::Error,
        ..span("chat", &attributes)
    };
    let call = recognise(&scope("x"), &failed, &Slots::read(failed.attributes))
        .call
        .unwrap();
    assert!(call.flags.contains(Flag::FailedWithUsage));
}

#[test]
fn aliases_are_never_added_and_the_first_good_number_is_taken() {
    let attributes = [
        ("gen_ai.usage.completion_tokens", Int(7)),
        ("gen_ai.usage.prompt_tokens", Str("42")),
        ("gen_ai.usage.input_tokens", Int(-1)),
        ("gen_ai.usage.output_tokens", Double(7.0)),
        ("gen_ai.usage.cache_read_input_tokens", Int(5)),
        ("gen_ai.usage.cache_read.input_tokens", Int(5)),
        ("gen_ai.usage.details.cache_read_tokens", Int(5)),
        ("gen_ai.request.model", Str("m")),
    ];
    let call = judge("x", "chat", &attributes).call.unwrap();
    let said = call.reported;
    assert_eq!(
        (said.input, said.output, said.cache_read),
        (Some(42), Some(7), Some(5))
    );
    assert!(call.flags.contains(Flag::BadNumber));
}

#[test]
fn usage_in_an_unknown_spelling_is_a_generic_call() {
    let call = judge(
        "acme",
        "ask",
        &[
            ("llm.usage.prompt_tokens", Int(9)),
            ("llm.model", Str("gpt-4o")),
        ],
    );
    assert_eq!((call.role, call.dialect), (Role::Call, "generic"));
    assert!(call.call.unwrap().flags.contains(Flag::Generic));
    let object = judge(
        "acme",
        "ask",
        &[
            ("usage", Str("{'input_tokens': 9}")),
            ("model", Str("gpt-4o")),
        ],
    );
    assert_eq!(object.call.unwrap().reported.input, Some(9));
    let unnamed = judge("acme", "ask", &[("prompt_tokens", Int(9))]);
    assert_eq!(unnamed.role, Role::Aggregate);
    let plain = judge("acme", "get_model_info", &[("model", Str("gpt-4o"))]);
    assert_eq!(plain.role, Role::Plain);
}

fn accounting(scope: &str, provider: &str) -> Accounting {
    let attributes = [
        ("gen_ai.operation.name", Str("chat")),
        ("gen_ai.provider.name", Str(provider)),
        USAGE[0],
        USAGE[1],
    ];
    judge(scope, "chat", &attributes).call.unwrap().accounting
}

#[test]
fn the_emitter_decides_how_cached_tokens_are_counted() {
    for (scope, provider, expected) in [
        (
            "opentelemetry.instrumentation.botocore.bedrock-runtime",
            "aws.bedrock",
            Accounting::EmitterExclusive,
        ),
        (
            "opentelemetry.instrumentation.genai.bedrock",
            "aws.bedrock",
            Accounting::EmitterExclusive,
        ),
        (
            "opentelemetry.instrumentation.genai.anthropic",
            "anthropic",
            Accounting::EmitterInclusive,
        ),
        (
            "opentelemetry.instrumentation.genai.openai",
            "openai",
            Accounting::Spec,
        ),
        (
            "opentelemetry.instrumentation.bedrock",
            "aws.bedrock",
            Accounting::EmitterExclusive,
        ),
        (
            "opentelemetry.instrumentation.anthropic",
            "anthropic",
            Accounting::EmitterInclusive,
        ),
        (
            "@traceloop/instrumentation-anthropic",
            "anthropic",
            Accounting::EmitterExclusive,
        ),
        (
            "openlit.instrumentation.anthropic",
            "anthropic",
            Accounting::EmitterExclusive,
        ),
        ("openlit.instrumentation.openai", "openai", Accounting::Spec),
        (
            "openlit.instrumentation.langchain",
            "anthropic",
            Accounting::EmitterInclusive,
        ),
        (
            "com.anthropic.sdk.python.bedrock",
            "aws.bedrock",
            Accounting::EmitterInclusive,
        ),
        ("a.library.nobody.knows", "anthropic", Accounting::Spec),
    ] {
        assert_eq!(accounting(scope, provider), expected, "{scope} {provider}");
    }
}

#[test]
fn vercel_counts_by_its_version() {
    let agent = |version| {
        [
            ("ai.operationId", Str("ai.generateText.doGenerate")),
            ("ai.model.provider", Str("anthropic.messages")),
            ("ai.request.headers.user-agent", Str(version)),
            ("gen_ai.usage.input_tokens", Int(10)),
            (
                "ai.response.providerMetadata",
                Str(r#"{"anthropic":{"cacheCreationInputTokens":4}}"#),
            ),
        ]
    };
    for (version, expected) in [
        ("ai/5.0.277", Accounting::EmitterExclusive),
        ("ai/6.0.1", Accounting::EmitterInclusive),
    ] {
        let attributes = agent(version);
        let call = judge("ai", "ai.generateText.doGenerate", &attributes)
            .call
            .unwrap();
        assert_eq!(
            (call.accounting, call.reported.cache_write),
            (expected, Some(4)),
            "{version}"
        );
    }
}

#[test]
fn a_framework_is_no_provider() {
    let attributes = [
        ("gen_ai.system", Str("Langchain")),
        ("llm.request.type", Str("chat")),
        (
            "traceloop.association.properties.ls_provider",
            Str("openai"),
        ),
        USAGE[0],
    ];
    let call = judge(
        "opentelemetry.instrumentation.langchain",
        "ChatOpenAI.chat",
        &attributes,
    )
    .call
    .unwrap();
    assert_eq!(call.provider, Some("openai"));
}

#[test]
fn what_a_model_says_is_not_taken_for_its_usage() {
    let attributes = [
        ("openinference.span.kind", Str("LLM")),
        ("llm.token_count.prompt", Int(100)),
        ("llm.token_count.completion", Int(10)),
        (
            "output.value",
            Str(
                r#"{"id":"c1","text":"usage: {'prompt_tokens': 1, 'completion_tokens': 2, 'cached_tokens': 99}"}"#,
            ),
        ),
    ];
    let call = judge("openinference.x", "chat", &attributes).call.unwrap();
    assert_eq!(
        (call.reported.input, call.reported.cache_read),
        (Some(100), None)
    );
    assert_eq!(call.response_id, Some("c1"));
}

#[test]
fn requests_served_are_named_by_their_route() {
    let attributes = [
        ("http.route", Str("/users/{id}")),
        ("http.request.method", Str("GET")),
    ];
    let served = crate::decode::Span {
        kind: SpanKind::Server,
        ..span("GET", &attributes)
    };
    let slots = Slots::read(served.attributes);
    let (kind, raw) = super::frame::of(&Recognised::step(), &served, &slots);
    assert_eq!(
        (kind, raw.label().as_str()),
        (FrameKind::Request, "GET /users/{id}")
    );
}

#[test]
fn dialects_agree_on_what_a_key_says() {
    let mut meanings = std::collections::BTreeMap::new();
    for (key, slot) in DIALECTS.iter().flat_map(|dialect| dialect.keys) {
        let known = *meanings.entry(*key).or_insert(*slot);
        assert_eq!(known, *slot, "{key}");
    }
    assert!(DIALECTS.len() <= 32, "telltales are bits of a u32");
}

#[test]
fn usage_may_be_a_map_or_json_beside_the_numbers() {
    // KeyValueList { "input_tokens": 9, "details": { "cached_tokens": "4" } }
    let details = b"\x0a\x14\x0a\x0dcached_tokens\x12\x03\x0a\x014";
    let mut map = b"\x0a\x12\x0a\x0cinput_tokens\x12\x02\x18\x09".to_vec();
    map.extend_from_slice(b"\x0a\x23\x0a\x07details\x12\x18\x32\x16");
    map.extend_from_slice(details);
    let attributes = [
        ("mlflow.spanType", Str("\"LLM\"")),
        ("mlflow.chat.tokenUsage", Value::Map(&map)),
        ("mlflow.llm.cost", Str(r#"{"total_cost": 0.5}"#)),
    ];
    let call = judge("mlflow", "chat", &attributes).call.unwrap();
    assert_eq!(
        (call.reported.input, call.reported.cache_read),
        (Some(9), Some(4))
    );
    assert_eq!(call.reported_cost.map(|cost| cost.0), Some(500_000_000_000));

    let details = [
        ("langsmith.span.kind", Str("llm")),
        USAGE[0],
        (
            "gen_ai.usage.input_token_details",
            Str(r#"{"cache_read": 60, "audio": 5}"#),
        ),
        (
            "gen_ai.usage.output_token_details",
            Str(r#"{"reasoning": 3}"#),
        ),
    ];
    let said = judge("langsmith", "ChatOpenAI", &details)
        .call
        .unwrap()
        .reported;
    assert_eq!(
        (said.input, said.cache_read, said.audio_in, said.reasoning),
        (Some(100), Some(60), Some(5), Some(3))
    );
}

#[test]
fn haystack_says_usage_in_what_a_component_returned() {
    let output = r#"{"replies": [{"role": "assistant", "meta": {"model": "gpt-4o-mini-2024-07-18", "usage":
        {"prompt_tokens": 40, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 30}}}}]}"#;
    let attributes = [
        ("haystack.component.type", Str("OpenAIChatGenerator")),
        ("haystack.component.name", Str("llm")),
        ("haystack.component.output", Str(output)),
    ];
    let generator = judge("haystack", "haystack.component.run", &attributes);
    let call = generator.call.unwrap();
    assert_eq!(
        (generator.role, call.provider, call.response_model),
        (Role::Call, Some("openai"), Some("gpt-4o-mini-2024-07-18"))
    );
    assert_eq!(
        (call.reported.input, call.reported.cache_read),
        (Some(40), Some(30))
    );
    let agent = [("haystack.component.type", Str("Agent")), attributes[2]];
    assert_eq!(
        judge("haystack", "haystack.component.run", &agent).role,
        Role::Aggregate
    );
}

#[test]
fn a_pipeline_of_haystack_alone_says_what_its_call_used() {
    let returned = r#"{"llm": {"replies": [{"_role": "assistant", "_content": [{"text": "hi"}], "_meta":
        {"model": "gpt-4o-mini-2024-07-18", "usage": {"prompt_tokens": 40, "completion_tokens": 9}}}]}}"#;
    let attributes = [
        ("traceloop.span.kind", Str("workflow")),
        ("traceloop.entity.output", Str(returned)),
        ("llm.request.type", Str("chat")),
    ];
    let scope = "opentelemetry.instrumentation.haystack";
    let pipeline = judge(scope, "haystack_pipeline.workflow", &attributes[..2]);
    let call = pipeline.call.unwrap();
    assert_eq!(
        (pipeline.role, call.response_model),
        (Role::Aggregate, Some("gpt-4o-mini-2024-07-18"))
    );
    assert_eq!(
        (call.reported.input, call.reported.output),
        (Some(40), Some(9))
    );
    let call = judge(scope, "haystack.openai.chat", &attributes[2..]);
    assert_eq!(call.role, Role::Plain);
    let chain = judge(
        "opentelemetry.instrumentation.langchain",
        "x",
        &attributes[..2],
    );
    assert_eq!(chain.role, Role::Plain);
}

/// Every key of every dialect.
static KEYS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let keys = DIALECTS.iter().flat_map(|dialect| {
        dialect
            .keys
            .iter()
            .map(|(key, _)| *key)
            .chain(dialect.telltales.iter().copied())
    });
    keys.chain([
        "user.id",
        "metadata",
        "tag.tags",
        "http.route",
        "costflame.tag.x",
        "ai.telemetry.functionId",
    ])
    .collect()
});

static SCOPES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let patterns = DIALECTS.iter().flat_map(|dialect| dialect.scopes).chain(
        super::emitters::EMITTERS
            .iter()
            .map(|emitter| &emitter.scope),
    );
    patterns.map(|pattern| pattern.replace('*', "x")).collect()
});

#[derive(Clone, Debug)]
enum Any {
    Text(String),
    Number(i64),
    Fraction(f64),
    Bytes(Vec<u8>),
    Flag(bool),
}

impl Any {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Str(text),
            Self::Number(number) => Int(*number),
            Self::Fraction(number) => Double(*number),
            // Nesting is checked by the decoder; a fault inside must still do no harm.
            Self::Bytes(bytes) => Value::Map(bytes),
            Self::Flag(flag) => Value::Bool(*flag),
        }
    }
}

fn any_value() -> impl Strategy<Value = Any> {
    let words = [
        "chat",
        "invoke_agent",
        "LLM",
        "ai.embed.doEmbed",
        "generation",
        "anthropic",
        "aws.bedrock",
        "gcp.gemini",
        "gpt-4o",
    ];
    prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(|word| Any::Text(word.to_owned())),
        ".{0,40}".prop_map(Any::Text),
        r#"\{"(usage|input_tokens|cache_read_input_tokens)": ?[0-9{}]{1,9}.{0,20}"#
            .prop_map(Any::Text),
        (-2_i64..100_000).prop_map(Any::Number),
        any::<i64>().prop_map(Any::Number),
        any::<f64>().prop_map(Any::Fraction),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Any::Bytes),
        any::<bool>().prop_map(Any::Flag),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_lands_within_bounds(
        written in prop::collection::vec((prop::sample::select(KEYS.clone()), any_value()), 0..12),
        scope_name in prop::sample::select(SCOPES.clone()),
        name in ".{0,150}",
        failed in any::<bool>(),
    ) {
        let attributes: Vec<_> = written.iter().map(|(key, value)| (*key, value.value())).collect();
        let status = if failed { Status::Error } else { Status::Unset };
        let span = crate::decode::Span { status, ..span(&name, &attributes) };
        let catalog = Catalog::embedded();
        let mut lander = Lander::new(&catalog);
        let mut land = || lander.land(&Resource { attributes: Attributes(&[]) }, &scope(&scope_name), &span, 1, 0);
        let row = land();
        prop_assert!(!row.span.label.is_empty() && row.span.label.len() <= frame::MAX_LABEL);
        prop_assert_eq!(row.span.role != Role::Plain, row.receipt.is_some());
        prop_assert_eq!(row.span.role != Role::Plain, row.span.call.is_some());
        if let (Some(call), Some(receipt)) = (&row.span.call, &row.receipt) {
            prop_assert_eq!(call.usage, receipt.usage);
            prop_assert_eq!(receipt.cost.is_none(), receipt.unpriced.is_some());
            // Unknown is never zero.
            prop_assert!(!call.usage.is_zero() || call.cost.is_none());
            prop_assert!(!call.provider.as_deref().is_some_and(|provider| provider.eq_ignore_ascii_case("langchain")));
        }
        prop_assert_eq!(land().span, row.span);
    }
}
