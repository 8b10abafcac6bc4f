//! OpenInference (Arize Phoenix): `llm.*`, and a kind on every span.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, ModelCall, Recognised},
    slots::Slot::{
        self, AudioIn, AudioOut, CacheRead, CacheWrite, Input, Model, Output, Provider, Reasoning,
        ReportedCost, RequestModel, Response, ResponseModel, System, Total,
    },
    usage_object,
};

const KIND: &str = "openinference.span.kind";

pub(super) const DIALECT: Dialect = Dialect {
    name: "openinference",
    scopes: &["openinference.*", "@arizeai/openinference-*"],
    telltales: &[KIND, "llm.token_count.prompt", "llm.token_count.completion"],
    keys: &[
        ("llm.provider", Provider),
        ("llm.system", System),
        ("llm.request.model_name", RequestModel),
        ("llm.response.model_name", ResponseModel),
        ("llm.model_name", Model),
        ("embedding.model_name", Model),
        ("reranker.model_name", Model),
        ("llm.token_count.prompt", Input),
        ("llm.token_count.completion", Output),
        ("llm.token_count.total", Total),
        ("llm.token_count.prompt_details.cache_read", CacheRead),
        ("llm.token_count.prompt_details.cache_write", CacheWrite),
        ("llm.token_count.prompt_details.audio", AudioIn),
        ("llm.token_count.completion_details.reasoning", Reasoning),
        ("llm.token_count.completion_details.audio", AudioOut),
        ("llm.cost.total", ReportedCost),
        ("output.value", Response),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let Some(kind) = evidence.attribute(KIND) else {
        return evidence.by_operation();
    };
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    let mut call = evidence.model_call();
    if is("LLM") || is("EMBEDDING") || is("RERANKER") {
        look_into_response(evidence, &mut call);
        // Asking how many tokens a request would have is not a request to a model.
        if evidence.span.name == "InputTokenCountResponse" {
            return Recognised::step();
        }
        return evidence.call_if_any(call);
    }
    if is("TOOL") {
        return Recognised::plain(FrameKind::Tool, evidence.slots.text(Slot::Tool));
    }
    if is("AGENT") {
        return Recognised::aggregate(FrameKind::Agent, evidence.slots.text(Slot::Agent), call);
    }
    let kind = if is("CHAIN") {
        FrameKind::Workflow
    } else {
        FrameKind::Step
    };
    Recognised::aggregate(kind, None, call)
}

/// What only the recorded response says: its id, the tier that served, and web searches among the metadata.
fn look_into_response<'a>(evidence: &Evidence<'_, 'a>, call: &mut ModelCall<'a>) {
    let text = |slot| evidence.slots.value(slot).and_then(|value| value.as_text());
    if let Some(metadata) = text(Slot::Metadata).filter(|text| text.contains("server_tool_use")) {
        evidence::complete(call, &usage_object::read_inside(metadata));
    }
    let Some(response) = text(Slot::Response) else {
        return;
    };
    if response.starts_with('{') {
        call.response_id = call
            .response_id
            .or_else(|| usage_object::leading_id(response));
    }
    let said = &call.reported;
    let lifetimes_missing = said.cache_write.unwrap_or(0) > 0 && said.cache_write_1h.is_none();
    if !call.has_usage() {
        evidence::complete(call, &usage_object::read_inside(response));
    } else if said.cache_read.is_none() || lifetimes_missing {
        evidence::complete_from_response(call, response);
    }
    if call.service_tier.is_none() && response.contains("service_tier") {
        call.service_tier = usage_object::read_inside(response).tier;
    }
}
