//! The conventions' pages of spans, in the latest names; the older ones follow from what was renamed.

use costflame_instrumentation::Conventions;
use opentelemetry::trace::SpanKind;

/// An attribute and the type its values have.
pub(crate) type Attribute = (&'static str, Type);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Type {
    Text,
    Int,
    Double,
    Bool,
    Texts,
}
use Type::{Bool, Double, Int, Text, Texts};

/// One type of span.
pub(crate) struct Page {
    pub(crate) operation: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: SpanKind,
    /// On every span.
    pub(crate) required: &'static [Attribute],
    /// On every span whose condition holds: the requirement level "conditionally required".
    pub(crate) conditional: &'static [&'static [Attribute]],
    /// Recommended, or opted in.
    pub(crate) others: &'static [&'static [Attribute]],
    /// Of version 1.36 alone.
    pub(crate) older: &'static [Attribute],
    /// To be known when a sampler is asked.
    pub(crate) sampled: &'static [&'static str],
}

/// What was renamed since 1.36: now, then.
const RENAMED: &[(&str, &str)] = &[
    ("gen_ai.provider.name", "gen_ai.system"),
    (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
    ),
    (
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ),
    (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
    ),
    (
        "openai.response.system_fingerprint",
        "gen_ai.openai.response.system_fingerprint",
    ),
];

/// The names of an attribute in a generation, each with its type.
pub(crate) fn names(attribute: Attribute, generation: Conventions) -> Vec<Attribute> {
    let (name, kind) = attribute;
    let older = RENAMED.iter().find(|(now, _)| *now == name);
    match (generation, older) {
        (Conventions::V1_36, Some((_, then))) => vec![(*then, kind)],
        (Conventions::Both, Some((_, then))) => vec![attribute, (*then, kind)],
        (Conventions::V1_36, None) if name == "gen_ai.request.top_k" => vec![(name, Double)],
        _ => vec![attribute],
    }
}

const REQUIRED: &[Attribute] = &[
    ("gen_ai.operation.name", Text),
    ("gen_ai.provider.name", Text),
];
const MODEL: &[Attribute] = &[("gen_ai.request.model", Text)];
const ENDING: &[Attribute] = &[("error.type", Text), ("server.port", Int)];
const SERVER: &[Attribute] = &[("server.address", Text)];
const SAMPLED: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "server.address",
    "server.port",
];
const USAGE: &[Attribute] = &[
    ("gen_ai.usage.input_tokens", Int),
    ("gen_ai.usage.output_tokens", Int),
    ("gen_ai.usage.cache_read.input_tokens", Int),
    ("gen_ai.usage.cache_write.input_tokens", Int),
];
const MORE_USAGE: &[Attribute] = &[
    ("gen_ai.usage.reasoning.output_tokens", Int),
    ("gen_ai.usage.text.input_tokens", Int),
    ("gen_ai.usage.text.output_tokens", Int),
    ("gen_ai.usage.audio.input_tokens", Int),
    ("gen_ai.usage.audio.output_tokens", Int),
    ("gen_ai.usage.audio.cache_read.input_tokens", Int),
    ("gen_ai.usage.image.input_tokens", Int),
    ("gen_ai.usage.image.output_tokens", Int),
];
/// Not of the conventions, which cannot tell how long a cache entry lives: Anthropic's own clients name it so.
const LIFETIME: &[Attribute] = &[(
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
    Int,
)];
const INFERENCE_CONDITIONAL: &[Attribute] = &[
    ("gen_ai.request.choice.count", Int),
    ("gen_ai.request.top_k", Int),
    ("gen_ai.request.seed", Int),
    ("gen_ai.output.type", Text),
    ("gen_ai.request.stream", Bool),
    ("gen_ai.prompt.name", Text),
    ("gen_ai.prompt.version", Text),
    ("gen_ai.conversation.id", Text),
];
const INFERENCE: &[Attribute] = &[
    ("gen_ai.request.max_tokens", Int),
    ("gen_ai.request.temperature", Double),
    ("gen_ai.request.top_p", Double),
    ("gen_ai.request.stop_sequences", Texts),
    ("gen_ai.request.frequency_penalty", Double),
    ("gen_ai.request.presence_penalty", Double),
    ("gen_ai.request.reasoning.level", Text),
    ("gen_ai.request.previous_response.id", Text),
    ("gen_ai.response.id", Text),
    ("gen_ai.response.model", Text),
    ("gen_ai.response.finish_reasons", Texts),
    ("gen_ai.response.time_to_first_chunk", Double),
];
const OPENAI: &[Attribute] = &[
    ("openai.api.type", Text),
    ("openai.request.service_tier", Text),
    ("openai.response.service_tier", Text),
    ("openai.response.system_fingerprint", Text),
];
const SYSTEM: &[Attribute] = &[("gen_ai.system_instructions", Text)];
const MESSAGES: &[Attribute] = &[
    ("gen_ai.input.messages", Text),
    ("gen_ai.output.messages", Text),
];
const TOOLS: &[Attribute] = &[("gen_ai.tool.definitions", Text)];
const AGENT: &[Attribute] = &[
    ("gen_ai.agent.name", Text),
    ("gen_ai.agent.description", Text),
    ("gen_ai.conversation.id", Text),
    ("gen_ai.data_source.id", Text),
];
const AGENT_ELSEWHERE: &[Attribute] = &[("gen_ai.agent.id", Text), ("gen_ai.agent.version", Text)];

const fn inference(operation: &'static str, name: &'static str) -> Page {
    Page {
        operation,
        name,
        kind: SpanKind::Client,
        required: REQUIRED,
        conditional: &[MODEL, ENDING, INFERENCE_CONDITIONAL],
        others: &[
            SERVER, USAGE, MORE_USAGE, LIFETIME, INFERENCE, OPENAI, SYSTEM, MESSAGES, TOOLS,
        ],
        older: &[],
        sampled: SAMPLED,
    }
}

pub(crate) const PAGES: &[Page] = &[
    inference("chat", "chat grok-4"),
    inference("generate_content", "generate_content grok-4"),
    inference("text_completion", "text_completion grok-4"),
    Page {
        operation: "embeddings",
        name: "embeddings e-small",
        kind: SpanKind::Client,
        required: REQUIRED,
        conditional: &[MODEL, ENDING],
        others: &[
            SERVER,
            &[
                ("gen_ai.request.encoding_formats", Texts),
                ("gen_ai.usage.input_tokens", Int),
                ("gen_ai.embeddings.dimension.count", Int),
                ("gen_ai.response.model", Text),
            ],
        ],
        older: &[],
        sampled: SAMPLED,
    },
    // No page of the conventions yet: as embeddings, with the count that retrieval has.
    Page {
        operation: "rerank",
        name: "rerank r-1",
        kind: SpanKind::Client,
        required: REQUIRED,
        conditional: &[MODEL, ENDING],
        others: &[
            SERVER,
            &[
                ("gen_ai.usage.input_tokens", Int),
                ("gen_ai.retrieval.top_k", Int),
                ("gen_ai.response.id", Text),
                ("gen_ai.response.model", Text),
            ],
        ],
        older: &[],
        sampled: SAMPLED,
    },
    Page {
        operation: "create_agent",
        name: "create_agent helper",
        kind: SpanKind::Client,
        required: REQUIRED,
        conditional: &[
            MODEL,
            ENDING,
            AGENT_ELSEWHERE,
            &[
                ("gen_ai.agent.name", Text),
                ("gen_ai.agent.description", Text),
            ],
        ],
        others: &[SERVER, SYSTEM],
        older: &[],
        sampled: SAMPLED,
    },
    Page {
        operation: "invoke_agent",
        name: "invoke_agent helper",
        kind: SpanKind::Client,
        required: REQUIRED,
        conditional: &[ENDING, AGENT, AGENT_ELSEWHERE],
        others: &[SERVER, MODEL, USAGE, SYSTEM, MESSAGES],
        older: &[],
        sampled: SAMPLED,
    },
    Page {
        operation: "invoke_agent",
        name: "invoke_agent planner",
        kind: SpanKind::Internal,
        required: &[("gen_ai.operation.name", Text)],
        conditional: &[&[("error.type", Text)], AGENT],
        others: &[
            MODEL,
            &[
                ("gen_ai.usage.input_tokens", Int),
                ("gen_ai.usage.output_tokens", Int),
            ],
            SYSTEM,
            MESSAGES,
        ],
        older: &[
            ("gen_ai.agent.id", Text),
            ("gen_ai.agent.version", Text),
            ("gen_ai.usage.cache_read.input_tokens", Int),
            ("gen_ai.usage.cache_write.input_tokens", Int),
        ],
        sampled: &[
            "gen_ai.operation.name",
            "gen_ai.agent.name",
            "gen_ai.request.model",
        ],
    },
    Page {
        operation: "execute_tool",
        name: "execute_tool search",
        kind: SpanKind::Internal,
        required: &[("gen_ai.operation.name", Text), ("gen_ai.tool.name", Text)],
        conditional: &[&[("error.type", Text), ("gen_ai.agent.name", Text)]],
        others: &[&[
            ("gen_ai.tool.type", Text),
            ("gen_ai.tool.call.id", Text),
            ("gen_ai.tool.description", Text),
            ("gen_ai.tool.call.arguments", Text),
            ("gen_ai.tool.call.result", Text),
        ]],
        older: &[],
        sampled: &[
            "gen_ai.operation.name",
            "gen_ai.tool.name",
            "gen_ai.tool.type",
        ],
    },
    Page {
        operation: "invoke_workflow",
        name: "invoke_workflow report",
        kind: SpanKind::Internal,
        required: &[("gen_ai.operation.name", Text)],
        conditional: &[&[("error.type", Text), ("gen_ai.workflow.name", Text)]],
        others: &[MESSAGES],
        older: &[],
        sampled: &["gen_ai.operation.name"],
    },
    Page {
        operation: "retrieval",
        name: "retrieval kb",
        kind: SpanKind::Client,
        required: &[("gen_ai.operation.name", Text)],
        conditional: &[
            MODEL,
            ENDING,
            &[
                ("gen_ai.provider.name", Text),
                ("gen_ai.data_source.id", Text),
            ],
        ],
        others: &[
            SERVER,
            &[
                ("gen_ai.retrieval.top_k", Int),
                ("gen_ai.retrieval.query.text", Text),
                ("gen_ai.retrieval.documents", Text),
            ],
        ],
        older: &[],
        sampled: &["gen_ai.operation.name"],
    },
];
