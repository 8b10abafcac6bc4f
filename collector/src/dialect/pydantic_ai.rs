//! pydantic-ai: the conventions, with the provider's own numbers once more under `details`.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
    slots::Slot::{
        self, AudioIn, AudioOut, CacheRead, CacheReadAudio, CacheWrite, ImageIn, ImageOut,
        Reasoning, ReportedCost, VideoIn,
    },
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "pydantic_ai",
    scopes: &["pydantic-ai", "pydantic_ai"],
    telltales: &[],
    keys: &[
        ("gen_ai.usage.details.cache_read_tokens", CacheRead),
        ("gen_ai.usage.details.cache_read_input_tokens", CacheRead),
        ("gen_ai.usage.details.cached_content_tokens", CacheRead),
        ("gen_ai.usage.details.cached_tokens", CacheRead),
        ("gen_ai.usage.details.cache_write_tokens", CacheWrite),
        (
            "gen_ai.usage.details.cache_creation_input_tokens",
            CacheWrite,
        ),
        ("gen_ai.usage.details.reasoning_tokens", Reasoning),
        ("gen_ai.usage.details.thoughts_tokens", Reasoning),
        ("gen_ai.usage.details.input_audio_tokens", AudioIn),
        ("gen_ai.usage.details.audio_prompt_tokens", AudioIn),
        (
            "gen_ai.usage.details.cache_audio_read_tokens",
            CacheReadAudio,
        ),
        ("gen_ai.usage.details.audio_cache_tokens", CacheReadAudio),
        ("gen_ai.usage.details.image_prompt_tokens", ImageIn),
        ("gen_ai.usage.details.video_prompt_tokens", VideoIn),
        ("gen_ai.usage.details.output_audio_tokens", AudioOut),
        ("gen_ai.usage.details.audio_candidates_tokens", AudioOut),
        ("gen_ai.usage.details.image_candidates_tokens", ImageOut),
        ("operation.cost", ReportedCost),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let call = evidence.model_call();
    // A run of an agent had no operation's name before version 3 of the instrumentation.
    if call.operation.is_none() && evidence.attribute("agent_name").is_some() {
        return Recognised::aggregate(FrameKind::Agent, evidence.slots.text(Slot::Agent), call);
    }
    evidence.judge(call)
}
