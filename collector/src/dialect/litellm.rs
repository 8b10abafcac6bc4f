//! LiteLLM, SDK and proxy. Cached tokens and reasoning are only in a usage object written as Python text.

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{ReportedCost, UsageObject},
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "litellm",
    scopes: &["litellm"],
    telltales: &["litellm.call_id", "litellm.provider.model"],
    keys: &[
        ("metadata.usage_object", UsageObject),
        ("gen_ai.cost.total_cost", ReportedCost),
        ("litellm.cost.total", ReportedCost),
    ],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let mut call = evidence.model_call();
    let upstream = evidence.attribute("litellm.provider.model");
    if let Some((prefix, model)) = upstream.and_then(|upstream| upstream.split_once('/')) {
        call.provider = call.provider.or(Some(prefix));
        call.request_model = call.request_model.or(Some(model));
    }
    // The proxy answers under the name its user chose for the model.
    if evidence.attribute("metadata.user_api_key_hash").is_some() && call.request_model.is_some() {
        call.response_model = None;
    }
    if let Some(usage) = evidence::usage_object(evidence.slots, UsageObject) {
        evidence::complete(&mut call, &usage);
    }
    evidence.judge(call)
}
