//! Gemini CLI: spans carry input and visible output; cached tokens and thoughts are in its logs.

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
};
use crate::decode::Status;

pub(super) const DIALECT: Dialect = Dialect {
    name: "gemini_cli",
    scopes: &["gemini-cli"],
    telltales: &[],
    keys: &[],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    if !call.has_usage() && !tells_its_usage(evidence) {
        return Recognised::step();
    }
    call.provider = call
        .provider
        .or_else(|| evidence::google_if_gemini(call.request_model));
    evidence.judge(call)
}

/// False where `traces` is off: then a span names its model all the same, but the call is told by its event alone. What was
/// sent is on the span only with `traces`, so that one with it and without usage was broken off.
fn tells_its_usage(evidence: &Evidence<'_, '_>) -> bool {
    evidence.span.status == Status::Error || evidence.attribute("gen_ai.input.messages").is_some()
}

#[cfg(test)]
mod tests {
    use costflame_profile::Role;

    use super::super::{
        Slots, recognise,
        testing::{scope, span},
    };
    use crate::decode::{Status, Value::Str};

    #[test]
    fn a_span_that_leaves_its_usage_to_the_event_is_no_second_call() {
        let asked = [
            ("gen_ai.request.model", Str("gemini-2.5-pro")),
            ("gen_ai.conversation.id", Str("s")),
            ("gen_ai.operation.name", Str("llm_call")),
            ("gen_ai.input.messages", Str("[]")),
        ];
        let role = |attributes, status| {
            let mut span = span("llm_call", attributes);
            span.status = status;
            recognise(&scope("gemini-cli"), &span, &Slots::read(span.attributes)).role
        };
        assert_eq!(role(&asked[..3], Status::Ok), Role::Plain);
        assert_eq!(role(&asked[..3], Status::Error), Role::Call, "no event");
        assert_eq!(role(&asked, Status::Ok), Role::Call, "broken off");
    }
}
