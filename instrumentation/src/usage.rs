use opentelemetry::KeyValue;

use crate::{conventions::Conventions, names};

/// Token usage of one call, counted as the conventions count.
///
/// `input` holds **all** input tokens, those read from and written to a cache included; `output` holds all output
/// tokens, reasoning included. What a provider reports otherwise (Anthropic and Bedrock report only what was not
/// cached) goes through [`Usage::disjoint`]. A count that is not known stays unset and is not written.
///
/// ```
/// use costflame_instrumentation::Usage;
/// // Anthropic: 20 fresh tokens, 1000 read from the cache, none written, 300 out.
/// let usage = Usage::disjoint(20, 1000, 0, 300);
/// assert_eq!(usage.input, Some(1020));
/// assert_eq!(usage.cache_read, Some(1000));
/// // OpenAI: 1020 in, of which 1000 cached; 300 out, of which 120 reasoning.
/// let usage = Usage::new(1020, 300).cache_read(1000).reasoning(120);
/// assert_eq!(usage.output, Some(300));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// All input tokens.
    pub input: Option<u64>,
    /// All output tokens.
    pub output: Option<u64>,
    /// Input tokens read from a provider's cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to a provider's cache.
    pub cache_write: Option<u64>,
    /// Of [`cache_write`](Self::cache_write), those written for an hour (Anthropic).
    pub cache_write_1h: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<u64>,
    /// Text tokens of the input, where the provider counts by modality.
    pub text_input: Option<u64>,
    /// Text tokens of the output, where the provider counts by modality.
    pub text_output: Option<u64>,
    /// Audio tokens of the input.
    pub audio_input: Option<u64>,
    /// Audio tokens of the output.
    pub audio_output: Option<u64>,
    /// Audio tokens read from a cache.
    pub audio_cache_read: Option<u64>,
    /// Image tokens of the input.
    pub image_input: Option<u64>,
    /// Image tokens of the output.
    pub image_output: Option<u64>,
}

impl Usage {
    /// Usage of a call whose `input` includes cached tokens and whose `output` includes reasoning.
    pub fn new(input: u64, output: u64) -> Self {
        Self {
            input: Some(input),
            output: Some(output),
            ..Self::default()
        }
    }

    /// Usage of an embeddings or rerank call, which has no output.
    pub fn of_input(input: u64) -> Self {
        Self {
            input: Some(input),
            ..Self::default()
        }
    }

    /// Usage from parts that exclude each other: fresh input, cache reads, cache writes, output.
    pub fn disjoint(fresh: u64, cache_read: u64, cache_write: u64, output: u64) -> Self {
        Self::new(
            fresh.saturating_add(cache_read).saturating_add(cache_write),
            output,
        )
        .cache_read(cache_read)
        .cache_write(cache_write)
    }

    /// Sets the tokens read from a cache.
    pub fn cache_read(mut self, tokens: u64) -> Self {
        self.cache_read = Some(tokens);
        self
    }

    /// Sets the tokens written to a cache.
    pub fn cache_write(mut self, tokens: u64) -> Self {
        self.cache_write = Some(tokens);
        self
    }

    /// Sets the tokens spent on reasoning.
    pub fn reasoning(mut self, tokens: u64) -> Self {
        self.reasoning = Some(tokens);
        self
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn write(&self, conventions: Conventions, attributes: &mut Vec<KeyValue>) {
        let mut put = |key, tokens: Option<u64>| {
            if let Some(tokens) = tokens {
                attributes.push(KeyValue::new(key, whole(tokens)));
            }
        };
        put(names::USAGE_INPUT, self.input);
        put(names::USAGE_OUTPUT, self.output);
        put(names::USAGE_CACHE_READ, self.cache_read);
        if conventions.latest() {
            put(names::USAGE_CACHE_WRITE, self.cache_write);
        }
        if conventions.older() {
            put(names::USAGE_CACHE_CREATION, self.cache_write);
        }
        put(names::USAGE_CACHE_WRITE_1H, self.cache_write_1h);
        put(names::USAGE_REASONING, self.reasoning);
        put(names::USAGE_TEXT_INPUT, self.text_input);
        put(names::USAGE_TEXT_OUTPUT, self.text_output);
        put(names::USAGE_AUDIO_INPUT, self.audio_input);
        put(names::USAGE_AUDIO_OUTPUT, self.audio_output);
        put(names::USAGE_AUDIO_CACHE_READ, self.audio_cache_read);
        put(names::USAGE_IMAGE_INPUT, self.image_input);
        put(names::USAGE_IMAGE_OUTPUT, self.image_output);
    }
}

/// A count as attributes carry it.
pub(crate) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
