//! MLflow tracing: every value is JSON, usage is `mlflow.chat.tokenUsage` and always inclusive.

use costflame_pricing::Accounting;
use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, Model, Provider, Response, UsageObject},
    usage_object,
};

const TYPE: &str = "mlflow.spanType";
const COST: &str = "mlflow.llm.cost";

pub(super) const DIALECT: Dialect = Dialect {
    name: "mlflow",
    scopes: &["mlflow*"],
    telltales: &[TYPE, "mlflow.chat.tokenUsage"],
    keys: &[
        ("mlflow.chat.tokenUsage", UsageObject),
        ("mlflow.spanOutputs", Response),
        ("mlflow.llm.model", Model),
        ("mlflow.llm.provider", Provider),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    call.request_model = call.request_model.or_else(|| evidence.attribute("model"));
    if let Some(usage) = evidence::usage_object(evidence.slots, UsageObject) {
        evidence::complete(&mut call, &usage);
        call.accounting = Accounting::EmitterInclusive;
    }
    // The object keeps cached tokens only; reasoning, audio and OpenAI's cache writes are in the response.
    if let Some(response) = evidence
        .slots
        .value(Slot::Response)
        .and_then(|value| value.as_text())
        && call.has_usage()
    {
        evidence::complete_from_response(&mut call, response);
        call.response_id = call
            .response_id
            .or_else(|| usage_object::leading_id(response));
    }
    let cost = evidence.span.attributes.text(COST);
    call.reported_cost = call
        .reported_cost
        .or_else(|| cost.and_then(evidence::total_cost));
    match evidence.attribute(TYPE) {
        Some("CHAT_MODEL" | "LLM" | "EMBEDDING" | "RERANKER") => evidence.call_if_any(call),
        Some("AGENT") => Recognised::aggregate(FrameKind::Agent, None, call),
        Some("CHAIN" | "WORKFLOW") => Recognised::aggregate(FrameKind::Workflow, None, call),
        Some("TOOL") => Recognised::plain(FrameKind::Tool, evidence.slots.text(Slot::Tool)),
        Some(_) => Recognised::aggregate(FrameKind::Step, None, call),
        None => evidence.judge(call),
    }
}
