//! Who and what a span is attributed to: user, session, feature, agent, tool, prompt and tags.
//!
//! The tables are the mapping: standard keys first, then ours, which have no other meaning, then each library's own. Of
//! several keys for one thing the first in the table wins. Content is never taken: no key here holds a prompt or a
//! completion.

use std::{borrow::Cow, collections::BTreeMap};

use costflame_profile::{Attribution, Text};

use super::{
    frame,
    interner::Interner,
    slots::{self, Key, Slot, Slots},
};
use crate::decode::{Attributes, Value};

/// Longest value in bytes; longer ones are cut at a character.
pub const MAX_VALUE: usize = 256;
/// Longest key of a tag in bytes.
pub const MAX_KEY: usize = 64;
/// Most tags of one span; of more the first in the order of their keys stay.
pub const MAX_TAGS: usize = 32;

/// Whether an attribute of this name says whose a span or log record is.
pub(crate) fn is_user_key(key: &str) -> bool {
    KEYS.iter()
        .any(|(known, slot)| *known == key && matches!(slot, Slot::User))
}

/// Keys of a span or of its resource, and what they attribute.
pub(super) const KEYS: &[Key] = &[
    // Standard.
    ("service.name", Slot::Service),
    ("service.instance.id", Slot::Instance),
    ("host.name", Slot::Host),
    ("process.pid", Slot::Pid),
    ("deployment.environment.name", Slot::Environment),
    ("deployment.environment", Slot::Environment),
    ("user.id", Slot::User),
    ("enduser.id", Slot::User),
    ("session.id", Slot::Session),
    ("gen_ai.conversation.id", Slot::Session),
    ("gen_ai.agent.name", Slot::Agent),
    ("gen_ai.tool.name", Slot::Tool),
    ("gen_ai.prompt.name", Slot::Prompt),
    ("gen_ai.prompt.version", Slot::PromptVersion),
    ("gen_ai.workflow.name", Slot::Workflow),
    // Ours.
    ("costflame.feature", Slot::Feature),
    ("costflame.path", Slot::Above),
    // OpenLLMetry.
    ("traceloop.association.properties.user_id", Slot::User),
    ("traceloop.association.properties.userId", Slot::User),
    ("traceloop.association.properties.user", Slot::User),
    ("traceloop.association.properties.session_id", Slot::Session),
    ("traceloop.association.properties.sessionId", Slot::Session),
    ("traceloop.association.properties.chat_id", Slot::Session),
    ("traceloop.association.properties.thread_id", Slot::Session),
    (
        "traceloop.association.properties.environment",
        Slot::Environment,
    ),
    ("traceloop.association.properties.feature", Slot::Feature),
    ("traceloop.prompt.key", Slot::Prompt),
    ("traceloop.prompt.version", Slot::PromptVersion),
    // Langfuse.
    ("langfuse.user.id", Slot::User),
    ("langfuse.session.id", Slot::Session),
    ("langfuse.environment", Slot::Environment),
    ("langfuse.observation.prompt.name", Slot::Prompt),
    ("langfuse.observation.prompt.version", Slot::PromptVersion),
    ("langfuse.observation.metadata.langfuse_user_id", Slot::User),
    (
        "langfuse.observation.metadata.langfuse_session_id",
        Slot::Session,
    ),
    ("langfuse.observation.metadata.user_id", Slot::User),
    ("langfuse.observation.metadata.session_id", Slot::Session),
    ("langfuse.trace.metadata.user_id", Slot::User),
    ("langfuse.trace.metadata.session_id", Slot::Session),
    ("langfuse.observation.metadata.thread_id", Slot::Session),
    ("langfuse.trace.metadata.thread_id", Slot::Session),
    ("langfuse.trace.tags", Slot::Tags),
    // LangSmith.
    ("langsmith.metadata.user_id", Slot::User),
    ("langsmith.metadata.session_id", Slot::Session),
    ("langsmith.metadata.thread_id", Slot::Session),
    ("langsmith.metadata.conversation_id", Slot::Session),
    ("langsmith.span.tags", Slot::Tags),
    // Vercel AI SDK.
    ("ai.telemetry.metadata.userId", Slot::User),
    ("ai.telemetry.metadata.sessionId", Slot::Session),
    ("ai.telemetry.metadata.chatId", Slot::Session),
    ("ai.telemetry.metadata.prompt", Slot::Prompt),
    ("ai.telemetry.metadata.tags", Slot::Tags),
    ("ai.telemetry.functionId", Slot::Feature),
    ("ai.toolCall.name", Slot::Tool),
    // LiteLLM.
    ("litellm.end_user.id", Slot::User),
    ("metadata.user_api_key_end_user_id", Slot::User),
    ("llm.user", Slot::User),
    ("metadata.user_api_key_user_id", Slot::User),
    ("gen_ai.user", Slot::User),
    // OpenInference.
    ("agent.name", Slot::Agent),
    ("tool.name", Slot::Tool),
    ("llm.prompt_template.name", Slot::Prompt),
    ("llm.prompt_template.version", Slot::PromptVersion),
    ("tag.tags", Slot::Tags),
    ("metadata", Slot::Metadata),
    // pydantic-ai and Logfire.
    ("agent_name", Slot::Agent),
    // ADK, Strands, MLflow, coding agents.
    ("gcp.vertex.agent.session_id", Slot::Session),
    ("mlflow.trace.user", Slot::User),
    ("mlflow.trace.session", Slot::Session),
    ("tool_name", Slot::Tool),
    ("conversation.id", Slot::Session),
    ("tags", Slot::Tags),
];

/// Keys that start with one of these are tags; the rest of the key is the tag's.
pub const TAG_PREFIXES: &[&str] = &[
    "costflame.tag.",
    "traceloop.association.properties.",
    "langfuse.trace.metadata.",
    "langsmith.metadata.",
    "ai.telemetry.metadata.",
    "metadata.user_api_key_",
];

/// Tags that libraries add on their own and that say nothing about who pays.
const NOISE: &[&str] = &[
    "checkpoint_ns",
    "langgraph_",
    "ls_",
    "lc_",
    "__",
    "max_budget",
    "spend",
    "budget_",
    "hash",
    "auth_",
];

/// Fields of a `metadata` object in JSON that are more than tags.
const METADATA_FIELDS: &[(&str, Slot)] = &[
    ("user_id", Slot::User),
    ("userId", Slot::User),
    ("user", Slot::User),
    ("session_id", Slot::Session),
    ("sessionId", Slot::Session),
    ("thread_id", Slot::Session),
    ("environment", Slot::Environment),
    ("feature", Slot::Feature),
];

/// Longest `metadata` text that is read, in bytes.
const MAX_METADATA: usize = 16 * 1024;

/// True when a key has one of the [`TAG_PREFIXES`].
pub(super) fn has_prefix(key: &str) -> bool {
    matches!(
        key.as_bytes().first(),
        Some(b'c' | b't' | b'l' | b'a' | b'm')
    ) && tag(key).is_some()
}

fn tag(key: &str) -> Option<&str> {
    let tag = TAG_PREFIXES
        .iter()
        .find_map(|prefix| key.strip_prefix(prefix))?;
    (!tag.is_empty() && !is_noise(tag)).then_some(tag)
}

fn is_noise(tag: &str) -> bool {
    NOISE.iter().any(|start| tag.starts_with(start))
}

/// Values found in one set of attributes, a span's or a resource's.
#[must_use]
pub fn find(attributes: Attributes<'_>, slots: &Slots<'_>, texts: &mut Interner) -> Attribution {
    let metadata = metadata(slots);
    let mut value = |slot| {
        named(slots, &metadata, slot).map(|text| texts.intern(&frame::shortened(&text, MAX_VALUE)))
    };
    let mut attribution = Attribution {
        environment: value(Slot::Environment),
        feature: value(Slot::Feature),
        user: value(Slot::User),
        session: value(Slot::Session),
        agent: value(Slot::Agent),
        tool: value(Slot::Tool),
        prompt: value(Slot::Prompt),
        prompt_version: value(Slot::PromptVersion),
        tags: Vec::new(),
    };
    if slots.tagged || slots.value(Slot::Tags).is_some() || !metadata.is_empty() {
        attribution.tags = tags(attributes, slots, &metadata, texts);
    }
    attribution
}

fn named<'a>(slots: &Slots<'a>, metadata: &Metadata<'a>, slot: Slot) -> Option<Cow<'a, str>> {
    let field = || {
        METADATA_FIELDS
            .iter()
            .filter(|(_, means)| *means == slot)
            .find_map(|(name, _)| metadata.get(*name))
    };
    slots
        .value(slot)
        .and_then(scalar)
        .or_else(|| field().cloned())
}

type Metadata<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// The scalars at the top of a `metadata` object.
fn metadata<'a>(slots: &Slots<'a>) -> Metadata<'a> {
    let text = slots
        .value(Slot::Metadata)
        .and_then(|value| value.as_text());
    let Some(text) = text.filter(|text| text.len() <= MAX_METADATA && text.starts_with('{')) else {
        return Metadata::new();
    };
    let fields: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).unwrap_or_default();
    let scalars = fields.into_iter().filter_map(|(key, value)| {
        let text = match value {
            serde_json::Value::String(text) if !text.is_empty() => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        Some((Cow::Owned(key), Cow::Owned(text)))
    });
    scalars.collect()
}

/// Tags of all kinds, sorted by key; of equal keys the first found stays.
fn tags(
    attributes: Attributes<'_>,
    slots: &Slots<'_>,
    metadata: &Metadata<'_>,
    texts: &mut Interner,
) -> Vec<(Text, Text)> {
    let mut found = BTreeMap::<String, String>::new();
    let mut add = |key: &str, value: &str| {
        let key = frame::presentable(cut(key, MAX_KEY));
        if !value.is_empty() && (found.len() < MAX_TAGS * 4 || found.contains_key(&key)) {
            found
                .entry(key)
                .or_insert_with(|| cut(value, MAX_VALUE).to_owned());
        }
    };
    for prefix in TAG_PREFIXES {
        let own = attributes
            .0
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && !slots::is_known(key));
        for (key, value) in own {
            if let (Some(tag), Some(value)) = (tag(key), scalar(*value)) {
                add(tag, &value);
            }
        }
    }
    for word in slots.value(Slot::Tags).map(words).unwrap_or_default() {
        // `feat:search` is a key and a value, any other word is a tag that is set.
        match word.split_once(':') {
            Some((key, value)) if !key.is_empty() => add(key.trim(), value.trim()),
            _ => add(word, "true"),
        }
    }
    let is_tag =
        |key: &str| !is_noise(key) && !METADATA_FIELDS.iter().any(|(name, _)| *name == key);
    for (key, value) in metadata.iter().filter(|(key, _)| is_tag(key)) {
        add(key, value);
    }
    found
        .into_iter()
        .take(MAX_TAGS)
        .map(|(key, value)| (texts.intern(&key), texts.intern(&value)))
        .collect()
}

/// The words of a list of tags: an array, JSON text of one, or words with commas between.
fn words(value: Value<'_>) -> Vec<&str> {
    let words: Vec<&str> = match value {
        Value::Array(_) => value.array().filter_map(|tag| tag.as_text()).collect(),
        Value::Str(text) => text
            .trim_matches(['[', ']'])
            .split(',')
            .map(|word| word.trim_matches([' ', '"', '\'']))
            .collect(),
        _ => Vec::new(),
    };
    words
        .into_iter()
        .filter(|word| !word.is_empty())
        .take(MAX_TAGS)
        .collect()
}

/// A value that is short by its nature, as text.
fn scalar(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Str(text) => {
            let bare = text
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .unwrap_or(text)
                .trim();
            (!matches!(bare, "" | "null" | "None")).then_some(Cow::Borrowed(bare))
        }
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if flag { "true" } else { "false" })),
        Value::Double(number) => Some(Cow::Owned(number.to_string())),
        Value::Bytes(_) | Value::Array(_) | Value::Map(_) | Value::Empty => None,
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Value::{Int, Str};

    fn found(attributes: &[(&str, Value<'_>)]) -> Attribution {
        let attributes = Attributes(attributes);
        find(
            attributes,
            &Slots::read(attributes),
            &mut Interner::default(),
        )
    }

    fn tags(attribution: &Attribution) -> Vec<String> {
        attribution
            .tags
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    }

    #[test]
    fn standard_keys_come_before_those_of_libraries() {
        let attribution = found(&[
            (
                "traceloop.association.properties.user_id",
                Str("of traceloop"),
            ),
            ("user.id", Str("standard")),
            (
                "langfuse.observation.metadata.session_id",
                Str("\"sess-1\""),
            ),
            ("ai.telemetry.functionId", Str("greeting")),
            ("costflame.feature", Str("search")),
        ]);
        assert_eq!(attribution.user.as_deref(), Some("standard"));
        assert_eq!(attribution.session.as_deref(), Some("sess-1"));
        assert_eq!(attribution.feature.as_deref(), Some("search"));
    }

    #[test]
    fn collects_tags_of_every_kind_without_noise() {
        let attribution = found(&[
            ("traceloop.association.properties.customer_id", Str("acme")),
            ("traceloop.association.properties.langgraph_step", Int(3)),
            (
                "traceloop.association.properties.ls_provider",
                Str("openai"),
            ),
            ("costflame.tag.tier", Str("gold")),
            ("langsmith.span.tags", Str("feat:search, beta")),
            (
                "metadata",
                Str(r#"{"user_id": 42, "plan": "free", "nested": {"prompt": "secret"}}"#),
            ),
            ("input.value", Str("a prompt")),
        ]);
        assert_eq!(
            tags(&attribution),
            [
                "beta=true",
                "customer_id=acme",
                "feat=search",
                "plan=free",
                "tier=gold"
            ]
        );
        assert_eq!(attribution.user.as_deref(), Some("42"));
    }

    #[test]
    fn values_are_bounded() {
        let long = "ü".repeat(4_000);
        let keys: Vec<String> = (0..500)
            .map(|at| format!("costflame.tag.{at:03}"))
            .collect();
        let mut attributes: Vec<_> = keys.iter().map(|key| (key.as_str(), Str(&long))).collect();
        attributes.push(("user.id", Str(&long)));
        let attribution = found(&attributes);
        assert_eq!(attribution.tags.len(), MAX_TAGS);
        assert!(
            attribution
                .tags
                .iter()
                .all(|(_, value)| value.len() <= MAX_VALUE)
        );
        assert!(attribution.user.is_some_and(|user| user.len() <= MAX_VALUE));
    }
}
