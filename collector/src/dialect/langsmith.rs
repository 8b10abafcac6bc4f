//! LangSmith's exporter: `gen_ai.*` with its own kinds; a chain whose last step is a model repeats its usage.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, Model, ProviderHint, UsageObject},
    usage_object,
};

const KIND: &str = "langsmith.span.kind";
/// Parts of input and output as JSON, and the name that tells which of the two they are of.
const DETAILS: [(&str, &str); 2] = [
    ("gen_ai.usage.input_token_details", "input_token_details"),
    ("gen_ai.usage.output_token_details", "output_token_details"),
];

pub(super) const DIALECT: Dialect = Dialect {
    name: "langsmith",
    scopes: &["langsmith*"],
    telltales: &[KIND],
    keys: &[
        ("langsmith.metadata.ls_provider", ProviderHint),
        ("langsmith.metadata.ls_model_name", Model),
        ("langsmith.usage_metadata", UsageObject),
        ("langsmith.metadata.usage_metadata", UsageObject),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    if let Some(usage) = evidence::usage_object(evidence.slots, UsageObject) {
        evidence::complete(&mut call, &usage);
    }
    for (key, name) in DETAILS {
        if let Some(text) = evidence.attribute(key) {
            evidence::complete(&mut call, &usage_object::read_named(text, name));
        }
    }
    match evidence.attribute(KIND) {
        Some("llm" | "embedding") => evidence.call_if_any(call),
        Some("chain") => Recognised::aggregate(FrameKind::Workflow, None, call),
        Some("tool") => Recognised::plain(FrameKind::Tool, evidence.slots.text(Slot::Tool)),
        Some(_) => Recognised::aggregate(FrameKind::Step, None, call),
        None => evidence.judge(call),
    }
}
