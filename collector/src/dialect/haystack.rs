//! Haystack's own tracing: a component's kind is in its type, usage and model only in what it returned.

use costflame_profile::FrameKind;

use super::{
    Dialect,
    evidence::{self, Evidence, Recognised},
    slots::Slot::{self, Response},
    usage_object::{self, UsageObject},
};

const TYPE: &str = "haystack.component.type";

pub(super) const DIALECT: Dialect = Dialect {
    name: "haystack",
    scopes: &["haystack*"],
    telltales: &[TYPE],
    keys: &[("haystack.component.output", Response)],
    read,
};

/// Component types and the providers they call.
const PROVIDERS: &[(&str, &str)] = &[
    ("Azure", "azure.ai.openai"),
    ("OpenAI", "openai"),
    ("Anthropic", "anthropic"),
    ("AmazonBedrock", "aws.bedrock"),
    ("Google", "gcp.gen_ai"),
    ("Vertex", "gcp.vertex_ai"),
    ("Cohere", "cohere"),
    ("Mistral", "mistral_ai"),
    ("Ollama", "ollama"),
];

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    let Some(component) = evidence.attribute(TYPE) else {
        return evidence.by_operation();
    };
    let mut call = evidence.model_call();
    if let Some(response) = evidence
        .slots
        .value(Slot::Response)
        .and_then(|value| value.as_text())
    {
        let structured = usage_object::read_inside(response);
        // In Python text what the model said comes before what is known of it.
        let printed = || usage_object::candidates(response).filter(has_input).last();
        let found = Some(structured).filter(has_input).or_else(printed);
        if let Some(found) = found {
            evidence::complete(&mut call, &found);
        }
        call.response_model = call.response_model.or(structured.model);
    }
    let provider = PROVIDERS
        .iter()
        .find(|(start, _)| component.starts_with(start));
    call.provider = call.provider.or(provider.map(|(_, provider)| *provider));
    let ends = |ends: &[&str]| ends.iter().any(|end| component.ends_with(end));
    if ends(&["Generator", "Embedder", "Ranker"]) {
        return evidence.call_if_any(call);
    }
    if component == "ToolInvoker" {
        return Recognised::plain(FrameKind::Tool, None);
    }
    let kind = if component.ends_with("Agent") {
        FrameKind::Agent
    } else {
        FrameKind::Step
    };
    Recognised::aggregate(kind, evidence.attribute("haystack.component.name"), call)
}

fn has_input(object: &UsageObject<'_>) -> bool {
    object.reported.input.is_some()
}
