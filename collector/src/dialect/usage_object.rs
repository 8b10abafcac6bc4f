//! Usage objects as text: a provider's `usage` in JSON, in Python's `repr`, or somewhere inside a response.
//!
//! Nothing but numbers under known names and the service tier is taken; all other text is skipped over.

use costflame_pricing::{Counter, ReportedUsage};

/// Text beyond this is not looked at.
const MAX_TEXT: usize = 256 * 1024;
/// Places that are looked at for an object outside the structure.
const MAX_CANDIDATES: usize = 16;
/// Keys are remembered down to this depth.
const MAX_DEPTH: usize = 16;

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
    /// `id` at the top.
    pub id: Option<&'a str>,
}

/// Reads a text that is a usage object.
#[must_use]
pub fn read(text: &str) -> UsageObject<'_> {
    Scan::new(text, false).run()
}

/// Reads the usage object inside a response: what lies below a key that names usage.
#[must_use]
pub fn read_inside(text: &str) -> UsageObject<'_> {
    Scan::new(text, true).run()
}

/// Usage objects in a response, the likeliest first: where its structure says so, then wherever something after the word
/// `usage` looks like one, for instance in Python text within JSON. What only looks like one may be what a model said.
pub fn candidates(text: &str) -> impl Iterator<Item = UsageObject<'_>> {
    let text = cut(text, MAX_TEXT);
    let loose = text
        .match_indices("usage")
        .take(MAX_CANDIDATES)
        .filter_map(|(at, word)| object_after(&text[at + word.len()..]));
    std::iter::once_with(|| read_inside(text)).chain(loose.map(read))
}

/// The object in `_metadata": {…}`, `': {…}`, `=CompletionUsage(…)`.
fn object_after(text: &str) -> Option<&str> {
    let name = |text: &'_ str| {
        text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
            .len()
    };
    let rest = &text[text.len() - name(text)..];
    let rest = rest.trim_start_matches(['"', '\'']).trim_start();
    let rest = rest.strip_prefix([':', '='])?.trim_start();
    let rest = &rest[rest.len() - name(rest)..];
    rest.starts_with(['{', '(']).then_some(rest)
}

/// The `id` a response in JSON begins with.
#[must_use]
pub fn leading_id(text: &str) -> Option<&str> {
    let after = |text: &'_ str, token| -> Option<usize> {
        text.trim_start().strip_prefix(token).map(str::len)
    };
    let mut rest = text;
    for token in ["{", "\"id\"", ":", "\""] {
        rest = &rest[rest.len() - after(rest, token)?..];
    }
    let id = &rest[..rest.find('"')?];
    (!id.is_empty() && id.len() <= 200).then_some(id)
}

struct Scan<'a> {
    rest: &'a str,
    keys: [&'a str; MAX_DEPTH],
    depth: usize,
    /// Depth below which numbers count, if they only count below a key that names usage.
    usage_depth: Option<usize>,
    only_inside: bool,
    key: Option<&'a str>,
    found: UsageObject<'a>,
    anthropic_names: bool,
}

enum Leaf<'a> {
    Number(f64),
    Text(&'a str),
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, only_inside: bool) -> Self {
        Self {
            rest: cut(text, MAX_TEXT),
            keys: [""; MAX_DEPTH],
            depth: 0,
            usage_depth: None,
            only_inside,
            key: None,
            found: UsageObject::default(),
            anthropic_names: false,
        }
    }

    fn run(mut self) -> UsageObject<'a> {
        while let Some(first) = self.rest.bytes().next() {
            match first {
                b'{' | b'[' | b'(' => self.open(),
                b'}' | b']' | b')' => {
                    self.close();
                    if self.depth == 0 {
                        break;
                    }
                }
                b'"' | b'\'' => self.quoted(first),
                b'0'..=b'9' | b'-' => self.number(),
                _ if first.is_ascii_alphabetic() || first == b'_' => self.word(),
                _ => self.skip_char(),
            }
        }
        let said = &self.found.reported;
        if self.found.shape == Shape::Inclusive && self.anthropic_names && said.input.is_some() {
            self.found.shape = Shape::Exclusive;
        }
        self.found
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn open(&mut self) {
        let key = self.key.take().unwrap_or("");
        if let Some(place) = self.keys.get_mut(self.depth) {
            *place = key;
        }
        self.depth += 1;
        if self.usage_depth.is_none() && names_usage(key) {
            self.usage_depth = Some(self.depth);
        }
        self.rest = &self.rest[1..];
    }

    fn close(&mut self) {
        self.key = None;
        self.depth = self.depth.saturating_sub(1);
        if self.usage_depth.is_some_and(|depth| self.depth < depth) {
            self.usage_depth = None;
        }
        self.rest = &self.rest[1..];
    }

    fn quoted(&mut self, quote: u8) {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        while end < bytes.len() && bytes[end] != quote {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let text = self.rest.get(1..end).unwrap_or("");
        self.rest = self.rest.get(end + 1..).unwrap_or("");
        self.text_or_key(text);
    }

    fn word(&mut self) {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if rest.starts_with('(') {
            return; // the type in Python's `Usage(input_tokens=1)`
        }
        self.text_or_key(word);
    }

    /// Text before `:` or `=` is a key.
    fn text_or_key(&mut self, text: &'a str) {
        let after = self.rest.trim_start();
        if let Some(rest) = after.strip_prefix(':').or_else(|| after.strip_prefix('=')) {
            self.rest = rest;
            self.key = Some(text);
            return;
        }
        if let Some(key) = self.key.take() {
            self.leaf(key, Leaf::Text(text));
        }
    }

    fn number(&mut self) {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
            .unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let (Some(key), Ok(number)) = (self.key.take(), number.parse()) {
            self.leaf(key, Leaf::Number(number));
        }
    }

    fn leaf(&mut self, key: &'a str, leaf: Leaf<'a>) {
        if self.depth == 1 && key == "id" {
            if let Leaf::Text(id) = leaf {
                self.found.id = self.found.id.or(Some(id));
            }
            return;
        }
        if matches!(key, "service_tier" | "serviceTier") {
            if let Leaf::Text(tier) = leaf
                && !matches!(tier, "null" | "None")
            {
                self.found.tier = self.found.tier.or(Some(tier));
            }
            return;
        }
        if self.only_inside && self.usage_depth.is_none() {
            return;
        }
        if let Leaf::Number(number) = leaf
            && number >= 0.0
            && number <= (1_u64 << 53) as f64
            && number.fract().total_cmp(&0.0).is_eq()
        {
            self.count(key, number as u64);
        }
    }

    fn count(&mut self, key: &str, count: u64) {
        let parent = self
            .depth
            .checked_sub(1)
            .and_then(|last| self.keys.get(last))
            .copied()
            .unwrap_or("");
        if matches!(
            key,
            "cache_read_input_tokens" | "cache_creation_input_tokens"
        ) || key.starts_with("cacheWriteInput")
        {
            self.anthropic_names = true;
        }
        if self.depth == 1 && matches!(key, "input" | "output") {
            self.found.shape = Shape::Disjoint;
        }
        match key {
            "web_search_requests" | "num_search_queries" => {
                return self.units(Counter::WebSearches, count);
            }
            "search_units" => return self.units(Counter::SearchUnits, count),
            _ => {}
        }
        // Aliases repeat one number, and some of them are filled with a zero.
        if let Some(part) = part(&mut self.found.reported, parent, key, self.depth)
            && part.unwrap_or(0) == 0
        {
            *part = Some(count);
        }
    }

    fn units(&mut self, counter: Counter, count: u64) {
        self.found.reported.counters[counter as usize] = count;
    }
}

/// Where a number belongs.
fn part<'u>(
    said: &'u mut ReportedUsage,
    parent: &str,
    key: &str,
    depth: usize,
) -> Option<&'u mut Option<u64>> {
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
        | "output_reasoning_tokens" => &mut said.reasoning,
        "reasoning" if is_part_of_output(parent) => &mut said.reasoning,
        "input_audio" | "input_audio_tokens" => &mut said.audio_in,
        "output_audio" | "output_audio_tokens" => &mut said.audio_out,
        "audio_tokens" | "audio" if is_part_of_input(parent) => &mut said.audio_in,
        "audio_tokens" | "audio" if is_part_of_output(parent) => &mut said.audio_out,
        "image_tokens" | "image" if is_part_of_input(parent) => &mut said.image_in,
        "image_tokens" | "image" if is_part_of_output(parent) => &mut said.image_out,
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

/// The first `most` bytes, to a character's end.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
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
        assert_eq!((found.reported.input, found.id), (Some(7), Some("resp_1")));
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
