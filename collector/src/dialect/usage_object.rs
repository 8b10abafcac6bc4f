//! Usage objects: a provider's `usage` as JSON, as a map, in Python's `repr`, or somewhere inside a response.
//!
//! Nothing but numbers under known names, the service tier, the model and the response's id is taken.

use costflame_pricing::{Counter, ReportedUsage};

use super::{
    guess,
    scan::{Leaf, MAX_TEXT, Path, scan_map, scan_text},
    slots::Slot,
};
use crate::decode::Value;

/// Places that are looked at for an object outside the structure.
const MAX_CANDIDATES: usize = 16;
/// Longest id or model that is taken, in bytes.
const MAX_NAME: usize = 200;

/// How the object counts cached and cache-written tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// OpenAI, Gemini: the input includes its parts.
    #[default]
    Inclusive,
    /// Anthropic, Bedrock: the input excludes them, the output includes reasoning.
    Exclusive,
    /// Langfuse: `input` and `output` exclude all their parts.
    Disjoint,
}

/// What a usage object says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageObject<'a> {
    /// The numbers.
    pub reported: ReportedUsage,
    /// How they include each other.
    pub shape: Shape,
    /// The service tier.
    pub tier: Option<&'a str>,
    /// The model that answered, if the object is inside its response.
    pub model: Option<&'a str>,
}

/// Reads a text that is a usage object.
#[must_use]
pub fn read(text: &str) -> UsageObject<'_> {
    read_named(text, "")
}

/// Reads a usage object that stands under a key: `input_token_details` tells whose `audio` is meant.
#[must_use]
pub fn read_named<'a>(text: &'a str, name: &'a str) -> UsageObject<'a> {
    let mut reader = Reader::default();
    scan_text(text, name, |path, key, leaf| reader.leaf(path, key, leaf));
    reader.finish()
}

/// Reads a value that is a usage object, as text or as a map.
#[must_use]
pub fn read_value(value: Value<'_>) -> UsageObject<'_> {
    let mut reader = Reader::default();
    match value {
        Value::Str(text) => scan_text(text, "", |path, key, leaf| reader.leaf(path, key, leaf)),
        value => scan_map(value, "", |path, key, leaf| reader.leaf(path, key, leaf)),
    }
    reader.finish()
}

/// Reads the usage object inside a response: what lies below a key that names usage.
#[must_use]
pub fn read_inside(text: &str) -> UsageObject<'_> {
    let mut reader = Reader {
        only_below_usage: true,
        ..Reader::default()
    };
    scan_text(text, "", |path, key, leaf| reader.leaf(path, key, leaf));
    reader.finish()
}

/// Usage objects in a response, the likeliest first: where its structure says so, then wherever something after the word
/// `usage` looks like one, for instance in Python text within JSON. What only looks like one may be what a model said.
pub fn candidates(text: &str) -> impl Iterator<Item = UsageObject<'_>> {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    let loose = text
        .match_indices("usage")
        .take(MAX_CANDIDATES)
        .filter_map(|(at, word)| object_after(&text[at + word.len()..]));
    std::iter::once_with(|| read_inside(text)).chain(loose.map(read))
}

/// The object in `_metadata": {…}`, `': {…}`, `=CompletionUsage(…)`.
fn object_after(text: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = text
        .trim_start_matches(is_name)
        .trim_start_matches(['"', '\''])
        .trim_start();
    let rest = rest
        .strip_prefix([':', '='])?
        .trim_start()
        .trim_start_matches(is_name);
    rest.starts_with(['{', '(']).then_some(rest)
}

/// The `id` a response in JSON begins with.
#[must_use]
pub fn leading_id(text: &str) -> Option<&str> {
    let rest = text
        .trim_start()
        .strip_prefix('{')?
        .trim_start()
        .strip_prefix("\"id\"")?;
    let rest = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let id = &rest[..rest.find('"')?];
    is_name(id).then_some(id)
}

fn is_name(text: &str) -> bool {
    !matches!(text, "" | "null" | "None") && text.len() <= MAX_NAME
}

/// Collects what the leaves of one object say.
#[derive(Default)]
struct Reader<'a> {
    found: UsageObject<'a>,
    only_below_usage: bool,
    has_anthropic_names: bool,
}

impl<'a> Reader<'a> {
    fn finish(mut self) -> UsageObject<'a> {
        let is_whole = self.found.reported.input.is_some();
        if self.found.shape == Shape::Inclusive && self.has_anthropic_names && is_whole {
            self.found.shape = Shape::Exclusive;
        }
        self.found
    }

    fn leaf(&mut self, path: &Path<'a>, key: &'a str, leaf: Leaf<'a>) {
        match leaf {
            Leaf::Text(text) => self.text(key, text),
            Leaf::Number(number) => {
                let is_count = number >= 0.0
                    && number <= (1_u64 << 53) as f64
                    && number.fract().total_cmp(&0.0).is_eq();
                let counts =
                    !self.only_below_usage || path.known().iter().any(|key| names_usage(key));
                if is_count && counts {
                    self.count(path, key, number as u64);
                }
            }
        }
    }

    fn text(&mut self, key: &str, text: &'a str) {
        let text = Some(text).filter(|text| is_name(text));
        match key {
            "service_tier" | "serviceTier" => self.found.tier = self.found.tier.or(text),
            "model" => self.found.model = self.found.model.or(text),
            _ => {}
        }
    }

    fn count(&mut self, path: &Path<'_>, key: &str, count: u64) {
        let counters = &mut self.found.reported.counters;
        match key {
            "web_search_requests" | "num_search_queries" => {
                counters[Counter::WebSearches as usize] = count
            }
            "search_units" => counters[Counter::SearchUnits as usize] = count,
            "cache_read_input_tokens" | "cache_creation_input_tokens" | "cacheWriteInputTokens" => {
                self.has_anthropic_names = true;
            }
            "input" | "output" if path.depth == 1 => self.found.shape = Shape::Disjoint,
            _ => {}
        }
        // Aliases repeat one number, and some of them are filled with a zero.
        if let Some(part) = part(&mut self.found.reported, path, key)
            && part.unwrap_or(0) == 0
        {
            *part = Some(count);
        }
    }
}

/// Where a number belongs.
fn part<'u>(
    said: &'u mut ReportedUsage,
    path: &Path<'_>,
    key: &str,
) -> Option<&'u mut Option<u64>> {
    let (parent, depth) = (path.parent(), path.depth);
    Some(match key {
        "input" if depth == 1 => &mut said.input,
        "output" if depth == 1 => &mut said.output,
        "total" if depth == 1 => &mut said.total,
        "input_tokens" | "prompt_tokens" | "inputTokens" | "promptTokens" | "promptTokenCount"
        | "prompt_token_count" | "inputTokenCount" | "input_token_count" => &mut said.input,
        "output_tokens"
        | "completion_tokens"
        | "outputTokens"
        | "completionTokens"
        | "candidatesTokenCount"
        | "candidates_token_count"
        | "outputTokenCount"
        | "output_token_count" => &mut said.output,
        "total_tokens" | "totalTokens" | "totalTokenCount" | "total_token_count" => &mut said.total,
        "cached_tokens"
        | "cache_read_input_tokens"
        | "cacheReadInputTokens"
        | "cacheReadInputTokenCount"
        | "cache_read_tokens"
        | "cacheReadTokens"
        | "cached_input_tokens"
        | "cachedInputTokens"
        | "cachedPromptTokens"
        | "cachedContentTokenCount"
        | "cached_content_token_count"
        | "input_cached_tokens"
        | "input_cache_read"
        | "prompt_cache_hit_tokens"
        | "prompt_cached_tokens"
        | "cache_read" => &mut said.cache_read,
        "cache_creation_input_tokens"
        | "cacheCreationInputTokens"
        | "cacheWriteInputTokens"
        | "cacheWriteInputTokenCount"
        | "cache_write_input_tokens"
        | "cache_write_tokens"
        | "cacheWriteTokens"
        | "cache_creation_tokens"
        | "input_cache_creation"
        | "input_cache_write"
        | "cache_creation"
        | "cache_write" => &mut said.cache_write,
        "ephemeral_1h_input_tokens"
        | "cache_creation_input_tokens_above_1hr"
        | "input_cache_creation_1h" => &mut said.cache_write_1h,
        "reasoning_tokens"
        | "reasoningTokens"
        | "thinking_tokens"
        | "thoughtsTokenCount"
        | "thoughts_token_count"
        | "reasoning_output_tokens"
        | "output_reasoning"
        | "output_reasoning_tokens"
        | "completion_reasoning_tokens" => &mut said.reasoning,
        "reasoning" if is_part_of_output(parent) => &mut said.reasoning,
        "input_audio" | "input_audio_tokens" => &mut said.audio_in,
        "output_audio" | "output_audio_tokens" => &mut said.audio_out,
        "audio_tokens" | "audio" if is_part_of_input(parent) => &mut said.audio_in,
        "audio_tokens" | "audio" if is_part_of_output(parent) => &mut said.audio_out,
        "image_tokens" | "image" if is_part_of_input(parent) => &mut said.image_in,
        "image_tokens" | "image" if is_part_of_output(parent) => &mut said.image_out,
        _ => return guessed_part(said, key),
    })
}

/// What a key in nobody's spelling says of the parts; input and output have to be named as they are known.
fn guessed_part<'u>(said: &'u mut ReportedUsage, key: &str) -> Option<&'u mut Option<u64>> {
    Some(match guess::slot(key)? {
        Slot::CacheRead => &mut said.cache_read,
        Slot::CacheWrite => &mut said.cache_write,
        Slot::CacheWrite1h => &mut said.cache_write_1h,
        Slot::Reasoning => &mut said.reasoning,
        Slot::AudioIn => &mut said.audio_in,
        Slot::AudioOut => &mut said.audio_out,
        Slot::ImageIn => &mut said.image_in,
        Slot::ImageOut => &mut said.image_out,
        Slot::VideoIn => &mut said.video_in,
        _ => return None,
    })
}

fn is_part_of_input(parent: &str) -> bool {
    parent.contains("etails") && (parent.starts_with("prompt") || parent.starts_with("input"))
}

fn is_part_of_output(parent: &str) -> bool {
    parent.contains("etails") && (parent.starts_with("completion") || parent.starts_with("output"))
}

fn names_usage(key: &str) -> bool {
    matches!(
        key,
        "usage"
            | "usage_metadata"
            | "usageMetadata"
            | "token_usage"
            | "tokenUsage"
            | "server_tool_use"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(object: &UsageObject<'_>) -> [Option<u64>; 5] {
        let said = &object.reported;
        [
            said.input,
            said.output,
            said.cache_read,
            said.cache_write,
            said.reasoning,
        ]
    }

    #[test]
    fn reads_the_objects_of_providers() {
        let openai = read(
            r#"{"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "service_tier": "flex",
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 3}}"#,
        );
        assert_eq!(
            numbers(&openai),
            [Some(100), Some(20), Some(60), None, Some(8)]
        );
        assert_eq!(
            (openai.reported.audio_in, openai.reported.audio_out),
            (Some(5), Some(3))
        );
        assert_eq!(
            (openai.shape, openai.tier),
            (Shape::Inclusive, Some("flex"))
        );

        let anthropic = read(
            r#"{"cache_creation":{"ephemeral_1h_input_tokens":704,"ephemeral_5m_input_tokens":1679},
                "cache_creation_input_tokens":2383,"cache_read_input_tokens":768,"input_tokens":1409,
                "output_tokens":1265,"server_tool_use":{"web_search_requests":2}}"#,
        );
        assert_eq!(
            numbers(&anthropic),
            [Some(1409), Some(1265), Some(768), Some(2383), None]
        );
        assert_eq!(
            (anthropic.reported.cache_write_1h, anthropic.shape),
            (Some(704), Shape::Exclusive)
        );
        assert_eq!(
            anthropic.reported.counters[Counter::WebSearches as usize],
            2
        );

        let langfuse = read(
            r#"{"input": 7, "output": 3, "total": 12, "input_cache_read": 2, "output_reasoning": 0}"#,
        );
        assert_eq!(
            numbers(&langfuse),
            [Some(7), Some(3), Some(2), None, Some(0)]
        );
        assert_eq!(langfuse.shape, Shape::Disjoint);
    }

    #[test]
    fn parts_in_a_spelling_of_nobody_are_read() {
        let genkit = read(
            r#"{"inputTokens": 100, "outputTokens": 20, "totalTokens": 135, "thoughtsTokens": 15,
                "cachedContentTokens": 60, "inputCharacters": 12, "toolUsePromptTokens": 3}"#,
        );
        assert_eq!(
            numbers(&genkit),
            [Some(100), Some(20), Some(60), None, Some(15)]
        );
        let crew =
            read("total_tokens=120 prompt_tokens=100 cached_prompt_tokens=60 completion_tokens=20");
        assert_eq!(numbers(&crew), [Some(100), Some(20), Some(60), None, None]);
    }

    #[test]
    fn reads_python() {
        let litellm = read(
            "{'completion_tokens': 805, 'prompt_tokens': 4854, 'completion_tokens_details': {'reasoning_tokens': 576}, \
             'prompt_tokens_details': {'audio_tokens': None, 'cached_tokens': 1600}, 'service_tier': None}",
        );
        assert_eq!(
            numbers(&litellm),
            [Some(4854), Some(805), Some(1600), None, Some(576)]
        );
        assert_eq!(litellm.tier, None);
        let printed = r#"{"raw": "ChatCompletion(id='c', usage=CompletionUsage(completion_tokens=9, prompt_tokens=40,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=30)))"}"#;
        let found: Vec<_> = candidates(printed)
            .filter(|object| object.reported.input.is_some())
            .collect();
        assert_eq!(
            numbers(&found[0]),
            [Some(40), Some(9), Some(30), None, None]
        );
    }

    #[test]
    fn reads_inside_a_response_only_below_usage() {
        let response = r#"{"id":"resp_1","input_tokens":1,"text":"\"input_tokens\": 5","usage":{"input_tokens":7},"n":2}"#;
        let found = read_inside(response);
        assert_eq!(found.reported.input, Some(7));
        assert_eq!(leading_id(response), Some("resp_1"));
        assert_eq!(leading_id(r#"{"model":"m","id":"x"}"#), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in prop_oneof![".{0,200}", "[{}\\[\\]()'\"=:,\\\\ a-z0-9._-]{0,200}", "(usage[\"'=:]{0,3}[({]?.{0,12}){0,8}"]) {
            let _ = read(&text);
            for object in candidates(&text) {
                prop_assert!(object.reported.input.unwrap_or(0) <= 1 << 53);
            }
            let _ = leading_id(&text);
        }
    }
}
