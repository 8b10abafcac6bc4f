//! OpenLLMetry (Traceloop), old and new: `gen_ai.*` with its own kinds, `llm.request.type` before there were operations.
//!
//! Vendor prefixes of models are cut off by the emitter for Bedrock and OpenRouter; what is gone cannot be read back.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
    slots::Slot::{self, ProviderHint, Reasoning, ServerAddress, Total},
};

const KIND: &str = "traceloop.span.kind";
const REQUEST_TYPE: &str = "llm.request.type";
const ENTITY: &str = "traceloop.entity.name";

pub(super) const DIALECT: Dialect = Dialect {
    name: "openllmetry",
    scopes: &["traceloop*", "@traceloop/*"],
    telltales: &[KIND, ENTITY, REQUEST_TYPE, "llm.usage.total_tokens", "gen_ai.openai.api_base"],
    keys: &[
        ("llm.usage.total_tokens", Total),
        ("llm.usage.reasoning_tokens", Reasoning),
        ("gen_ai.openai.api_base", ServerAddress),
        ("traceloop.association.properties.ls_provider", ProviderHint),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let entity = evidence.attribute(ENTITY);
    let aggregate = |kind| Recognised::aggregate(kind, entity, evidence.model_call());
    match evidence.attribute(KIND) {
        Some("workflow") => return aggregate(FrameKind::Workflow),
        Some("agent") => return aggregate(FrameKind::Agent),
        Some("task") => return aggregate(FrameKind::Step),
        Some("tool") => return Recognised::plain(FrameKind::Tool, entity.or_else(|| evidence.slots.text(Slot::Tool))),
        _ => {}
    }
    if evidence.attribute(REQUEST_TYPE).is_some() {
        return evidence.call_if_any(evidence.model_call());
    }
    evidence.by_operation()
}
