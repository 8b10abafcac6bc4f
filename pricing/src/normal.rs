//! From what a span reported to disjoint classes: who counts what inside what, and what does not
//! fit is cut down visibly.

use crate::{Accounting, Flag, Flags, ReportedUsage, TokenClass, Usage};

/// The largest number a span may report; beyond it a double is no longer exact.
pub const MAX_TOKENS: u64 = 1 << 53;

/// Usage in normal form, and how it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    /// Disjoint classes. Input classes add up to the total input, output classes to the output.
    pub usage: Usage,
    /// The rule that decided whether the parts are inside the input.
    pub accounting: Accounting,
    /// [`Flag::Clamped`], [`Flag::ReasoningAdded`], [`Flag::BadNumber`].
    pub flags: Flags,
}

/// Makes reported usage disjoint. `None` when nothing was reported.
///
/// `hint` is what the dialect knows of the emitter: [`Accounting::Spec`] (parts are inside, unless
/// the numbers prove otherwise), [`Accounting::EmitterInclusive`],
/// [`Accounting::EmitterExclusive`], or [`Accounting::Disjoint`] (see [`ReportedUsage`]).
/// `provider` is the provider name as reported; Google leaves reasoning out of its output, of others the total tells.
///
/// A part that exceeds its whole is cut down to it and [`Flag::Clamped`] is set.
#[must_use]
pub fn normalise(
    reported: &ReportedUsage,
    hint: Accounting,
    provider: Option<&str>,
) -> Option<Normal> {
    if says_nothing(reported) {
        return None;
    }
    let mut flags = Flags::default();
    let counts = Counts::read(reported, &mut flags);
    if hint == Accounting::Disjoint {
        return Some(Normal {
            usage: counts.disjoint(reported),
            accounting: hint,
            flags,
        });
    }
    let (input, accounting) = counts.total_input(hint);
    let (output, reasoning) = counts.total_output(input, provider, &mut flags);
    let mut usage = Usage {
        counters: reported.counters,
        ..Usage::default()
    };
    split_input(&mut usage, input, &counts, &mut flags);
    split_output(&mut usage, output, reasoning, &counts, &mut flags);
    Some(Normal {
        usage,
        accounting,
        flags,
    })
}

/// A total alone does not say how it splits, so it is not usage.
fn says_nothing(reported: &ReportedUsage) -> bool {
    *reported
        == ReportedUsage {
            total: reported.total,
            ..ReportedUsage::default()
        }
}

/// The reported numbers, absent ones as zero where zero means the same.
struct Counts {
    input: u64,
    output: Option<u64>,
    total: Option<u64>,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    reasoning: u64,
    audio_in: u64,
    cache_read_audio: u64,
    image_in: u64,
    video_in: u64,
    audio_out: u64,
    image_out: u64,
}

impl Counts {
    fn read(reported: &ReportedUsage, flags: &mut Flags) -> Self {
        let mut bound = |tokens: u64| {
            if tokens > MAX_TOKENS {
                flags.insert(Flag::BadNumber);
            }
            tokens.min(MAX_TOKENS)
        };
        let mut count = |tokens: Option<u64>| bound(tokens.unwrap_or(0));
        Self {
            input: count(reported.input),
            cache_read: count(reported.cache_read),
            cache_write: count(reported.cache_write.or(reported.cache_write_1h)),
            cache_write_1h: count(reported.cache_write_1h),
            reasoning: count(reported.reasoning),
            audio_in: count(reported.audio_in),
            cache_read_audio: count(reported.cache_read_audio),
            image_in: count(reported.image_in),
            video_in: count(reported.video_in),
            audio_out: count(reported.audio_out),
            image_out: count(reported.image_out),
            output: reported.output.map(&mut bound),
            total: reported.total.map(&mut bound),
        }
    }

    fn disjoint(&self, reported: &ReportedUsage) -> Usage {
        let mut usage = Usage {
            counters: reported.counters,
            ..Usage::default()
        };
        // Without a figure of its own the five-minute write is zero, not the one-hour write.
        let cache_write = reported.cache_write.map_or(0, |_| self.cache_write);
        for (class, tokens) in [
            (TokenClass::Input, self.input),
            (TokenClass::CacheRead, self.cache_read),
            (TokenClass::CacheWrite, cache_write),
            (TokenClass::CacheWrite1h, self.cache_write_1h),
            (TokenClass::AudioIn, self.audio_in),
            (TokenClass::CacheReadAudio, self.cache_read_audio),
            (TokenClass::ImageIn, self.image_in),
            (TokenClass::VideoIn, self.video_in),
            (TokenClass::Output, self.output.unwrap_or(0)),
            (TokenClass::Reasoning, self.reasoning),
            (TokenClass::AudioOut, self.audio_out),
            (TokenClass::ImageOut, self.image_out),
        ] {
            usage.set(class, tokens);
        }
        usage
    }

    /// The input with its parts inside, and the rule that put them there.
    fn total_input(&self, hint: Accounting) -> (u64, Accounting) {
        let cached = self.cache_read + self.cache_write;
        if hint == Accounting::EmitterExclusive {
            return (self.input + cached, hint);
        }
        if cached > self.input || (hint == Accounting::Spec && self.total_proves_exclusive(cached))
        {
            return (self.input + cached, Accounting::ArithmeticExclusive);
        }
        (self.input, hint)
    }

    /// The reported total holds the cached tokens beside the input. Not proof when the same
    /// number of reasoning tokens explains it as well.
    fn total_proves_exclusive(&self, cached: u64) -> bool {
        let both = self.input + self.output.unwrap_or(0);
        cached > 0 && cached != self.reasoning && self.total == Some(both + cached)
    }

    /// Output with reasoning inside, and the reasoning.
    fn total_output(&self, input: u64, provider: Option<&str>, flags: &mut Flags) -> (u64, u64) {
        let said = self.output.unwrap_or(0);
        let missing = self.total.unwrap_or(0).saturating_sub(input + said);
        let left_out = if missing == 0 {
            0
        } else {
            self.left_out(missing, provider)
        };
        if left_out > 0 {
            flags.insert(Flag::ReasoningAdded);
            return (said + left_out, left_out);
        }
        // Parts of an output that was not said are at least that output.
        let parts = self.reasoning + self.audio_out + self.image_out;
        (self.output.unwrap_or(parts), self.reasoning)
    }

    /// How many of the tokens that are only in the total are reasoning. Google's total also holds
    /// the tokens of tool prompts, which are input: when the emitter knows the reasoning, anything
    /// else that is missing is not reasoning.
    fn left_out(&self, missing: u64, provider: Option<&str>) -> u64 {
        let unsaid = self.reasoning == 0 && provider.is_some_and(is_google);
        if unsaid || missing == self.reasoning {
            missing
        } else {
            0
        }
    }
}

fn is_google(provider: &str) -> bool {
    let provider = provider.to_ascii_lowercase();
    let names = ["google", "gemini", "vertex", "gcp."];
    names.iter().any(|name| provider.contains(name))
}

/// A whole from which parts are taken, each at most what is left.
struct Whole<'a> {
    left: u64,
    flags: &'a mut Flags,
}

impl Whole<'_> {
    fn take(&mut self, part: u64) -> u64 {
        let taken = clamp(part, self.left, self.flags);
        self.left -= taken;
        taken
    }
}

fn clamp(part: u64, most: u64, flags: &mut Flags) -> u64 {
    if part > most {
        flags.insert(Flag::Clamped);
    }
    part.min(most)
}

fn split_input(usage: &mut Usage, input: u64, counts: &Counts, flags: &mut Flags) {
    let mut whole = Whole { left: input, flags };
    let read = whole.take(counts.cache_read);
    let written = whole.take(counts.cache_write);
    let written_1h = clamp(counts.cache_write_1h, written, whole.flags);
    let read_audio = clamp(
        counts.cache_read_audio,
        read.min(counts.audio_in),
        whole.flags,
    );
    usage.set(TokenClass::CacheRead, read - read_audio);
    usage.set(TokenClass::CacheReadAudio, read_audio);
    usage.set(TokenClass::CacheWrite, written - written_1h);
    usage.set(TokenClass::CacheWrite1h, written_1h);
    usage.set(
        TokenClass::AudioIn,
        whole.take(counts.audio_in - read_audio),
    );
    usage.set(TokenClass::ImageIn, whole.take(counts.image_in));
    usage.set(TokenClass::VideoIn, whole.take(counts.video_in));
    usage.set(TokenClass::Input, whole.left);
}

fn split_output(
    usage: &mut Usage,
    output: u64,
    reasoning: u64,
    counts: &Counts,
    flags: &mut Flags,
) {
    let mut whole = Whole {
        left: output,
        flags,
    };
    usage.set(TokenClass::Reasoning, whole.take(reasoning));
    usage.set(TokenClass::AudioOut, whole.take(counts.audio_out));
    usage.set(TokenClass::ImageOut, whole.take(counts.image_out));
    usage.set(TokenClass::Output, whole.left);
}

#[cfg(test)]
mod tests;
