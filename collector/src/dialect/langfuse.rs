//! Langfuse SDK: observations whose usage is a JSON object, in Langfuse's own disjoint form or in the provider's.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, Model, ProviderHint, ResponseId, UsageObject},
    usage_object,
};

const TYPE: &str = "langfuse.observation.type";

pub(super) const DIALECT: Dialect = Dialect {
    name: "langfuse",
    scopes: &["langfuse-sdk"],
    telltales: &[TYPE, "langfuse.observation.usage_details"],
    keys: &[
        ("langfuse.observation.usage_details", UsageObject),
        ("langfuse.observation.model.name", Model),
        ("langfuse.observation.metadata.ls_provider", ProviderHint),
        ("langfuse.observation.metadata.id", ResponseId),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    if let Some(usage) = evidence::usage_object(evidence.slots, UsageObject) {
        evidence::complete(&mut call, &usage);
    }
    let parameters = evidence
        .span
        .attributes
        .text("langfuse.observation.model.parameters");
    call.service_tier = call
        .service_tier
        .or_else(|| parameters.and_then(|text| usage_object::read(text).tier));
    let costs = evidence
        .span
        .attributes
        .text("langfuse.observation.cost_details");
    call.reported_cost = call
        .reported_cost
        .or_else(|| costs.and_then(evidence::total_cost));
    match evidence.attribute(TYPE) {
        Some("generation" | "embedding") => evidence.call_if_any(call),
        Some("agent") => Recognised::aggregate(FrameKind::Agent, None, call),
        Some("chain") => Recognised::aggregate(FrameKind::Workflow, None, call),
        Some("tool") => Recognised::plain(FrameKind::Tool, evidence.slots.text(Slot::Tool)),
        Some(_) => Recognised::aggregate(FrameKind::Step, None, call),
        None => evidence.judge(call),
    }
}
