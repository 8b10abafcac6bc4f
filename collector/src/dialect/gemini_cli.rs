//! Gemini CLI: spans carry input and visible output; cached tokens and thoughts are in its logs.

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "gemini_cli",
    scopes: &["gemini-cli"],
    telltales: &[],
    keys: &[],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    call.provider = call
        .provider
        .or_else(|| evidence::google_if_gemini(call.request_model));
    evidence.judge(call)
}
