//! OpenLIT: the conventions, with its own cost. Streams without usage carry an estimate that looks like any other number.

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
    slots::Slot::{AudioIn, AudioOut, ReportedCost},
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "openlit",
    scopes: &["openlit*"],
    telltales: &[],
    keys: &[
        ("gen_ai.usage.cost", ReportedCost),
        ("gen_ai.usage.prompt_tokens_details.audio_tokens", AudioIn),
        (
            "gen_ai.usage.completion_tokens_details.audio_tokens",
            AudioOut,
        ),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    evidence.by_operation()
}
