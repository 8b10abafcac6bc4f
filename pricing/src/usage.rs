//! Token usage of one call: what a span reported, and the disjoint classes that are priced.

use serde::{Deserialize, Serialize};

use crate::receipt::Unit;

/// One disjoint class of billed tokens. A token is in exactly one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum TokenClass {
    /// Uncached text input.
    Input = 0,
    /// Input served from the provider's cache.
    CacheRead = 1,
    /// Input written to the provider's cache, five minutes or unknown time to live.
    CacheWrite = 2,
    /// Input written to the provider's cache for one hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h = 3,
    /// Uncached audio input.
    AudioIn = 4,
    /// Audio input served from the cache.
    CacheReadAudio = 5,
    /// Image (and document) input.
    ImageIn = 6,
    /// Video input.
    VideoIn = 7,
    /// Visible text output.
    Output = 8,
    /// Output spent on reasoning.
    Reasoning = 9,
    /// Audio output.
    AudioOut = 10,
    /// Image output.
    ImageOut = 11,
}

impl TokenClass {
    /// Every class, in the order of receipts and of [`Usage::tokens`].
    pub const ALL: [Self; 12] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::AudioIn,
        Self::CacheReadAudio,
        Self::ImageIn,
        Self::VideoIn,
        Self::Output,
        Self::Reasoning,
        Self::AudioOut,
        Self::ImageOut,
    ];

    /// The name used in the API, in exports and in columns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioIn => "audio_in",
            Self::CacheReadAudio => "cache_read_audio",
            Self::ImageIn => "image_in",
            Self::VideoIn => "video_in",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOut => "audio_out",
            Self::ImageOut => "image_out",
        }
    }

    /// True for the classes that add up to the total input.
    #[must_use]
    pub const fn is_input(self) -> bool {
        (self as u8) < (Self::Output as u8)
    }
}

/// Billed units that are not tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Counter {
    /// Web searches by the provider's own tool.
    WebSearches = 0,
    /// Searches in the provider's file storage.
    StorageSearches = 1,
    /// Rerank search units (Cohere).
    SearchUnits = 2,
    /// Document pages.
    Pages = 3,
    /// Seconds of audio.
    AudioSeconds = 4,
    /// Characters (text to speech).
    Characters = 5,
}

impl Counter {
    /// Every counter, in the order of [`Usage::counters`].
    pub const ALL: [Self; 6] = [
        Self::WebSearches,
        Self::StorageSearches,
        Self::SearchUnits,
        Self::Pages,
        Self::AudioSeconds,
        Self::Characters,
    ];

    /// The name used in the API and in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSearches => "web_searches",
            Self::StorageSearches => "storage_searches",
            Self::SearchUnits => "search_units",
            Self::Pages => "pages",
            Self::AudioSeconds => "audio_seconds",
            Self::Characters => "characters",
        }
    }
}

/// Usage in normal form: disjoint token classes and other billed units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens by [`TokenClass`], each at most 2⁵³ as far as reported.
    pub tokens: [u64; TokenClass::ALL.len()],
    /// Other units by [`Counter`].
    pub counters: [u64; Counter::ALL.len()],
}

impl Usage {
    /// Tokens of one class.
    #[must_use]
    pub const fn get(&self, class: TokenClass) -> u64 {
        self.tokens[class as usize]
    }

    /// Sets the tokens of one class.
    pub const fn set(&mut self, class: TokenClass, tokens: u64) {
        self.tokens[class as usize] = tokens;
    }

    /// Units of one counter.
    #[must_use]
    pub const fn count(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Total input: the sum of all input classes.
    #[must_use]
    pub fn total_input(&self) -> u64 {
        self.sum(TokenClass::is_input)
    }

    /// Total output: the sum of all output classes.
    #[must_use]
    pub fn total_output(&self) -> u64 {
        self.sum(|class| !class.is_input())
    }

    /// All tokens.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tokens.iter().sum()
    }

    /// True when nothing was used.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.tokens.iter().chain(&self.counters).all(|n| *n == 0)
    }

    /// What was used: classes of tokens, then other units.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        let tokens = TokenClass::ALL
            .into_iter()
            .filter(|class| self.get(*class) > 0)
            .map(Unit::Tokens);
        let counters = Counter::ALL
            .into_iter()
            .filter(|counter| self.count(*counter) > 0)
            .map(Unit::Counter);
        tokens.chain(counters)
    }

    /// Class by class sum with another usage; saturates.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.tokens.iter_mut().zip(other.tokens) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.counters.iter_mut().zip(other.counters) {
            *mine = mine.saturating_add(theirs);
        }
        self
    }

    fn sum(&self, wanted: impl Fn(TokenClass) -> bool) -> u64 {
        TokenClass::ALL
            .into_iter()
            .filter(|class| wanted(*class))
            .map(|class| self.get(class))
            .sum()
    }
}

/// What a span said about usage, before the classes are made disjoint. `None` = not said.
///
/// Parts (`cache_read`, `reasoning`, …) are counted inside `input` and `output` when
/// [`crate::Accounting`] says inclusive, beside them when it says exclusive. With
/// [`crate::Accounting::Disjoint`] every field is a class of its own: `cache_write` is without
/// `cache_write_1h`, `cache_read` and `audio_in` are without `cache_read_audio`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportedUsage {
    /// Total or uncached input tokens.
    pub input: Option<u64>,
    /// Output tokens.
    pub output: Option<u64>,
    /// Total tokens as reported.
    pub total: Option<u64>,
    /// Cached input tokens, all modalities.
    pub cache_read: Option<u64>,
    /// Input tokens written to the cache, all times to live.
    pub cache_write: Option<u64>,
    /// Part of `cache_write` that lives one hour.
    pub cache_write_1h: Option<u64>,
    /// Reasoning tokens.
    pub reasoning: Option<u64>,
    /// Audio input tokens, cached ones included.
    pub audio_in: Option<u64>,
    /// Cached audio input tokens, part of `cache_read` and of `audio_in`.
    pub cache_read_audio: Option<u64>,
    /// Image input tokens.
    pub image_in: Option<u64>,
    /// Video input tokens.
    pub video_in: Option<u64>,
    /// Audio output tokens.
    pub audio_out: Option<u64>,
    /// Image output tokens.
    pub image_out: Option<u64>,
    /// Billed units that are not tokens.
    pub counters: [u64; Counter::ALL.len()],
}
