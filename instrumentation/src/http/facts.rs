//! What was found in a request or a response.

use crate::Usage;

/// What a path of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    // Of a response.
    Id,
    Model,
    Finish,
    /// Where a response of OpenAI's newer interface stands.
    Status,
    Tier,
    Fingerprint,
    ErrorCode,
    ErrorType,
    ErrorStatus,
    /// The type of an event in a stream.
    Event,
    /// A document in base64 within the document.
    Embedded,
    // Counts.
    Input,
    Output,
    Total,
    CacheRead,
    CacheWrite,
    CacheWrite1h,
    Reasoning,
    /// Tokens of tool results, which Gemini counts beside the prompt.
    ToolInput,
    /// Tokens of one of several inputs: to be added up.
    InputPart,
    /// What is billed, where a provider tells it apart from what was consumed.
    BilledInput,
    BilledOutput,
    TextIn,
    TextOut,
    AudioIn,
    AudioOut,
    AudioCacheRead,
    ImageIn,
    ImageOut,
    /// Gemini lists pairs of a modality and its tokens.
    InputModality,
    InputModalityTokens,
    OutputModality,
    OutputModalityTokens,
    CacheModality,
    CacheModalityTokens,
    // Of a request.
    Stream,
    StreamOptions,
    MaxTokens,
    Temperature,
    TopP,
    TopK,
    Seed,
    Choices,
    Stop,
    FrequencyPenalty,
    PresencePenalty,
    ReasoningLevel,
    OutputType,
    PreviousResponse,
    Conversation,
    Dimensions,
    EncodingFormat,
    TopN,
}

impl Slot {
    /// Several values are kept.
    fn is_list(self) -> bool {
        matches!(self, Self::Finish | Self::Stop | Self::EncodingFormat)
    }

    /// Of several values the first stays; of any other slot the last.
    fn keeps_first(self) -> bool {
        matches!(
            self,
            Self::Id | Self::Model | Self::ErrorCode | Self::ErrorType | Self::ErrorStatus
        )
    }

    /// Its place in a set: there are fewer than 64.
    fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// Most values of a list.
const MAX_LIST: usize = 64;

/// Values by slot.
#[derive(Debug)]
pub(super) struct Facts {
    /// The slots that were filled, so that most questions need no search.
    known: u64,
    found: Vec<(Slot, Fact)>,
}

#[derive(Debug)]
enum Fact {
    Text(String),
    Number(f64),
    Count(u64),
    Flag(bool),
}

/// How a provider's counts relate to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accounting {
    /// Input includes cached tokens, output includes reasoning.
    Inclusive,
    /// Input is only what no cache had.
    Exclusive,
    /// Input includes cached tokens; output and reasoning exclude each other, tool results stand beside the prompt.
    Gemini,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            known: 0,
            // As many as most requests and responses tell.
            found: Vec::with_capacity(16),
        }
    }
}

impl Facts {
    /// Forgets all; the memory stays.
    pub(super) fn clear(&mut self) {
        self.known = 0;
        self.found.clear();
    }

    pub(super) fn text(&mut self, slot: Slot, text: &str) {
        if text.is_empty() {
            return;
        }
        if slot.keeps_first() && self.get(slot).is_some() {
            return;
        }
        self.put(slot, Fact::Text(text.to_owned()));
    }

    pub(super) fn flag(&mut self, slot: Slot, flag: bool) {
        self.put(slot, Fact::Flag(flag));
    }

    /// Takes a number as text; whether it is one.
    pub(super) fn number(&mut self, slot: Slot, number: &str) -> bool {
        if let Ok(count) = number.parse::<u64>() {
            self.count_of(slot, count);
            return true;
        }
        // Some send counts as floats.
        match number.parse::<f64>() {
            Ok(float) if float.is_finite() => self.put(slot, Fact::Number(float)),
            Ok(_) => {}
            Err(_) => return false,
        }
        true
    }

    fn count_of(&mut self, slot: Slot, count: u64) {
        let modality = |facts: &Self, slot| facts.get_text(slot).map(str::to_ascii_uppercase);
        let slot = match slot {
            Slot::InputPart => {
                let sum = self.count(Slot::InputPart).unwrap_or(0);
                return self.put(slot, Fact::Count(sum.saturating_add(count)));
            }
            Slot::InputModalityTokens => match modality(self, Slot::InputModality).as_deref() {
                Some("TEXT") => Slot::TextIn,
                Some("AUDIO") => Slot::AudioIn,
                Some("IMAGE") => Slot::ImageIn,
                _ => return,
            },
            Slot::OutputModalityTokens => match modality(self, Slot::OutputModality).as_deref() {
                Some("TEXT") => Slot::TextOut,
                Some("AUDIO") => Slot::AudioOut,
                Some("IMAGE") => Slot::ImageOut,
                _ => return,
            },
            Slot::CacheModalityTokens => match modality(self, Slot::CacheModality).as_deref() {
                Some("AUDIO") => Slot::AudioCacheRead,
                _ => return,
            },
            other => other,
        };
        self.put(slot, Fact::Count(count));
    }

    fn put(&mut self, slot: Slot, fact: Fact) {
        if slot.is_list() && self.texts(slot).count() == MAX_LIST {
            return;
        }
        let is_new = slot.is_list() || self.known & slot.bit() == 0;
        self.known |= slot.bit();
        let mut found = self.found.iter_mut();
        match found.find(|(known, _)| !is_new && *known == slot) {
            Some((_, known)) => *known = fact,
            None => self.found.push((slot, fact)),
        }
    }

    fn get(&self, slot: Slot) -> Option<&Fact> {
        if self.known & slot.bit() == 0 {
            return None;
        }
        let found = self.found.iter().find(|(known, _)| *known == slot);
        found.map(|(_, fact)| fact)
    }

    pub(super) fn get_text(&self, slot: Slot) -> Option<&str> {
        match self.get(slot)? {
            Fact::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn take_text(&mut self, slot: Slot) -> Option<String> {
        self.get_text(slot)?;
        let at = self.found.iter().position(|(known, _)| *known == slot)?;
        match self.found.remove(at).1 {
            Fact::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list.
    pub(super) fn take_texts(&mut self, slot: Slot) -> impl Iterator<Item = String> {
        std::iter::from_fn(move || self.take_text(slot))
    }

    pub(super) fn texts(&self, slot: Slot) -> impl Iterator<Item = &str> {
        self.found
            .iter()
            .filter_map(move |(known, fact)| match fact {
                Fact::Text(text) if *known == slot => Some(text.as_str()),
                _ => None,
            })
    }

    pub(super) fn is_set(&self, slot: Slot) -> bool {
        matches!(self.get(slot), Some(Fact::Flag(true)))
    }

    pub(super) fn is_known(&self, slot: Slot) -> bool {
        self.get(slot).is_some()
    }

    /// A whole count; one written as a float, or as a text, counts too.
    pub(super) fn count(&self, slot: Slot) -> Option<u64> {
        match self.get(slot)? {
            Fact::Count(count) => Some(*count),
            Fact::Number(float) if *float >= 0.0 => Some(float.round() as u64),
            Fact::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn float(&self, slot: Slot) -> Option<f64> {
        match self.get(slot)? {
            Fact::Count(count) => Some(*count as f64),
            Fact::Number(float) => Some(*float),
            _ => None,
        }
    }

    pub(super) fn signed(&self, slot: Slot) -> Option<i64> {
        match self.get(slot)? {
            Fact::Count(count) => i64::try_from(*count).ok(),
            Fact::Number(float) if float.fract() == 0.0 => Some(*float as i64),
            _ => None,
        }
    }

    /// Usage as the conventions count it.
    pub(super) fn usage(&self, accounting: Accounting) -> Usage {
        let mut usage = Usage {
            input: self
                .count(Slot::BilledInput)
                .or_else(|| self.count(Slot::Input))
                .or_else(|| self.count(Slot::InputPart)),
            output: self
                .count(Slot::BilledOutput)
                .or_else(|| self.count(Slot::Output)),
            cache_read: self.count(Slot::CacheRead),
            cache_write: self.count(Slot::CacheWrite),
            cache_write_1h: self.count(Slot::CacheWrite1h),
            reasoning: self.count(Slot::Reasoning),
            text_input: self.count(Slot::TextIn),
            text_output: self.count(Slot::TextOut),
            audio_input: self.count(Slot::AudioIn),
            audio_output: self.count(Slot::AudioOut),
            audio_cache_read: self.count(Slot::AudioCacheRead),
            image_input: self.count(Slot::ImageIn),
            image_output: self.count(Slot::ImageOut),
        };

        match accounting {
            Accounting::Inclusive if self.reasoning_stands_apart() => {
                usage.output = sum(usage.output, usage.reasoning);
            }
            Accounting::Inclusive => {}
            Accounting::Exclusive => {
                usage.input = usage.input.map(|input| {
                    input
                        .saturating_add(usage.cache_read.unwrap_or(0))
                        .saturating_add(usage.cache_write.unwrap_or(0))
                });
            }
            Accounting::Gemini => {
                usage.input = sum(usage.input, self.count(Slot::ToolInput));
                // An answer of thoughts alone has no count of candidates.
                usage.output = sum(usage.output, usage.reasoning);
            }
        }
        usage
    }

    /// xAI's completion tokens are without reasoning, though it speaks OpenAI's format; the total tells.
    fn reasoning_stands_apart(&self) -> bool {
        let parts = (
            self.count(Slot::Input),
            self.count(Slot::Output),
            self.count(Slot::Reasoning),
            self.count(Slot::Total),
        );
        match parts {
            (Some(input), Some(output), Some(reasoning), Some(total)) if reasoning > 0 => {
                input.saturating_add(output).saturating_add(reasoning) == total
            }
            _ => false,
        }
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    }
}
