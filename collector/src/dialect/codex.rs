//! Codex CLI's spans: `handle_responses` is a call without the model's name, the turn above it names the model and sums.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
    slots::Slot::{CacheRead, CacheWrite, Input, Output, Reasoning, Total},
};

const TURN_TOTAL: &str = "codex.turn.token_usage.total_tokens";

pub(super) const DIALECT: Dialect = Dialect {
    name: "codex",
    scopes: &["codex_*", "codex-*"],
    telltales: &[TURN_TOTAL, "codex.usage.total_tokens"],
    keys: &[
        ("codex.usage.reasoning_output_tokens", Reasoning),
        ("codex.usage.total_tokens", Total),
        ("codex.turn.token_usage.input_tokens", Input),
        ("codex.turn.token_usage.cached_input_tokens", CacheRead),
        (
            "codex.turn.token_usage.cache_write_input_tokens",
            CacheWrite,
        ),
        ("codex.turn.token_usage.output_tokens", Output),
        ("codex.turn.token_usage.reasoning_output_tokens", Reasoning),
        (TURN_TOTAL, Total),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let call = evidence.model_call();
    if evidence.span.attributes.get(TURN_TOTAL).is_some() {
        return Recognised::aggregate(FrameKind::Agent, None, call);
    }
    if call.has_usage() {
        return Recognised::call(call);
    }
    Recognised::step()
}
