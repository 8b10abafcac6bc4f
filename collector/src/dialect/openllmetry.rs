//! OpenLLMetry (Traceloop), old and new: `gen_ai.*` with its own kinds, `llm.request.type` before there were operations.
//!
//! Vendor prefixes of models are cut off by the emitter for Bedrock and OpenRouter; what is gone cannot be read back.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, ModelCall, Recognised},
    slots::Slot::{self, ProviderHint, Reasoning, ServerAddress, Total, UsageObject},
    usage_object,
};

const KIND: &str = "traceloop.span.kind";
const REQUEST_TYPE: &str = "llm.request.type";
const ENTITY: &str = "traceloop.entity.name";
const BEDROCK: &str = "opentelemetry.instrumentation.bedrock";
const HAYSTACK: &str = "opentelemetry.instrumentation.haystack";

pub(super) const DIALECT: Dialect = Dialect {
    name: "openllmetry",
    scopes: &["traceloop*", "@traceloop/*", BEDROCK],
    telltales: &[
        KIND,
        ENTITY,
        REQUEST_TYPE,
        "llm.usage.total_tokens",
        "gen_ai.openai.api_base",
        "crewai.crew.usage_metrics",
    ],
    keys: &[
        ("llm.usage.total_tokens", Total),
        ("llm.usage.reasoning_tokens", Reasoning),
        ("gen_ai.openai.api_base", ServerAddress),
        ("traceloop.association.properties.ls_provider", ProviderHint),
        ("crewai.crew.usage_metrics", UsageObject),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let entity = evidence.attribute(ENTITY);
    let aggregate = |kind| Recognised::aggregate(kind, entity, evidence.model_call());
    match evidence.attribute(KIND) {
        Some("workflow") if evidence.scope.name == HAYSTACK => {
            return Recognised::aggregate(FrameKind::Workflow, entity, pipeline(evidence));
        }
        Some("workflow") => return aggregate(FrameKind::Workflow),
        Some("agent") => return aggregate(FrameKind::Agent),
        Some("task") => return aggregate(FrameKind::Step),
        Some("tool") => {
            return Recognised::plain(
                FrameKind::Tool,
                entity.or_else(|| evidence.slots.text(Slot::Tool)),
            );
        }
        _ => {}
    }
    let mut call = evidence.model_call();
    if let Some(usage) = evidence::usage_object(evidence.slots, UsageObject) {
        evidence::complete(&mut call, &usage);
    }
    if evidence.scope.name == BEDROCK {
        call.cut_vendor = call
            .request_model
            .and_then(|model| bedrock_vendor(evidence.slots.text(Slot::System), model));
    }
    if evidence.attribute(REQUEST_TYPE).is_some() {
        return evidence.call_if_any(call);
    }
    evidence.judge(call)
}

/// A pipeline of Haystack alone tells usage and model, in what it returned: the spans of its calls have neither. Other
/// workflows return what calls of long ago used, too.
fn pipeline<'a>(evidence: &Evidence<'_, 'a>) -> ModelCall<'a> {
    let mut call = evidence.model_call();
    if let Some(returned) = evidence.attribute("traceloop.entity.output") {
        let usage = usage_object::read_inside(returned);
        evidence::complete(&mut call, &usage);
        call.response_model = call.response_model.or(usage.model);
    }
    call
}

/// The vendor that is cut off a Bedrock model's name: the old emitter names it as the system, for others the model's
/// family tells.
fn bedrock_vendor<'a>(system: Option<&'a str>, model: &str) -> Option<&'a str> {
    const FAMILIES: &[(&str, &str)] = &[
        ("claude", "anthropic"),
        ("nova", "amazon"),
        ("titan", "amazon"),
        ("llama", "meta"),
        ("command", "cohere"),
        ("embed", "cohere"),
        ("rerank", "cohere"),
        ("mistral", "mistral"),
        ("mixtral", "mistral"),
        ("pixtral", "mistral"),
        ("jamba", "ai21"),
    ];
    let family = FAMILIES
        .iter()
        .find(|(family, _)| model.starts_with(family))
        .map(|(_, vendor)| *vendor);
    family.or(system.filter(|system| !system.contains(['.', ' '])))
}
