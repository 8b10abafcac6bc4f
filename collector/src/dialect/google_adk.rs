//! Google's Agent Development Kit: calls of version 1 are named `call_llm` and say the details only in their response.

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, Response},
    usage_object,
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "google_adk",
    scopes: &["gcp.vertex.agent"],
    telltales: &["gcp.vertex.agent.llm_response"],
    keys: &[("gcp.vertex.agent.llm_response", Response)],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    if let Some(response) = evidence
        .slots
        .value(Slot::Response)
        .and_then(|value| value.as_text())
    {
        let found = usage_object::read_inside(response);
        evidence::complete(&mut call, &found);
        call.reported.total = call.reported.total.or(found.reported.total);
    }
    call.provider = call
        .provider
        .or_else(|| evidence::google_if_gemini(call.request_model));
    if call.operation.is_none() && evidence.span.name == "call_llm" {
        return evidence.call_if_any(call);
    }
    evidence.judge(call)
}
