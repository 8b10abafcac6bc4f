//! Usage in a spelling that is seen in the field, from nobody in particular.

use costflame_pricing::Flag;
use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Operation, Recognised},
    guess,
    slots::Slot::{
        self, CacheRead, CacheWrite, Input, LibraryKind, Metadata, Model, Output, ProviderHint,
        Reasoning, RequestModel, ResponseId, ResponseModel, ResponseTier, Total, UsageObject,
    },
    usage_object,
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "generic",
    scopes: &["*"],
    telltales: &[],
    keys: &[
        ("llm.usage.prompt_tokens", Input),
        ("llm.usage.input_tokens", Input),
        ("usage.prompt_tokens", Input),
        ("usage.input_tokens", Input),
        ("prompt_tokens", Input),
        ("input_token_count", Input),
        ("gen_ai.usage.input", Input),
        ("llm.prompt_tokens", Input),
        ("llm.tokens.input", Input),
        ("tokens.input", Input),
        ("inputTokens", Input),
        ("llm.usage.input", Input),
        ("usage.input", Input),
        ("prompt_eval_count", Input),
        ("promptTokens", Input),
        ("llm.usage.completion_tokens", Output),
        ("llm.usage.output_tokens", Output),
        ("usage.completion_tokens", Output),
        ("usage.output_tokens", Output),
        ("completion_tokens", Output),
        ("output_token_count", Output),
        ("gen_ai.usage.output", Output),
        ("llm.completion_tokens", Output),
        ("llm.tokens.output", Output),
        ("tokens.output", Output),
        ("outputTokens", Output),
        ("llm.usage.output", Output),
        ("usage.output", Output),
        ("eval_count", Output),
        ("completionTokens", Output),
        ("usage.total_tokens", Total),
        ("total_tokens", Total),
        ("total_token_count", Total),
        ("totalTokens", Total),
        ("llm.usage.cache_read_input_tokens", CacheRead),
        ("usage.cache_read_input_tokens", CacheRead),
        ("usage.cached_tokens", CacheRead),
        ("usage.prompt_tokens_details.cached_tokens", CacheRead),
        ("usage.input_tokens_details.cached_tokens", CacheRead),
        ("cache_read_input_tokens", CacheRead),
        ("cached_token_count", CacheRead),
        ("cached_content_token_count", CacheRead),
        ("cached_tokens", CacheRead),
        ("cached_input_tokens", CacheRead),
        ("llm.usage.cache_creation_input_tokens", CacheWrite),
        ("usage.cache_creation_input_tokens", CacheWrite),
        ("cache_creation_input_tokens", CacheWrite),
        ("cache_write_token_count", CacheWrite),
        ("cache_write_tokens", CacheWrite),
        (
            "usage.completion_tokens_details.reasoning_tokens",
            Reasoning,
        ),
        ("usage.output_tokens_details.reasoning_tokens", Reasoning),
        ("reasoning_token_count", Reasoning),
        ("reasoning_output_tokens", Reasoning),
        ("reasoning_tokens", Reasoning),
        ("thoughts_token_count", Reasoning),
        ("llm.token.counts", UsageObject),
        ("langwatch.metrics", UsageObject),
        ("braintrust.metrics", UsageObject),
        ("llm.usage", UsageObject),
        ("usage", UsageObject),
        ("usage_metadata", UsageObject),
        ("token_usage", UsageObject),
        ("response.usage", UsageObject),
        ("llm.response.usage", UsageObject),
        ("braintrust.metadata", Metadata),
        ("llm.request.model", RequestModel),
        ("request.model", RequestModel),
        ("llm.response.model", ResponseModel),
        ("response.model", ResponseModel),
        ("llm.model", Model),
        ("llm.model.name", Model),
        ("llm.model_id", Model),
        ("gen_ai.model", Model),
        ("gen_ai.request.model_id", Model),
        ("model_name", Model),
        ("model.name", Model),
        ("model_id", Model),
        ("modelId", Model),
        ("model", Model),
        ("llm.response.id", ResponseId),
        ("lmnr.span.type", LibraryKind),
        ("mastra.span.type", LibraryKind),
        ("gen_ai.span.kind", LibraryKind),
        ("langwatch.span.type", LibraryKind),
        ("agentops.span.kind", LibraryKind),
        ("honeyhive_event_type", LibraryKind),
        ("llm.vendor", ProviderHint),
        ("provider", ProviderHint),
        ("service_tier", ResponseTier),
    ],
    read,
};

/// Usage with a model is a call; usage without one counts only where no call below it does.
fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    if let Some(usage) = evidence::usage_object(evidence.slots, Slot::UsageObject) {
        evidence::complete(&mut call, &usage);
        let metadata = || evidence.slots.value(Metadata).map(usage_object::read_value);
        call.request_model = call.request_model.or_else(|| metadata()?.model);
    }
    if !call.has_usage() {
        return Recognised::step();
    }
    call.flags.insert(Flag::Generic);
    if call.request_model.is_none() && call.response_model.is_none() {
        call.request_model = guess::model(evidence.span.attributes);
    }
    let named = call.operation.map(Operation::named);
    let kind = || Operation::of_kind(evidence.slots.text(LibraryKind)?);
    let kind = match named
        .or_else(kind)
        .or_else(|| Some(Operation::named(evidence.span.name)))
    {
        Some(Operation::Agent) => FrameKind::Agent,
        Some(Operation::Workflow) => FrameKind::Workflow,
        Some(Operation::Tool | Operation::Other) => FrameKind::Step,
        _ if call.request_model.is_some() || call.response_model.is_some() => {
            return Recognised::call(call);
        }
        _ => FrameKind::Step,
    };
    Recognised::aggregate(kind, None, call)
}
