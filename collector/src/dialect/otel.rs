//! OpenTelemetry's own conventions for generative AI: current names, those of v1.36 and the deprecated ones.

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
    slots::Slot::{
        AudioIn, AudioOut, CacheRead, CacheReadAudio, CacheWrite, CacheWrite1h, CacheWrite5m,
        ImageIn, ImageOut, Input, Operation, Output, Processing, Provider, Reasoning, RequestModel,
        RequestTier, ResponseId, ResponseModel, ResponseTier, ServerAddress, System, Total,
        VideoIn,
    },
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "otel",
    scopes: &[],
    telltales: &[
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.system",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.usage.completion_tokens",
    ],
    keys: &[
        ("gen_ai.operation.name", Operation),
        ("gen_ai.provider.name", Provider),
        ("gen_ai.system", System),
        ("gen_ai.request.model", RequestModel),
        ("gen_ai.response.model", ResponseModel),
        ("gen_ai.response.id", ResponseId),
        ("server.address", ServerAddress),
        ("gen_ai.usage.input_tokens", Input),
        ("gen_ai.usage.prompt_tokens", Input),
        ("gen_ai.usage.output_tokens", Output),
        ("gen_ai.usage.completion_tokens", Output),
        ("gen_ai.usage.total_tokens", Total),
        ("gen_ai.usage.cache_read.input_tokens", CacheRead),
        ("gen_ai.usage.cache_read_input_tokens", CacheRead),
        (
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
            CacheRead,
        ),
        ("gen_ai.usage.input_token_details.cache_read", CacheRead),
        ("gen_ai.usage.cached_input_tokens", CacheRead),
        ("gen_ai.usage.cached_tokens", CacheRead),
        ("gen_ai.usage.cache_read_tokens", CacheRead),
        ("gen_ai.usage.input_tokens.cached", CacheRead),
        ("gen_ai.usage.cache_write.input_tokens", CacheWrite),
        ("gen_ai.usage.cache_creation.input_tokens", CacheWrite),
        ("gen_ai.usage.cache_creation_input_tokens", CacheWrite),
        ("gen_ai.usage.cache_write_input_tokens", CacheWrite),
        (
            "gen_ai.usage.input_token_details.cache_creation",
            CacheWrite,
        ),
        ("gen_ai.usage.cache_creation_tokens", CacheWrite),
        ("gen_ai.usage.cache_write_tokens", CacheWrite),
        (
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
            CacheWrite1h,
        ),
        (
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
            CacheWrite5m,
        ),
        ("gen_ai.usage.reasoning.output_tokens", Reasoning),
        ("gen_ai.usage.reasoning_tokens", Reasoning),
        (
            "gen_ai.usage.completion_tokens_details.reasoning_tokens",
            Reasoning,
        ),
        ("gen_ai.usage.output_token_details.reasoning", Reasoning),
        ("gen_ai.usage.reasoning_output_tokens", Reasoning),
        ("gen_ai.usage.audio.input_tokens", AudioIn),
        ("gen_ai.usage.audio.cache_read.input_tokens", CacheReadAudio),
        ("gen_ai.usage.audio.output_tokens", AudioOut),
        ("gen_ai.usage.image.input_tokens", ImageIn),
        ("gen_ai.usage.image.output_tokens", ImageOut),
        ("gen_ai.usage.video.input_tokens", VideoIn),
        ("openai.response.service_tier", ResponseTier),
        ("gen_ai.openai.response.service_tier", ResponseTier),
        ("anthropic.response.service_tier", ResponseTier),
        ("gen_ai.response.service_tier", ResponseTier),
        ("openai.request.service_tier", RequestTier),
        ("gen_ai.openai.request.service_tier", RequestTier),
        ("gen_ai.request.service_tier", RequestTier),
        ("costflame.processing", Processing),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    evidence.by_operation()
}
