//! Keys of libraries that nobody here has seen: the words in them say what they count.
//!
//! Only keys with `token` in them are looked at. Where a key of a table says how many tokens went in or out, only those of
//! the name spaces of usage are believed: they say which part of it was cached, reasoning or audio.

use super::slots::Slot;
use crate::decode::{Attributes, Value};

/// Name spaces in which nothing but the usage of the call itself is told.
const OF_USAGE: &[&str] = &[
    "gen_ai.usage.",
    "llm.usage.",
    "llm.token_count.",
    "llm.token_usage.",
    "ai.usage.",
];

/// True for keys of which the name space alone says that they tell usage of the call.
pub(super) fn is_of_usage(key: &str) -> bool {
    OF_USAGE.iter().any(|space| key.starts_with(space))
}

/// True when a key that no table names tells the cost of the call in USD: `gen_ai.cost.total_usd`, `llm.usage.cost`.
pub(super) fn is_cost(key: &str) -> bool {
    const WORDS: &[&str] = &[
        "gen", "ai", "llm", "usage", "response", "cost", "costs", "total", "usd", "amount",
    ];
    let is_one_of = |word: &str, known: &[&str]| known.iter().any(|k| k.eq_ignore_ascii_case(word));
    // Nearly no key does, and cutting one into words takes longer.
    let holds_cost = |key: &str| {
        let mut windows = key.as_bytes().windows(4);
        windows.any(|window| window.eq_ignore_ascii_case(b"cost"))
    };
    (key.starts_with("gen_ai.") || key.starts_with("llm."))
        && holds_cost(key)
        && words(key).any(|word| is_one_of(word, &["cost", "costs"]))
        && words(key).all(|word| is_one_of(word, WORDS))
}

/// What a key that no table names counts, if it counts tokens of one call.
pub(super) fn slot(key: &str) -> Option<Slot> {
    if !holds_token(key) {
        return None;
    }
    let mut said = Said::default();
    for word in words(key) {
        said.hear(word)?;
    }
    said.slot()
}

/// Every key of every span is asked this. Few have its middle, a `k`.
fn holds_token(key: &str) -> bool {
    let mut windows = key.as_bytes().windows(5);
    windows.any(|window| window[2] | 0x20 == b'k' && window.eq_ignore_ascii_case(b"token"))
}

/// The model under a key that no table names: `acme.llm_model`, `modelName`.
pub(super) fn model<'a>(attributes: Attributes<'a>) -> Option<&'a str> {
    let names_model = |key: &str| {
        let mut last = ["", ""];
        words(key).for_each(|word| last = [last[1], word]);
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        is(last[1], "model")
            || (is(last[0], "model") && ["name", "id"].iter().any(|end| is(last[1], end)))
    };
    let mut named = attributes.0.iter().filter(|(key, _)| names_model(key));
    named.find_map(|(_, value)| match value {
        Value::Str(text) if !text.trim().is_empty() => Some(text.trim()),
        _ => None,
    })
}

/// The words of a key: runs of letters and digits, cut where a capital follows a small letter.
fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|part| {
            let mut rest = part;
            std::iter::from_fn(move || {
                let bytes = rest.as_bytes();
                let hump = bytes
                    .windows(2)
                    .position(|pair| !pair[0].is_ascii_uppercase() && pair[1].is_ascii_uppercase());
                let (word, after) = rest.split_at(hump.map_or(rest.len(), |at| at + 1));
                rest = after;
                (!word.is_empty()).then_some(word)
            })
        })
}

/// Bytes of the longest word that says anything.
const LONGEST_WORD: usize = 11;

/// What the words of a key say.
#[derive(Default)]
struct Said {
    input: bool,
    output: bool,
    asked: bool,
    answered: bool,
    cache: bool,
    written: bool,
    ephemeral: bool,
    one_hour: bool,
    five_minutes: bool,
    reasoning: bool,
    audio: bool,
    image: bool,
    video: bool,
    total: bool,
}

impl Said {
    /// `None` for a word that makes the key say something else than how many tokens a call used.
    fn hear(&mut self, word: &str) -> Option<()> {
        let mut small = [0; LONGEST_WORD];
        // A longer word is none of these.
        let Some(small) = small.get_mut(..word.len()) else {
            return Some(());
        };
        small.copy_from_slice(word.as_bytes());
        small.make_ascii_lowercase();
        let mark = match &*small {
            b"input" | b"inputs" | b"prompt" | b"in" => &mut self.input,
            b"output" | b"outputs" | b"completion" | b"candidates" | b"generated" | b"out" => {
                &mut self.output
            }
            b"request" => &mut self.asked,
            b"response" => &mut self.answered,
            b"cache" | b"cached" => &mut self.cache,
            b"ephemeral" => &mut self.ephemeral,
            b"write" | b"writes" | b"written" | b"creation" | b"create" | b"created" | b"store"
            | b"stored" => &mut self.written,
            b"1h" | b"1hr" => &mut self.one_hour,
            b"5m" | b"5min" => &mut self.five_minutes,
            b"reasoning" | b"thinking" | b"thoughts" | b"thought" => &mut self.reasoning,
            b"audio" => &mut self.audio,
            b"image" => &mut self.image,
            b"video" => &mut self.video,
            b"total" => &mut self.total,
            // Bounds, rates, secrets, parts of a class, and sums over several calls.
            b"max" | b"min" | b"limit" | b"budget" | b"per" | b"id" | b"rate" | b"remaining"
            | b"available" | b"type" | b"price" | b"cost" | b"usd" | b"auth" | b"access"
            | b"refresh" | b"secret" | b"api" | b"window" | b"time" | b"first" | b"ttft"
            | b"latency" | b"ms" | b"second" | b"seconds" | b"avg" | b"mean" | b"estimate"
            | b"estimated" | b"aggregated" | b"accumulated" | b"cumulative" | b"session"
            | b"turn" | b"no" | b"non" | b"uncached" | b"miss" | b"text" | b"prediction"
            | b"threshold" | b"saved" | b"details" | b"tool" | b"tools" => return None,
            _ => return Some(()),
        };
        *mark = true;
        Some(())
    }

    fn slot(&self) -> Option<Slot> {
        if self.audio || self.image || self.video {
            return self.modality();
        }
        if self.cache || self.ephemeral {
            // Anthropic's word for tokens written to the cache, by their lifetime.
            let written = self.written || self.ephemeral;
            return Some(match (written, self.one_hour, self.five_minutes) {
                (true, true, _) => Slot::CacheWrite1h,
                (true, _, true) => Slot::CacheWrite5m,
                (true, ..) => Slot::CacheWrite,
                (false, ..) => Slot::CacheRead,
            });
        }
        if self.reasoning {
            return Some(Slot::Reasoning);
        }
        match (self.input, self.output) {
            (true, false) => Some(Slot::Input),
            (false, true) => Some(Slot::Output),
            (true, true) => None,
            _ if self.total => Some(Slot::Total),
            // What a request or a response is named in says less than `input` and `output` do.
            _ => match (self.asked, self.answered) {
                (true, false) => Some(Slot::Input),
                (false, true) => Some(Slot::Output),
                _ => None,
            },
        }
    }

    /// A modality of which the key says whether it went in or out.
    fn modality(&self) -> Option<Slot> {
        if self.reasoning || self.written || self.total {
            return None;
        }
        match (self.input, self.output) {
            (true, false) if self.cache => self.audio.then_some(Slot::CacheReadAudio),
            (true, false) if self.audio => Some(Slot::AudioIn),
            (true, false) if self.image => Some(Slot::ImageIn),
            (true, false) => Some(Slot::VideoIn),
            (false, true) if self.cache => None,
            (false, true) if self.audio => Some(Slot::AudioOut),
            (false, true) if self.image => Some(Slot::ImageOut),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use costflame_pricing::Flag;
    use costflame_profile::Role;

    use super::*;
    use crate::{
        decode::Value::{Int, Str},
        dialect::testing::judge,
    };

    #[test]
    fn the_words_of_a_key_say_what_it_counts() {
        for (key, said) in [
            ("acme.tokens_in", Some(Slot::Input)),
            ("acme.tokensOut", Some(Slot::Output)),
            ("response.token_usage.prompt", Some(Slot::Input)),
            ("myLlm.promptTokenCount", Some(Slot::Input)),
            ("x.candidates_token_count", Some(Slot::Output)),
            ("x.cached_tokens", Some(Slot::CacheRead)),
            ("x.cacheWriteTokens", Some(Slot::CacheWrite)),
            ("x.thinking_tokens", Some(Slot::Reasoning)),
            ("x.tokens.total", Some(Slot::Total)),
            ("x.response_tokens", Some(Slot::Output)),
            ("gen_ai.request.max_tokens", None),
            ("x.time_to_first_token", None),
            ("x.prompt_tokens_per_second", None),
            ("x.access_token", None),
            ("x.text_input_tokens", None),
            ("x.cache_create_input_tokens", Some(Slot::CacheWrite)),
            (
                "x.cache_creation.ephemeral_1h_input_tokens",
                Some(Slot::CacheWrite1h),
            ),
            ("x.audio_input_tokens", Some(Slot::AudioIn)),
            ("x.output_tokens.audio", Some(Slot::AudioOut)),
            ("x.cached_image_tokens", None),
            ("x.audio_tokens", None),
            ("gen_ai.aggregated_usage.input_tokens", None),
            ("x.prompt_cache_miss_tokens", None),
            ("kafka.topic", None),
            ("ACME_INPUT_TOKENS", Some(Slot::Input)),
            ("x.accumulated_input_tokens", None),
            ("x.incomprehensible_input_tokens", Some(Slot::Input)),
        ] {
            assert_eq!(slot(key), said, "{key}");
        }
    }

    #[test]
    fn a_cost_in_dollars_is_told_from_its_parts_and_from_other_currencies() {
        for key in [
            "gen_ai.cost",
            "gen_ai.cost.total_usd",
            "gen_ai.usage.total_cost",
            "llm.usage.cost",
            "llm.cost.usd",
        ] {
            assert!(is_cost(key), "{key}");
        }
        for key in [
            "gen_ai.cost.input",
            "gen_ai.usage.output_cost",
            "gen_ai.cost.eur",
            "gen_ai.cost_micros",
            "llm.cost_savings",
            "shipping.cost",
            "gen_ai.usage.total_tokens",
        ] {
            assert!(!is_cost(key), "{key}");
        }
    }

    #[test]
    fn a_library_that_nobody_knows_is_read_and_flagged() {
        let attributes = [
            ("acme.llm_model", Str("gpt-4o")),
            ("acme.tokensIn", Int(100)),
            ("acme.tokensOut", Int(10)),
            ("acme.cachedTokens", Int(40)),
        ];
        let recognised = judge("acme", "ask", &attributes);
        let call = recognised.call.unwrap();
        assert_eq!(recognised.role, Role::Call);
        assert!(call.flags.contains(Flag::Generic));
        assert_eq!(
            (
                call.reported.input,
                call.reported.output,
                call.reported.cache_read
            ),
            (Some(100), Some(10), Some(40))
        );
        assert_eq!(call.request_model, Some("gpt-4o"));
    }

    #[test]
    fn what_a_table_says_is_not_guessed_at() {
        let attributes = [
            ("gen_ai.usage.input_tokens", Int(100)),
            ("gen_ai.request.model", Str("gpt-4o")),
            ("x.cached_tokens", Int(40)),
        ];
        let call = judge("lib", "chat", &attributes).call.unwrap();
        assert_eq!(call.reported.cache_read, None);
        assert!(!call.flags.contains(Flag::Generic));
        // Unless it is told in a name space of usage.
        let attributes = [
            attributes[0],
            attributes[1],
            ("gen_ai.usage.output_tokens", Int(10)),
            ("gen_ai.usage.cache_create_input_tokens", Int(20)),
            ("gen_ai.usage.input_tokens.cached_read", Int(30)),
            ("gen_ai.usage.thinking_tokens", Int(4)),
            ("gen_ai.usage.cost_usd", Value::Double(0.25)),
        ];
        let call = judge("lib", "chat", &attributes).call.unwrap();
        let said = call.reported;
        assert_eq!(
            (said.cache_read, said.cache_write, said.reasoning),
            (Some(30), Some(20), Some(4))
        );
        assert_eq!(call.reported_cost.map(|cost| cost.0), Some(250_000_000_000));
        assert!(!call.flags.contains(Flag::Generic));
        let lonely = [("x.total_tokens", Int(7)), ("x.model", Str("gpt-4o"))];
        assert_eq!(judge("lib", "index", &lonely).role, Role::Plain);
    }
}
