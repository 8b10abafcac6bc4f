//! What one model costs: a price per unit, by date, time of day, context size and processing tier.

use jiff::civil::Date;

use crate::{Counter, TokenClass, rate::Rate};

/// A priced unit of the catalog, of those that a span can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriceKey {
    Input,
    InputText,
    CacheRead,
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    InputAudio,
    CacheAudioRead,
    InputImage,
    InputVideo,
    Output,
    OutputText,
    OutputReasoning,
    OutputAudio,
    OutputImage,
    WebSearches,
    StorageSearches,
    RerankSearches,
    DocumentPages,
    AudioHours,
    InputAudioHours,
    OutputAudioHours,
    Characters,
    Requests,
}

impl PriceKey {
    /// Every key with its name in the catalog.
    const NAMES: [(Self, &'static str); 24] = [
        (Self::Input, "input_mtok"),
        (Self::InputText, "input_text_mtok"),
        (Self::CacheRead, "cache_read_mtok"),
        (Self::CacheWrite, "cache_write_mtok"),
        (Self::CacheWrite5m, "cache_write_5m_mtok"),
        (Self::CacheWrite1h, "cache_write_1h_mtok"),
        (Self::InputAudio, "input_audio_mtok"),
        (Self::CacheAudioRead, "cache_audio_read_mtok"),
        (Self::InputImage, "input_image_mtok"),
        (Self::InputVideo, "input_video_mtok"),
        (Self::Output, "output_mtok"),
        (Self::OutputText, "output_text_mtok"),
        (Self::OutputReasoning, "output_reasoning_mtok"),
        (Self::OutputAudio, "output_audio_mtok"),
        (Self::OutputImage, "output_image_mtok"),
        (Self::WebSearches, "web_searches_kcount"),
        (Self::StorageSearches, "storage_searches_kcount"),
        (Self::RerankSearches, "rerank_searches_kcount"),
        (Self::DocumentPages, "input_document_kpages"),
        (Self::AudioHours, "audio_hours"),
        (Self::InputAudioHours, "input_audio_hours"),
        (Self::OutputAudioHours, "output_audio_hours"),
        (Self::Characters, "input_mchars"),
        (Self::Requests, "requests_kcount"),
    ];

    /// The key of a name in the catalog; `None` for units that spans do not report.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(_, own)| *own == name);
        named.map(|(key, _)| *key)
    }

    /// Its name in the catalog.
    pub(crate) fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(key, _)| *key == self);
        named.map_or("", |(_, name)| name)
    }

    /// Units that the price buys.
    pub(crate) const fn per(self) -> u32 {
        match self {
            Self::WebSearches
            | Self::StorageSearches
            | Self::RerankSearches
            | Self::DocumentPages
            | Self::Requests => 1_000,
            Self::AudioHours | Self::InputAudioHours | Self::OutputAudioHours => 3_600,
            _ => 1_000_000,
        }
    }
}

/// The keys that may price a token class, the most specific first: a class without its own price
/// takes the price of what it is part of.
pub(crate) const fn token_keys(class: TokenClass) -> &'static [PriceKey] {
    use PriceKey as K;
    match class {
        TokenClass::Input => &[K::InputText, K::Input],
        TokenClass::CacheRead => &[K::CacheRead, K::Input],
        TokenClass::CacheWrite => &[K::CacheWrite5m, K::CacheWrite, K::Input],
        TokenClass::CacheWrite1h => &[K::CacheWrite1h, K::CacheWrite, K::Input],
        TokenClass::AudioIn => &[K::InputAudio, K::Input],
        TokenClass::CacheReadAudio => &[K::CacheAudioRead, K::CacheRead, K::InputAudio, K::Input],
        TokenClass::ImageIn => &[K::InputImage, K::Input],
        TokenClass::VideoIn => &[K::InputVideo, K::Input],
        TokenClass::Output => &[K::OutputText, K::Output],
        TokenClass::Reasoning => &[K::OutputReasoning, K::Output],
        TokenClass::AudioOut => &[K::OutputAudio, K::Output],
        TokenClass::ImageOut => &[K::OutputImage, K::Output],
    }
}

/// The keys that may price a counter.
pub(crate) const fn counter_keys(counter: Counter) -> &'static [PriceKey] {
    use PriceKey as K;
    match counter {
        Counter::WebSearches => &[K::WebSearches],
        Counter::StorageSearches => &[K::StorageSearches],
        Counter::SearchUnits => &[K::RerankSearches],
        Counter::Pages => &[K::DocumentPages],
        Counter::AudioSeconds => &[K::AudioHours, K::InputAudioHours, K::OutputAudioHours],
        Counter::Characters => &[K::Characters],
    }
}

/// A price, and the prices above thresholds of the total input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) base: Rate,
    /// By rising threshold.
    pub(crate) tiers: Box<[Tier]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tier {
    /// The tier holds for a total input of more tokens than this.
    pub(crate) above: u64,
    pub(crate) rate: Rate,
}

impl Price {
    pub(crate) fn flat(rate: Rate) -> Self {
        Self {
            base: rate,
            tiers: Box::default(),
        }
    }

    /// The rate for all tokens of a request with this total input, and the threshold it is above.
    pub(crate) fn at(&self, total_input: u64) -> (Rate, Option<u64>) {
        let tier = self
            .tiers
            .iter()
            .rev()
            .find(|tier| total_input > tier.above);
        tier.map_or((self.base, None), |tier| (tier.rate, Some(tier.above)))
    }
}

/// Prices by key. Few per model, so a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prices {
    pub(crate) by_key: Vec<(PriceKey, Price)>,
    /// The catalog lists no price at all, not even for units unknown here.
    pub(crate) empty: bool,
}

impl Prices {
    pub(crate) fn get(&self, key: PriceKey) -> Option<&Price> {
        self.by_key
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, price)| price)
    }
}

/// When a price holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constraint {
    /// From midnight UTC of this day.
    From(Day),
    /// Every day from one time UTC to before another, over midnight if `until` is the smaller.
    Daily(Window),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    pub(crate) date: Date,
    /// Midnight UTC in microseconds since 1970.
    pub(crate) start_us: i64,
}

/// Microseconds since midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
}

pub(crate) const DAY_US: i64 = 86_400_000_000;

impl Constraint {
    fn holds(&self, at_us: i64) -> bool {
        match self {
            Self::From(day) => at_us >= day.start_us,
            Self::Daily(window) => window.contains(at_us),
        }
    }

    pub(crate) const fn day(&self) -> Option<Day> {
        match self {
            Self::From(day) => Some(*day),
            Self::Daily(_) => None,
        }
    }
}

impl Window {
    pub(crate) fn contains(&self, at_us: i64) -> bool {
        let time = at_us.rem_euclid(DAY_US);
        let (after, before) = (time >= self.from_us, time < self.until_us);
        if self.until_us < self.from_us {
            after || before
        } else {
            after && before
        }
    }
}

/// `01:00-04:00 UTC`.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clock = |us: i64| (us / 3_600_000_000, us / 60_000_000 % 60);
        let ((from_hour, from_minute), (hour, minute)) =
            (clock(self.from_us), clock(self.until_us));
        write!(
            f,
            "{from_hour:02}:{from_minute:02}-{hour:02}:{minute:02} UTC"
        )
    }
}

/// Prices that hold under a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheduled {
    pub(crate) constraint: Option<Constraint>,
    pub(crate) prices: Prices,
}

/// Prices that hold for requests of one kind, such as `service_tier=flex`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) when: Vec<(Box<str>, Box<str>)>,
    pub(crate) constraint: Option<Constraint>,
    pub(crate) prices: Prices,
}

impl Variant {
    /// True when the variant is in force and the request is of its kind.
    pub(crate) fn applies(&self, at_us: i64, context: &Context<'_>) -> bool {
        self.constraint
            .is_none_or(|constraint| constraint.holds(at_us))
            && context.fulfils(&self.when)
    }
}

/// The kind of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a>(pub(crate) [(&'static str, Option<&'a str>); 3]);

impl Context<'_> {
    /// True when the request has every value that is asked for.
    pub(crate) fn fulfils(&self, when: &[(Box<str>, Box<str>)]) -> bool {
        let value = |wanted: &str| {
            self.0
                .iter()
                .find(|(key, _)| *key == wanted)
                .and_then(|(_, value)| *value)
        };
        when.iter()
            .all(|(key, wanted)| value(key).is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
    }
}

/// The prices of one model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tariff {
    /// Never empty; the last one in force holds.
    pub(crate) schedule: Vec<Scheduled>,
    pub(crate) variants: Vec<Variant>,
}

impl Tariff {
    /// The standard prices in force: the last whose constraint holds, else the first.
    pub(crate) fn standard(&self, at_us: i64) -> Option<&Scheduled> {
        let in_force = |entry: &&Scheduled| {
            entry
                .constraint
                .is_none_or(|constraint| constraint.holds(at_us))
        };
        self.schedule
            .iter()
            .rev()
            .find(in_force)
            .or(self.schedule.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_begins_above_its_threshold() {
        let rate = |text: &str| Rate::parse(text).unwrap();
        let tier = |above, price| Tier {
            above,
            rate: rate(price),
        };
        let price = Price {
            base: rate("1"),
            tiers: Box::new([tier(100, "2"), tier(200, "3")]),
        };
        assert_eq!(price.at(0), (rate("1"), None));
        assert_eq!(price.at(100), (rate("1"), None));
        assert_eq!(price.at(101), (rate("2"), Some(100)));
        assert_eq!(price.at(200), (rate("2"), Some(100)));
        assert_eq!(price.at(201), (rate("3"), Some(200)));
    }

    #[test]
    fn windows_wrap_over_midnight() {
        let hour = 3_600_000_000;
        let day = Window {
            from_us: hour,
            until_us: 4 * hour,
        };
        assert!(
            !day.contains(hour - 1)
                && day.contains(hour)
                && day.contains(4 * hour - 1)
                && !day.contains(4 * hour)
        );
        assert!(day.contains(20_000 * DAY_US + hour) && day.contains(-DAY_US + hour));
        let night = Window {
            from_us: 22 * hour,
            until_us: 2 * hour,
        };
        assert!(night.contains(23 * hour) && night.contains(0) && !night.contains(2 * hour));
        assert_eq!(night.to_string(), "22:00-02:00 UTC");
    }
}
