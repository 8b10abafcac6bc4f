//! Libraries and versions that are not among the recordings, by what their conventions say they write.

use costflame_pricing::{Catalog, Flag, TokenClass};
use costflame_profile::Role;

use super::{
    land::land,
    testing::{scope, span},
};
use crate::decode::{
    Attributes, Resource,
    Value::{self, Double, Int, Str},
};

/// What a span is read as: its role, the price's provider, and tokens in the order of classes.
fn read(library: &str, name: &str, attributes: &[(&str, Value<'_>)]) -> String {
    let resource = Resource {
        attributes: Attributes(&[]),
    };
    let row = land(
        &resource,
        &scope(library),
        &span(name, attributes),
        &Catalog::embedded(),
        1,
        0,
    );
    let Some(receipt) = row.receipt else {
        return "plain".to_owned();
    };
    let role = match row.span.role {
        Role::Call => "call",
        Role::Aggregate => "aggregate",
        Role::Plain => "plain",
    };
    let provider = receipt
        .price
        .map_or_else(String::new, |price| price.provider);
    let generic = if receipt.flags.contains(Flag::Generic) {
        " generic"
    } else {
        ""
    };
    let used = TokenClass::ALL
        .into_iter()
        .filter(|class| receipt.usage.get(*class) > 0);
    let used: Vec<_> = used
        .map(|class| format!("{}={}", class.name(), receipt.usage.get(class)))
        .collect();
    format!("{role} {provider}{generic} {}", used.join(" "))
}

#[test]
fn azure_and_the_conventions_of_every_age() {
    let azure = [
        ("gen_ai.system", Str("az.ai.inference")),
        ("gen_ai.operation.name", Str("chat")),
        ("gen_ai.request.model", Str("gpt-4o")),
        ("gen_ai.usage.input_tokens", Int(10)),
        ("gen_ai.usage.output_tokens", Int(5)),
    ];
    assert_eq!(
        read("azure.ai.inference", "chat gpt-4o", &azure),
        "call openai input=10 output=5"
    );
    let oldest = [
        ("gen_ai.system", Str("openai")),
        ("gen_ai.request.model", Str("gpt-4o")),
        ("gen_ai.usage.prompt_tokens", Int(10)),
        ("gen_ai.usage.completion_tokens", Int(5)),
    ];
    assert_eq!(
        read("lib", "openai.chat", &oldest),
        "call openai input=10 output=5"
    );
    let newest = [
        ("gen_ai.provider.name", Str("gcp.gen_ai")),
        ("gen_ai.operation.name", Str("generate_content")),
        ("gen_ai.request.model", Str("gemini-2.5-pro")),
        ("gen_ai.usage.input_tokens", Int(300)),
        ("gen_ai.usage.cache_read.input_tokens", Int(40)),
        ("gen_ai.usage.text.input_tokens", Int(100)),
        ("gen_ai.usage.text.cache_read.input_tokens", Int(40)),
        ("gen_ai.usage.image.input_tokens", Int(200)),
        ("gen_ai.usage.output_tokens", Int(50)),
        ("gen_ai.usage.reasoning.output_tokens", Int(20)),
    ];
    assert_eq!(
        read(
            "opentelemetry.util.genai.handler",
            "generate_content gemini-2.5-pro",
            &newest
        ),
        "call google input=60 cache_read=40 image_in=200 output=30 reasoning=20"
    );
    for operation in [
        "fetch_response",
        "execute_tool",
        "plan",
        "retrieval",
        "search_memory",
    ] {
        let mut never = newest;
        never[1].1 = Str(operation);
        assert_eq!(read("lib", operation, &never), "plain");
    }
    let mut agent = newest;
    agent[1].1 = Str("invoke_agent");
    assert!(read("lib", "invoke_agent a", &agent).starts_with("aggregate"));
}

#[test]
fn google_and_its_agents() {
    let first = [
        ("gen_ai.system", Str("gcp.vertex.agent")),
        ("gen_ai.request.model", Str("gemini-2.5-flash")),
        ("gen_ai.usage.input_tokens", Int(100)),
        ("gen_ai.usage.output_tokens", Int(20)),
        (
            "gcp.vertex.agent.llm_response",
            Str(
                r#"{"content":{"parts":[{"text":"hi"}]},"usage_metadata":{"candidates_token_count":20,"prompt_token_count":100,"cached_content_token_count":30,"thoughts_token_count":7,"total_token_count":127}}"#,
            ),
        ),
    ];
    assert_eq!(
        read("gcp.vertex.agent", "call_llm", &first),
        "call google input=70 cache_read=30 output=20 reasoning=7"
    );
    let traceloop = [
        ("gen_ai.system", Str("gcp.gen_ai")),
        ("gen_ai.request.model", Str("gemini-2.5-pro")),
        ("llm.request.type", Str("completion")),
        ("gen_ai.usage.input_tokens", Int(100)),
        ("gen_ai.usage.output_tokens", Int(20)),
        ("llm.usage.total_tokens", Int(150)),
    ];
    assert_eq!(
        read(
            "opentelemetry.instrumentation.google_generativeai",
            "gemini.generate_content",
            &traceloop
        ),
        "call google input=100 output=20 reasoning=30"
    );
}

#[test]
fn cached_tokens_beside_and_inside() {
    let cached = |provider, system| {
        [
            (provider, Str(system)),
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.request.model", Str("claude-sonnet-4-5")),
            ("gen_ai.usage.input_tokens", Int(1_000)),
            ("gen_ai.usage.cache_read.input_tokens", Int(400)),
            ("gen_ai.usage.cache_creation.input_tokens", Int(100)),
            ("gen_ai.usage.output_tokens", Int(5)),
        ]
    };
    let beside = "call anthropic input=1000 cache_read=400 cache_write=100 output=5";
    let inside = "call anthropic input=500 cache_read=400 cache_write=100 output=5";
    for (library, expected) in [
        ("openlit.instrumentation.anthropic", beside),
        ("@traceloop/instrumentation-anthropic", beside),
        ("opentelemetry.instrumentation.anthropic", inside),
        ("opentelemetry.instrumentation.genai.anthropic", inside),
        ("com.anthropic.sdk.typescript", inside),
        ("pydantic-ai", inside),
        ("logfire.anthropic", inside),
        ("some.other.library", inside),
    ] {
        assert_eq!(
            read(
                library,
                "chat",
                &cached("gen_ai.provider.name", "anthropic")
            ),
            expected,
            "{library}"
        );
    }
    let bedrock = read(
        "opentelemetry.instrumentation.botocore.bedrock-runtime",
        "chat",
        &cached("gen_ai.system", "aws.bedrock"),
    );
    assert!(
        bedrock.ends_with("input=1000 cache_read=400 cache_write=100 output=5"),
        "{bedrock}"
    );
}

#[test]
fn openinference_on_frameworks() {
    let call = [
        ("openinference.span.kind", Str("LLM")),
        ("llm.provider", Str("mistralai")),
        ("llm.model_name", Str("mistral-small-latest")),
        ("llm.token_count.prompt", Int(10)),
        ("llm.token_count.completion", Double(5.0)),
        ("llm.token_count.total", Int(15)),
    ];
    assert_eq!(
        read(
            "openinference.instrumentation.mistralai",
            "MistralClient.chat",
            &call
        ),
        "call mistral input=10 output=5"
    );
    // DSPy: kind and model, but no usage.
    assert_eq!(
        read(
            "openinference.instrumentation.dspy",
            "LM.__call__",
            &call[..3]
        ),
        "call  "
    );
    let vercel = [
        ("openinference.span.kind", Str("LLM")),
        ("ai.operationId", Str("ai.generateText.doGenerate")),
        ("ai.model.provider", Str("openai.chat")),
        ("ai.model.id", Str("gpt-4o")),
        ("ai.usage.inputTokens", Int(100)),
        ("ai.usage.outputTokens", Int(20)),
        ("gen_ai.system", Str("openai.chat")),
        ("gen_ai.usage.input_tokens", Int(100)),
        ("gen_ai.usage.output_tokens", Int(20)),
        ("llm.token_count.prompt", Int(100)),
        ("llm.token_count.completion", Int(20)),
        ("llm.token_count.prompt_details.cache_read", Int(30)),
    ];
    assert_eq!(
        read("ai", "ai.generateText.doGenerate", &vercel),
        "call openai input=70 cache_read=30 output=20"
    );
    let around = [
        ("ai.operationId", Str("ai.generateText")),
        ("ai.model.provider", Str("openai.chat")),
        ("ai.model.id", Str("gpt-4o")),
        ("ai.usage.promptTokens", Int(100)),
        ("ai.usage.completionTokens", Int(20)),
    ];
    assert!(read("ai", "ai.generateText", &around).starts_with("aggregate openai"));
}

#[test]
fn gateways_and_exporters() {
    let proxy = [
        ("gen_ai.system", Str("anthropic")),
        ("gen_ai.operation.name", Str("acompletion")),
        ("gen_ai.request.model", Str("claude-sonnet-4-5")),
        ("gen_ai.response.model", Str("smart")),
        ("metadata.user_api_key_hash", Str("88dc")),
        ("gen_ai.usage.input_tokens", Int(1_000)),
        ("gen_ai.usage.output_tokens", Int(5)),
        (
            "metadata.usage_object",
            Str(
                "{'completion_tokens': 5, 'prompt_tokens': 1000, 'total_tokens': 1005, 'completion_tokens_details': None, 'prompt_tokens_details': {'audio_tokens': None, 'cached_tokens': 400}, 'cache_creation_input_tokens': 0, 'cache_read_input_tokens': 400}",
            ),
        ),
    ];
    assert_eq!(
        read("litellm", "litellm_request", &proxy),
        "call anthropic input=600 cache_read=400 output=5"
    );
    let smith = [
        ("langsmith.span.kind", Str("llm")),
        ("gen_ai.system", Str("openai")),
        ("gen_ai.operation.name", Str("chat")),
        ("gen_ai.request.model", Str("gpt-4o")),
        ("gen_ai.usage.input_tokens", Int(100)),
        ("gen_ai.usage.output_tokens", Int(20)),
        ("gen_ai.usage.total_tokens", Int(120)),
        (
            "langsmith.metadata.usage_metadata",
            Str(
                r#"{"input_tokens": 100, "output_tokens": 20, "total_tokens": 120, "input_token_details": {"cache_read": 30}, "output_token_details": {"reasoning": 8}}"#,
            ),
        ),
    ];
    assert_eq!(
        read("langsmith", "ChatOpenAI", &smith),
        "call openai input=70 cache_read=30 output=12 reasoning=8"
    );
    let mut chain = smith;
    chain[0].1 = Str("chain");
    assert!(read("langsmith", "RunnableSequence", &chain).starts_with("aggregate"));
    let haystack = [
        ("haystack.component.type", Str("OpenAIChatGenerator")),
        (
            "haystack.component.output",
            Str(
                r#"{"replies": [{"role": "assistant", "meta": {"model": "gpt-4o-2024-08-06", "index": 0, "usage": {"completion_tokens": 20, "prompt_tokens": 100, "total_tokens": 120, "prompt_tokens_details": {"cached_tokens": 30}}}}]}"#,
            ),
        ),
    ];
    assert_eq!(
        read("haystack", "haystack.component.run", &haystack),
        "call openai input=70 cache_read=30 output=20"
    );
}

#[test]
fn kinds_of_libraries_without_operations() {
    let with = |kind, value| {
        [
            (kind, Str(value)),
            ("gen_ai.system", Str("openai")),
            ("gen_ai.request.model", Str("gpt-4o")),
            ("gen_ai.usage.input_tokens", Int(10)),
            ("gen_ai.usage.output_tokens", Int(5)),
        ]
    };
    for (kind, value, read_as) in [
        ("lmnr.span.type", "LLM", "call openai input=10 output=5"),
        (
            "mastra.span.type",
            "model_generation",
            "call openai input=10 output=5",
        ),
        (
            "mastra.span.type",
            "agent_run",
            "aggregate openai input=10 output=5",
        ),
        (
            "gen_ai.span.kind",
            "CHAIN",
            "aggregate openai input=10 output=5",
        ),
        ("gen_ai.span.kind", "RETRIEVER", "plain"),
        (
            "langwatch.span.type",
            "llm",
            "call openai input=10 output=5",
        ),
        ("agentops.span.kind", "tool", "plain"),
        (
            "agentops.span.kind",
            "session",
            "call openai input=10 output=5",
        ),
        (
            "honeyhive_event_type",
            "model",
            "call openai input=10 output=5",
        ),
        (
            "honeyhive_event_type",
            "chain",
            "aggregate openai input=10 output=5",
        ),
    ] {
        assert_eq!(
            read("x", "x", &with(kind, value)),
            read_as,
            "{kind}={value}"
        );
    }
    // Without usage a kind still tells a call that failed.
    let failed = with("lmnr.span.type", "LLM");
    assert_eq!(read("x", "x", &failed[..3]), "call  ");
}

#[test]
fn frameworks_that_tell_usage_in_what_they_return() {
    let genkit = [
        ("genkit:type", Str("action")),
        ("genkit:metadata:subtype", Str("model")),
        ("genkit:name", Str("googleai/gemini-2.5-flash")),
        (
            "genkit:output",
            Str(
                r#"{"message":{"role":"model","content":[{"text":"hi"}]},"finishReason":"stop","usage":{"inputTokens":100,"outputTokens":20,"totalTokens":127,"thoughtsTokens":7,"cachedContentTokens":30}}"#,
            ),
        ),
    ];
    assert_eq!(
        read("genkit-tracer", "googleai/gemini-2.5-flash", &genkit),
        "call google input=70 cache_read=30 output=20 reasoning=7"
    );
    let mut generate = genkit;
    generate[1].1 = Str("util");
    assert_eq!(read("genkit-tracer", "generate", &generate), "plain");
    let crew = [
        ("gen_ai.provider.name", Str("crewai")),
        ("gen_ai.operation.name", Str("invoke_agent")),
        (
            "crewai.crew.usage_metrics",
            Str(
                "{'total_tokens': 2854, 'prompt_tokens': 2693, 'cached_prompt_tokens': 2560, 'completion_tokens': 161, 'reasoning_tokens': 0}",
            ),
        ),
    ];
    assert_eq!(
        read(
            "opentelemetry.instrumentation.crewai",
            "crewai.workflow",
            &crew
        ),
        "aggregate  input=133 cache_read=2560 output=161"
    );
}

#[test]
fn what_only_looks_like_usage_is_none() {
    for attributes in [
        vec![("auth.token.count", Int(3)), ("model", Str("x"))],
        vec![("token.count", Int(3))],
        vec![
            ("rate_limit.tokens.remaining", Int(90_000)),
            ("model", Str("gpt-4o")),
        ],
        vec![
            ("ratelimit.tokens", Int(5)),
            ("ratelimit.token_bucket.capacity", Int(50)),
        ],
        vec![
            ("gen_ai.request.max_tokens", Int(4_096)),
            ("llm.max_tokens", Int(9)),
        ],
        vec![
            ("csrf.input_token_id", Int(4)),
            ("oauth.refresh_token_expires_in", Int(3_600)),
        ],
        vec![
            ("lexer.tokens", Int(400)),
            ("parser.token_position", Int(7)),
        ],
        vec![
            ("output", Int(7)),
            ("input", Int(8)),
            ("usage", Double(0.75)),
            ("model", Str("sedan")),
        ],
        vec![
            ("usage", Str("{\"cpu\": 3, \"memory\": 99}")),
            ("model", Str("m5.large")),
        ],
    ] {
        assert_eq!(read("shop", "work", &attributes), "plain", "{attributes:?}");
    }
}

#[test]
fn strange_names_and_numbers() {
    let cohere = [
        ("gen_ai.system", Str("Cohere")),
        ("llm.request.type", Str("chat")),
        ("gen_ai.request.model", Str("command-r-plus")),
        ("gen_ai.usage.prompt_tokens", Double(7_494.0)),
        ("gen_ai.usage.completion_tokens", Double(12.0)),
    ];
    assert_eq!(
        read(
            "opentelemetry.instrumentation.cohere",
            "cohere.chat",
            &cohere
        ),
        "call cohere input=7494 output=12"
    );
    let ollama = [
        ("gen_ai.system", Str("Ollama")),
        ("llm.request.type", Str("chat")),
        ("gen_ai.request.model", Str("llama3")),
        ("llm.usage.total_tokens", Int(30)),
        ("gen_ai.usage.input_tokens", Int(20)),
        ("gen_ai.usage.output_tokens", Int(10)),
    ];
    assert_eq!(
        read(
            "opentelemetry.instrumentation.ollama",
            "ollama.chat",
            &ollama
        ),
        "call  input=20 output=10"
    );
    let agents = [
        ("gen_ai.system", Str("openai")),
        ("gen_ai.provider.name", Str("openai")),
        ("gen_ai.operation.name", Str("chat")),
        ("gen_ai.request.model", Str("gpt-4o-2024-08-06")),
        ("gen_ai.usage.input_tokens", Str("20")),
        ("gen_ai.usage.output_tokens", Str("10")),
        ("gen_ai.agent.name", Str("OpenAI Agent")),
    ];
    assert_eq!(
        read(
            "opentelemetry.instrumentation.openai_agents",
            "chat",
            &agents
        ),
        "call openai input=20 output=10"
    );
    let nobody = [
        ("acme.model", Str("gpt-4o")),
        ("acme.usage.promptTokens", Int(20)),
        ("acme.usage.completionTokens", Int(10)),
    ];
    assert_eq!(
        read("acme", "ask", &nobody),
        "call openai generic input=20 output=10"
    );
}
