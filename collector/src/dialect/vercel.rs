//! Vercel AI SDK, its own telemetry (`ai.*`): the `do…` spans are the calls, the spans around them repeat or sum.

use costflame_pricing::Accounting;
use costflame_profile::FrameKind;

use super::{
    Dialect, emitters,
    evidence::{self, Evidence, ModelCall, Recognised},
    slots::Slot::{
        self, CacheRead, CacheWrite, Input, ProviderHint, Reasoning, RequestModel, ResponseId,
        ResponseModel, Total, UsageObject,
    },
};

const OPERATION: &str = "ai.operationId";

pub(super) const DIALECT: Dialect = Dialect {
    name: "vercel_ai",
    scopes: &["ai"],
    telltales: &[OPERATION],
    keys: &[
        ("ai.usage.inputTokens", Input),
        ("ai.usage.promptTokens", Input),
        ("ai.usage.tokens", Input),
        ("ai.usage.outputTokens", Slot::Output),
        ("ai.usage.completionTokens", Slot::Output),
        ("ai.usage.totalTokens", Total),
        ("ai.usage.inputTokenDetails.cacheReadTokens", CacheRead),
        ("ai.usage.cachedInputTokens", CacheRead),
        ("ai.usage.inputTokenDetails.cacheWriteTokens", CacheWrite),
        ("ai.usage.outputTokenDetails.reasoningTokens", Reasoning),
        ("ai.usage.reasoningTokens", Reasoning),
        ("ai.model.id", RequestModel),
        ("ai.model.provider", ProviderHint),
        ("ai.response.model", ResponseModel),
        ("ai.response.id", ResponseId),
        ("ai.response.providerMetadata", UsageObject),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let Some(operation) = evidence.attribute(OPERATION) else {
        return evidence.by_operation();
    };
    if operation.starts_with("ai.toolCall") {
        return Recognised::plain(FrameKind::Tool, evidence.slots.text(Slot::Tool));
    }
    let mut call = evidence.model_call();
    call.operation = call.operation.or(Some(operation));
    if !operation.contains(".do") {
        return Recognised::aggregate(
            FrameKind::Workflow,
            evidence.attribute("ai.telemetry.functionId"),
            call,
        );
    }
    let version = version(evidence);
    let beside = call.provider.is_some_and(emitters::reports_beside);
    call.accounting = match (beside, version) {
        (true, ..=5) => Accounting::EmitterExclusive,
        (true, _) => Accounting::EmitterInclusive,
        (false, _) => Accounting::Spec,
    };
    if let Some(metadata) = evidence::usage_object(evidence.slots, UsageObject) {
        complete(&mut call, &metadata, version);
    }
    evidence.call_if_any(call)
}

/// Takes lifetimes of cache writes and what older versions leave out from the provider's own metadata.
fn complete<'a>(
    call: &mut ModelCall<'a>,
    metadata: &super::usage_object::UsageObject<'a>,
    version: u32,
) {
    let has_input = call.reported.input.is_some();
    if has_input {
        evidence::complete(call, metadata);
    } else {
        call.service_tier = call.service_tier.or(metadata.tier);
    }
    // Before version 6 thoughts of Gemini were missing from the output; the total shows them.
    if version <= 5 && has_input && call.reported.total.is_none() {
        call.reported.total = metadata.reported.total;
    }
}

/// Major version of the SDK. The scope carries none: the user agent does since version 5, details of the input since 6.
fn version(evidence: &Evidence<'_, '_>) -> u32 {
    let agent = evidence
        .attribute("ai.request.headers.user-agent")
        .unwrap_or("");
    let named = agent
        .split_once("ai/")
        .and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
    let has_details = || {
        evidence
            .span
            .attributes
            .get("ai.usage.inputTokenDetails.noCacheTokens")
            .is_some()
    };
    named.unwrap_or_else(|| if has_details() { 6 } else { 5 })
}
