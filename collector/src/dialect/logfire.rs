//! Logfire's instrumentations of provider SDKs and of the OpenAI Agents SDK.
//!
//! A streamed call is two spans: the request, and later a log of zero length that alone carries the usage.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, ResponseId, UsageObject},
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "logfire",
    scopes: &["logfire*"],
    telltales: &[],
    keys: &[
        ("gen_ai.usage.raw", UsageObject),
        ("response_id", ResponseId),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    if let Some(raw) = evidence::usage_object(evidence.slots, UsageObject) {
        evidence::complete(&mut call, &raw);
    }
    if call.operation.is_none() {
        return around_calls(evidence, call);
    }
    if !call.has_usage() && is_streamed_request(evidence) {
        return Recognised::plain(FrameKind::Step, None);
    }
    evidence.judge(call)
}

/// Spans of the OpenAI Agents SDK around its calls; tasks and turns sum the usage of theirs.
fn around_calls<'a>(evidence: &Evidence<'_, 'a>, call: evidence::ModelCall<'a>) -> Recognised<'a> {
    let name = evidence.attribute("name");
    if evidence.span.name.starts_with("Agent run") {
        return Recognised::aggregate(FrameKind::Agent, name, call);
    }
    if evidence.span.name.starts_with("Function") {
        return Recognised::plain(
            FrameKind::Tool,
            name.or_else(|| evidence.slots.text(Slot::Tool)),
        );
    }
    let agent = evidence.slots.text(Slot::Agent);
    match evidence.attribute("sdk_span_type") {
        Some("task") => Recognised::aggregate(FrameKind::Workflow, name, call),
        Some("turn") => Recognised::aggregate(FrameKind::Agent, agent, call),
        _ => Recognised::aggregate(FrameKind::Step, None, call),
    }
}

fn is_streamed_request(evidence: &Evidence<'_, '_>) -> bool {
    let request = evidence.span.attributes.text("request_data").unwrap_or("");
    evidence.attribute("logfire.span_type") == Some("span")
        && (request.contains("\"stream\":true") || request.contains("\"stream\": true"))
}
