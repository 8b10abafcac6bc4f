//! Spans as the libraries of the field write them.

use opentelemetry::{
    KeyValue,
    trace::{SpanKind, Status},
};

use crate::demo::trace::{Open, Origin, TraceBuilder};

pub(super) const WEB: Origin = Origin {
    service: "web",
    scope: "opentelemetry.instrumentation.asgi",
    version: "0.66b2",
};
pub(super) const SUPPORT: Origin = Origin {
    service: "support-api",
    scope: "opentelemetry.util.genai.handler",
    version: "1.3b0",
};
pub(super) const SUPPORT_HTTP: Origin = Origin {
    service: "support-api",
    scope: "opentelemetry.instrumentation.asgi",
    version: "0.66b2",
};
pub(super) const SEARCH: Origin = Origin {
    service: "search-api",
    scope: "openinference.instrumentation.openai",
    version: "0.1.66",
};
pub(super) const BATCH: Origin = Origin {
    service: "digest-worker",
    scope: "opentelemetry.instrumentation.anthropic",
    version: "0.62.4",
};

/// Who the company works for.
const CUSTOMERS: [&str; 8] = [
    "Alder Bank",
    "Birch & Sons",
    "Cedar Health",
    "Dogwood Media",
    "Elm Logistics",
    "Fir Foods",
    "Hazel Travel",
    "Juniper Labs",
];

/// The customer that a number stands for; some are larger than others.
pub(super) fn customer(number: i64) -> KeyValue {
    let place = usize::try_from(number % 13 % 8).unwrap_or(0);
    KeyValue::new("costflame.tag.customer", CUSTOMERS[place])
}

pub(super) const SONNET: (&str, &str) = ("anthropic", "claude-sonnet-4-5-20250929");
pub(super) const HAIKU: (&str, &str) = ("anthropic", "claude-haiku-4-5-20251001");
pub(super) const GPT: (&str, &str) = ("openai", "gpt-5-2025-08-07");
pub(super) const MINI: (&str, &str) = ("openai", "gpt-5-mini-2025-08-07");
pub(super) const NANO: (&str, &str) = ("openai", "gpt-5-nano-2025-08-07");
pub(super) const FLASH: (&str, &str) = ("gcp.gemini", "gemini-2.5-flash");
/// The company's own model: nobody's catalog knows its price.
pub(super) const IN_HOUSE: (&str, &str) = ("openai", "northwind-classifier-v2");

/// What a call used: total input, of it read from and written to the cache, total output, of it reasoning.
#[derive(Clone, Copy, Default)]
pub(super) struct Tokens {
    pub(super) input: i64,
    pub(super) cached: i64,
    pub(super) written: i64,
    pub(super) output: i64,
    pub(super) reasoning: i64,
}

pub(super) fn request(
    t: &mut TraceBuilder,
    origin: Origin,
    parent: Option<&Open>,
    method: &'static str,
    route: &'static str,
    mut attributes: Vec<KeyValue>,
) -> Open {
    t.pass(4);
    attributes.push(KeyValue::new("http.request.method", method));
    attributes.push(KeyValue::new("http.route", route));
    t.open(
        origin,
        parent,
        SpanKind::Server,
        format!("{method} {route}"),
        attributes,
    )
}

pub(super) fn step(
    t: &mut TraceBuilder,
    parent: Option<&Open>,
    name: &'static str,
    attributes: &[(&'static str, &'static str)],
) -> Open {
    t.pass(3);
    let attributes = attributes
        .iter()
        .map(|(key, value)| KeyValue::new(*key, *value))
        .collect();
    t.open(SUPPORT, parent, SpanKind::Internal, name, attributes)
}

pub(super) fn agent(t: &mut TraceBuilder, parent: &Open, name: &'static str) -> Open {
    t.pass(3);
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "invoke_agent"),
        KeyValue::new("gen_ai.agent.name", name),
        KeyValue::new("gen_ai.prompt.name", format!("{name}-system")),
    ];
    t.open(
        SUPPORT,
        Some(parent),
        SpanKind::Internal,
        format!("invoke_agent {name}"),
        attributes,
    )
}

pub(super) fn tool(t: &mut TraceBuilder, parent: &Open, name: &'static str) -> Open {
    t.pass(3);
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", name),
    ];
    t.open(
        SUPPORT,
        Some(parent),
        SpanKind::Internal,
        format!("execute_tool {name}"),
        attributes,
    )
}

/// A call as the OpenTelemetry instrumentations write it; `typical` is varied.
pub(super) fn call(
    t: &mut TraceBuilder,
    parent: &Open,
    (provider, model): (&'static str, &'static str),
    typical: Tokens,
) {
    let origin = if parent_is_batch(parent) {
        BATCH
    } else {
        SUPPORT
    };
    let span = open_call(t, origin, parent, provider, model);
    let tokens = vary(t, typical);
    t.pass(400 + u64::try_from(tokens.output).unwrap_or(0) * 3);
    let mut used = vec![
        KeyValue::new("gen_ai.response.model", model),
        KeyValue::new("gen_ai.response.id", format!("resp_{}", span.id)),
        KeyValue::new("gen_ai.usage.input_tokens", tokens.input),
        KeyValue::new("gen_ai.usage.output_tokens", tokens.output),
    ];
    for (key, count) in [
        ("gen_ai.usage.cache_read.input_tokens", tokens.cached),
        ("gen_ai.usage.cache_creation.input_tokens", tokens.written),
        ("gen_ai.usage.reasoning.output_tokens", tokens.reasoning),
    ] {
        if count > 0 {
            used.push(KeyValue::new(key, count));
        }
    }
    t.close_with(span, used, Status::Unset);
}

fn parent_is_batch(parent: &Open) -> bool {
    parent.service() == BATCH.service
}

pub(super) fn failed_call(
    t: &mut TraceBuilder,
    parent: &Open,
    (provider, model): (&'static str, &'static str),
    error: &'static str,
) {
    let span = open_call(t, SUPPORT, parent, provider, model);
    t.pass(1_200);
    t.close_with(
        span,
        vec![KeyValue::new("error.type", error)],
        Status::error(error),
    );
}

fn open_call(
    t: &mut TraceBuilder,
    origin: Origin,
    parent: &Open,
    provider: &'static str,
    model: &'static str,
) -> Open {
    t.pass(2);
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", provider),
        KeyValue::new("gen_ai.request.model", model),
    ];
    t.open(
        origin,
        Some(parent),
        SpanKind::Client,
        format!("chat {model}"),
        attributes,
    )
}

/// A call as OpenInference writes it, with what it sent by role.
pub(super) fn inference_call(
    t: &mut TraceBuilder,
    parent: &Open,
    model: &'static str,
    tokens: Tokens,
    asked: [(&'static str, String); 2],
) {
    let mut attributes = vec![
        KeyValue::new("openinference.span.kind", "LLM"),
        KeyValue::new("llm.provider", "openai"),
        KeyValue::new("llm.system", "openai"),
        KeyValue::new("llm.model_name", model),
    ];
    for (place, (role, content)) in asked.into_iter().enumerate() {
        let message = format!("llm.input_messages.{place}.message");
        attributes.push(KeyValue::new(format!("{message}.role"), role));
        attributes.push(KeyValue::new(format!("{message}.content"), content));
    }
    let span = t.open(
        SEARCH,
        Some(parent),
        SpanKind::Internal,
        "ChatCompletion",
        attributes,
    );
    t.pass(600);
    let used = vec![
        KeyValue::new("llm.token_count.prompt", tokens.input),
        KeyValue::new("llm.token_count.completion", tokens.output),
        KeyValue::new("llm.token_count.total", tokens.input + tokens.output),
        KeyValue::new("llm.token_count.prompt_details.cache_read", tokens.cached),
    ];
    t.close_with(span, used, Status::Unset);
}

pub(super) fn embedding(t: &mut TraceBuilder, parent: &Open, typical: i64) {
    let attributes = vec![
        KeyValue::new("openinference.span.kind", "EMBEDDING"),
        KeyValue::new("llm.provider", "openai"),
        KeyValue::new("embedding.model_name", "text-embedding-3-small"),
    ];
    let span = t.open(
        SEARCH,
        Some(parent),
        SpanKind::Internal,
        "CreateEmbeddings",
        attributes,
    );
    let tokens = t.around(typical);
    t.pass(90);
    let used = vec![
        KeyValue::new("llm.token_count.prompt", tokens),
        KeyValue::new("llm.token_count.total", tokens),
    ];
    t.close_with(span, used, Status::Unset);
}

/// Varies a typical usage; the parts stay parts.
fn vary(t: &mut TraceBuilder, typical: Tokens) -> Tokens {
    let (input, output) = (t.around(typical.input), t.around(typical.output));
    let part = |part: i64, of: i64, whole: i64| if of == 0 { 0 } else { whole * part / of };
    Tokens {
        input,
        cached: part(typical.cached, typical.input, input),
        written: part(typical.written, typical.input, input),
        output,
        reasoning: part(typical.reasoning, typical.output, output),
    }
}
