//! Genkit: actions of the subtype `model` are the calls, with model and usage only in their name and in what they returned.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, Response},
    usage_object,
};

const SUBTYPE: &str = "genkit:metadata:subtype";
const NAME: &str = "genkit:name";

pub(super) const DIALECT: Dialect = Dialect {
    name: "genkit",
    scopes: &[],
    telltales: &["genkit:type", SUBTYPE],
    keys: &[("genkit:output", Response)],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let name = evidence.attribute(NAME);
    let is_call = match evidence.attribute(SUBTYPE) {
        Some("model" | "background-model" | "embedder" | "reranker") => true,
        Some("tool" | "tool.v2") => return Recognised::plain(FrameKind::Tool, name),
        Some("agent") => return Recognised::plain(FrameKind::Agent, name),
        Some("flow") => return Recognised::plain(FrameKind::Workflow, name),
        _ => false,
    };
    let mut call = evidence.model_call();
    if !is_call {
        return evidence.judge(call);
    }
    // `googleai/gemini-2.5-flash`
    if let Some((plugin, model)) = name.and_then(|name| name.split_once('/')) {
        call.provider = call.provider.or(Some(plugin));
        call.request_model = call.request_model.or(Some(model));
    }
    let response = evidence.slots.value(Slot::Response);
    if let Some(response) = response.and_then(|value| value.as_text()) {
        evidence::complete(&mut call, &usage_object::read_inside(response));
    }
    evidence.call_if_any(call)
}
