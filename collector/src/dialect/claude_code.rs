//! Claude Code: the numbers of the Messages API under plain names.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
    slots::Slot::{self, CacheRead, CacheWrite, Input, Output, ReportedCost, ResponseId, Speed},
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "claude_code",
    scopes: &["com.anthropic.claude_code*"],
    telltales: &["llm_request.context"],
    keys: &[
        ("input_tokens", Input),
        ("output_tokens", Output),
        ("cache_read_tokens", CacheRead),
        ("cache_creation_tokens", CacheWrite),
        ("request_id", ResponseId),
        ("speed", Speed),
        ("cost_usd", ReportedCost),
        ("span.type", Slot::Telltale),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    match evidence.attribute("span.type") {
        Some("llm_request") => {
            let mut call = evidence.model_call();
            call.provider = call.provider.or(Some("anthropic"));
            evidence.call_if_any(call)
        }
        Some("interaction") => Recognised::plain(FrameKind::Agent, Some("interaction")),
        Some("tool") => Recognised::plain(FrameKind::Tool, evidence.slots.text(Slot::Tool)),
        _ => Recognised::step(),
    }
}
