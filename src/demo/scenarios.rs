//! What happens in one trace of each kind, written as the libraries of the field would write it.

use opentelemetry::{
    KeyValue,
    trace::{SpanKind, Status},
};

use super::trace::{Open, Origin, TraceBuilder};

/// Before and after the release that made `search_docs` dearer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    Old,
    New,
}

const WEB: Origin = Origin {
    service: "web",
    scope: "opentelemetry.instrumentation.asgi",
    version: "0.66b2",
};
const SUPPORT: Origin = Origin {
    service: "support-api",
    scope: "opentelemetry.util.genai.handler",
    version: "1.3b0",
};
const SUPPORT_HTTP: Origin = Origin {
    service: "support-api",
    scope: "opentelemetry.instrumentation.asgi",
    version: "0.66b2",
};
const SEARCH: Origin = Origin {
    service: "search-api",
    scope: "openinference.instrumentation.openai",
    version: "0.1.66",
};
const BATCH: Origin = Origin {
    service: "digest-worker",
    scope: "opentelemetry.instrumentation.anthropic",
    version: "0.62.4",
};

const SONNET: (&str, &str) = ("anthropic", "claude-sonnet-4-5-20250929");
const HAIKU: (&str, &str) = ("anthropic", "claude-haiku-4-5-20251001");
const GPT: (&str, &str) = ("openai", "gpt-5-2025-08-07");
const MINI: (&str, &str) = ("openai", "gpt-5-mini-2025-08-07");
const NANO: (&str, &str) = ("openai", "gpt-5-nano-2025-08-07");
const FLASH: (&str, &str) = ("gcp.gemini", "gemini-2.5-flash");
/// The company's own model: nobody's catalog knows its price.
const IN_HOUSE: (&str, &str) = ("openai", "northwind-classifier-v2");

/// What a call used: total input, of it read from and written to the cache, total output, of it reasoning.
#[derive(Clone, Copy, Default)]
struct Tokens {
    input: i64,
    cached: i64,
    written: i64,
    output: i64,
    reasoning: i64,
}

/// A support chat: triage, a planner with tools, a writer, a guardrail.
pub(super) fn chat(t: &mut TraceBuilder, release: Release) {
    let user = t.around(40);
    let session = t.around(9_000);
    let root = request(
        t,
        WEB,
        None,
        "POST",
        "/chat",
        vec![
            KeyValue::new("user.id", format!("u_{user:04}")),
            KeyValue::new("session.id", format!("s_{session:05}")),
            KeyValue::new("costflame.feature", "support chat"),
        ],
    );
    t.pass(8);
    let served = request(t, SUPPORT_HTTP, Some(&root), "POST", "/v1/answer", vec![]);
    let graph = step(
        t,
        Some(&served),
        "invoke_workflow support_graph",
        &[
            ("gen_ai.operation.name", "invoke_workflow"),
            ("gen_ai.workflow.name", "support_graph"),
        ],
    );
    let triage = agent(t, &graph, "triage");
    call(
        t,
        &triage,
        NANO,
        Tokens {
            input: 900,
            output: 40,
            ..Tokens::default()
        },
    );
    t.close(triage);
    planner(t, &graph, release);
    let writer = agent(t, &graph, "writer");
    call(
        t,
        &writer,
        SONNET,
        Tokens {
            input: 5_200,
            cached: 3_900,
            output: 420,
            ..Tokens::default()
        },
    );
    if t.once_in(3) {
        call(
            t,
            &writer,
            MINI,
            Tokens {
                input: 1_100,
                output: 90,
                reasoning: 30,
                ..Tokens::default()
            },
        );
    }
    t.close(writer);
    let guardrail = step(t, Some(&graph), "guardrail", &[]);
    call(
        t,
        &guardrail,
        IN_HOUSE,
        Tokens {
            input: 650,
            output: 4,
            ..Tokens::default()
        },
    );
    t.close(guardrail);
    for span in [graph, served, root] {
        t.pass(3);
        t.close(span);
    }
}

fn planner(t: &mut TraceBuilder, graph: &Open, release: Release) {
    let planner = agent(t, graph, "planner");
    call(
        t,
        &planner,
        GPT,
        Tokens {
            input: 6_800,
            cached: 5_100,
            output: 520,
            reasoning: 300,
            ..Tokens::default()
        },
    );
    search_docs(t, &planner, release);
    if t.once_in(2) {
        let lookup = tool(t, &planner, "lookup_order");
        t.pass(60);
        t.close(lookup);
    }
    if t.once_in(6) {
        research(t, &planner);
    }
    call(
        t,
        &planner,
        GPT,
        Tokens {
            input: 9_400,
            cached: 7_000,
            output: 610,
            reasoning: 280,
            ..Tokens::default()
        },
    );
    t.close(planner);
}

fn search_docs(t: &mut TraceBuilder, planner: &Open, release: Release) {
    let search = tool(t, planner, "search_docs");
    let rewrite = step(t, Some(&search), "rewrite_query", &[]);
    call(
        t,
        &rewrite,
        MINI,
        Tokens {
            input: 700,
            output: 60,
            ..Tokens::default()
        },
    );
    t.close(rewrite);
    let served = request(t, SEARCH, Some(&search), "POST", "/query", vec![]);
    embedding(t, &served, 40);
    let lookup = t.open(
        SEARCH,
        Some(&served),
        SpanKind::Internal,
        "vector_lookup",
        vec![],
    );
    t.pass(25);
    t.close(lookup);
    t.close(served);
    // The release put a timestamp into the prompt's head, so nothing of it was served from the cache any more.
    let tokens = match release {
        Release::Old => Tokens {
            input: 12_400,
            cached: 10_600,
            output: 380,
            ..Tokens::default()
        },
        Release::New => Tokens {
            input: 14_900,
            written: 9_200,
            output: 400,
            ..Tokens::default()
        },
    };
    call(t, &search, SONNET, tokens);
    t.close(search);
}

fn research(t: &mut TraceBuilder, planner: &Open) {
    let delegate = tool(t, planner, "delegate_research");
    let researcher = agent(t, &delegate, "researcher");
    for _ in 0..3 {
        let browse = tool(t, &researcher, "web_search");
        t.pass(300);
        call(
            t,
            &browse,
            FLASH,
            Tokens {
                input: 7_600,
                output: 350,
                reasoning: 120,
                ..Tokens::default()
            },
        );
        t.close(browse);
    }
    call(
        t,
        &researcher,
        GPT,
        Tokens {
            input: 11_000,
            output: 900,
            reasoning: 500,
            ..Tokens::default()
        },
    );
    t.close(researcher);
    t.close(delegate);
}

/// A reply to a support ticket: draft, and a retry when the provider is overloaded.
pub(super) fn ticket(t: &mut TraceBuilder) {
    let ticket = t.around(7_000);
    let root = request(
        t,
        SUPPORT_HTTP,
        None,
        "POST",
        "/tickets/{id}/reply",
        vec![
            KeyValue::new("costflame.feature", "ticket replies"),
            KeyValue::new("url.path", format!("/tickets/{ticket}/reply")),
            KeyValue::new(
                "costflame.tag.plan",
                if ticket % 3 == 0 {
                    "enterprise"
                } else {
                    "team"
                },
            ),
        ],
    );
    let drafter = agent(t, &root, "drafter");
    if t.once_in(12) {
        failed_call(t, &drafter, SONNET, "overloaded_error");
        t.pass(900);
    }
    call(
        t,
        &drafter,
        SONNET,
        Tokens {
            input: 4_300,
            cached: 2_500,
            output: 530,
            ..Tokens::default()
        },
    );
    t.close(drafter);
    let tone = step(t, Some(&root), "tone_check", &[]);
    call(
        t,
        &tone,
        HAIKU,
        Tokens {
            input: 800,
            output: 30,
            ..Tokens::default()
        },
    );
    t.close(tone);
    t.pass(5);
    t.close(root);
}

/// The site's search box: retrieval, a rerank and a short answer.
pub(super) fn search(t: &mut TraceBuilder) {
    let root = request(
        t,
        WEB,
        None,
        "GET",
        "/search",
        vec![KeyValue::new("costflame.feature", "site search")],
    );
    let served = request(t, SEARCH, Some(&root), "POST", "/query", vec![]);
    embedding(t, &served, 30);
    let rank = t.open(
        SEARCH,
        Some(&served),
        SpanKind::Internal,
        "rerank_hits",
        vec![],
    );
    inference_call(
        t,
        &rank,
        "gpt-5-mini-2025-08-07",
        Tokens {
            input: 2_900,
            cached: 1_024,
            output: 120,
            ..Tokens::default()
        },
    );
    t.close(rank);
    t.close(served);
    t.pass(4);
    t.close(root);
}

/// A new customer's guided setup.
pub(super) fn onboarding(t: &mut TraceBuilder) {
    let root = request(
        t,
        WEB,
        None,
        "POST",
        "/onboarding/agent",
        vec![
            KeyValue::new("costflame.feature", "onboarding"),
            KeyValue::new("user.id", "trial"),
        ],
    );
    let served = request(t, SUPPORT_HTTP, Some(&root), "POST", "/v1/onboard", vec![]);
    let guide = agent(t, &served, "guide");
    for _ in 0..2 {
        call(
            t,
            &guide,
            MINI,
            Tokens {
                input: 3_100,
                cached: 1_900,
                output: 260,
                reasoning: 90,
                ..Tokens::default()
            },
        );
    }
    t.close(guide);
    t.close(served);
    t.close(root);
}

/// The nightly digest: many threads, summarised one after the other.
pub(super) fn digest(t: &mut TraceBuilder) {
    let attributes = vec![
        KeyValue::new("traceloop.span.kind", "workflow"),
        KeyValue::new("traceloop.workflow.name", "nightly_digest"),
        KeyValue::new("traceloop.entity.name", "nightly_digest"),
        KeyValue::new("costflame.feature", "daily digest"),
    ];
    let root = t.open(
        BATCH,
        None,
        SpanKind::Internal,
        "nightly_digest.workflow",
        attributes,
    );
    for _ in 0..20 {
        let attributes = vec![
            KeyValue::new("traceloop.span.kind", "task"),
            KeyValue::new("traceloop.entity.name", "summarise_threads"),
            KeyValue::new("traceloop.workflow.name", "nightly_digest"),
        ];
        let task = t.open(
            BATCH,
            Some(&root),
            SpanKind::Internal,
            "summarise_threads.task",
            attributes,
        );
        call(
            t,
            &task,
            HAIKU,
            Tokens {
                input: 15_500,
                cached: 2_000,
                output: 700,
                ..Tokens::default()
            },
        );
        t.close(task);
    }
    t.close(root);
}

/// Nightly embedding of changed documents.
pub(super) fn indexing(t: &mut TraceBuilder) {
    let attributes = vec![
        KeyValue::new("openinference.span.kind", "CHAIN"),
        KeyValue::new("costflame.feature", "indexing"),
    ];
    let root = t.open(
        SEARCH,
        None,
        SpanKind::Internal,
        "reindex_documents",
        attributes,
    );
    for _ in 0..15 {
        embedding(t, &root, 7_000);
    }
    t.close(root);
}

fn request(
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

fn step(
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

fn agent(t: &mut TraceBuilder, parent: &Open, name: &'static str) -> Open {
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

fn tool(t: &mut TraceBuilder, parent: &Open, name: &'static str) -> Open {
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
fn call(
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

fn failed_call(
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

/// A call as OpenInference writes it.
fn inference_call(t: &mut TraceBuilder, parent: &Open, model: &'static str, typical: Tokens) {
    let attributes = vec![
        KeyValue::new("openinference.span.kind", "LLM"),
        KeyValue::new("llm.provider", "openai"),
        KeyValue::new("llm.system", "openai"),
        KeyValue::new("llm.model_name", model),
    ];
    let span = t.open(
        SEARCH,
        Some(parent),
        SpanKind::Internal,
        "ChatCompletion",
        attributes,
    );
    let tokens = vary(t, typical);
    t.pass(600);
    let used = vec![
        KeyValue::new("llm.token_count.prompt", tokens.input),
        KeyValue::new("llm.token_count.completion", tokens.output),
        KeyValue::new("llm.token_count.total", tokens.input + tokens.output),
        KeyValue::new("llm.token_count.prompt_details.cache_read", tokens.cached),
    ];
    t.close_with(span, used, Status::Unset);
}

fn embedding(t: &mut TraceBuilder, parent: &Open, typical: i64) {
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
