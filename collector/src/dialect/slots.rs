//! One pass over the attributes of a span sorts what matters into slots, whatever its spelling.
//!
//! Every dialect contributes a table of keys. Of several spellings of one thing the first in the order of the tables
//! wins, so that two aliases of one number are never added.

use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64;

use super::{DIALECTS, attribution, frame, guess, sampling};
use crate::decode::{Attributes, Value, value::Count};

/// What an attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Slot {
    /// Input tokens, total or uncached.
    Input,
    /// Output tokens.
    Output,
    /// Total tokens.
    Total,
    /// Cached input tokens.
    CacheRead,
    /// Input tokens written to the cache, all times to live.
    CacheWrite,
    /// Those of them that live one hour.
    CacheWrite1h,
    /// Those of them that live five minutes.
    CacheWrite5m,
    /// Reasoning tokens.
    Reasoning,
    /// Audio input tokens.
    AudioIn,
    /// Cached audio input tokens.
    CacheReadAudio,
    /// Image input tokens.
    ImageIn,
    /// Video input tokens.
    VideoIn,
    /// Audio output tokens.
    AudioOut,
    /// Image output tokens.
    ImageOut,
    /// Web searches by the provider's own tool.
    WebSearches,
    /// Rerank search units.
    SearchUnits,

    /// Operation: `chat`, `embeddings`, …
    Operation,
    /// Provider, current spelling.
    Provider,
    /// Provider, older spelling; often a framework instead.
    System,
    /// Provider, read where the two above name a framework.
    ProviderHint,
    /// Model asked for.
    RequestModel,
    /// Model that served.
    ResponseModel,
    /// A model, not said which of the two.
    Model,
    /// The provider's id of the response.
    ResponseId,
    /// Host or URL of the provider's endpoint.
    ServerAddress,
    /// Service tier that served.
    ResponseTier,
    /// Service tier asked for.
    RequestTier,
    /// `batch`.
    Processing,
    /// `fast`.
    Speed,
    /// Cost in USD as computed by the emitter.
    ReportedCost,
    /// The provider's usage object as JSON or Python text.
    UsageObject,
    /// The response as JSON text; only ids and numbers are taken from it.
    Response,
    /// Free metadata as JSON text.
    Metadata,

    /// The library's own kind of the span.
    LibraryKind,
    /// Name of the thing a library's span stands for.
    EntityName,
    /// Workflow name.
    Workflow,

    /// `http.route`.
    HttpRoute,
    /// HTTP method.
    HttpMethod,
    /// RPC service.
    RpcService,
    /// RPC method.
    RpcMethod,
    /// Message destination template or name.
    Destination,

    /// `service.name`.
    Service,
    /// `service.instance.id`.
    Instance,
    /// `host.name`.
    Host,
    /// `process.pid`.
    Pid,
    /// Deployment environment.
    Environment,
    /// Feature.
    Feature,
    /// User.
    User,
    /// Session or conversation.
    Session,
    /// Agent name.
    Agent,
    /// Tool name.
    Tool,
    /// Prompt name.
    Prompt,
    /// Prompt version.
    PromptVersion,
    /// An array of tags.
    Tags,
    /// Steps above the span, see [`super::above`].
    Above,

    /// How many spans this one stands for.
    AdjustedCount,
    /// Share of spans that were kept, above 0 and at most 1.
    SamplingRatio,
    /// The same in percent.
    SamplingPercentage,
    /// The same as a rejection threshold.
    SamplingThreshold,
    /// Type of the sampler.
    SamplerType,
    /// What the sampler was set to; depends on the type.
    SamplerParam,

    /// Nothing to keep; the key tells the dialect.
    Telltale,
}

impl Slot {
    const COUNT: usize = Self::Telltale as usize + 1;

    /// True for slots that hold a count.
    const fn is_count(self) -> bool {
        (self as u8) <= Self::SearchUnits as u8
    }
}

/// The rank of an empty slot, and those of a value under a key that no table names: its words alone say what it counts,
/// or its name space, too.
const NO_RANK: u16 = u16::MAX;
const GUESSED: u16 = u16::MAX - 1;
const OF_USAGE: u16 = u16::MAX - 2;

/// A key of a dialect's table and what it says.
pub type Key = (&'static str, Slot);

/// A span's or resource's attributes, sorted.
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a> {
    attributes: Attributes<'a>,
    /// Which attribute each slot holds, where its rank says that it holds one.
    places: [u16; Slot::COUNT],
    ranks: [u16; Slot::COUNT],
    /// Bit i: a telltale key of dialect i was seen.
    pub(super) telltales: u32,
    /// A key of some dialect's table was seen.
    pub(super) genai: bool,
    /// A key with one of the prefixes of [`attribution`] was seen.
    pub(super) tagged: bool,
    /// What went in or out was read from keys that no table names.
    pub(super) guessed: bool,
    /// A count was negative, fractional, too large or no number at all.
    pub(super) bad_number: bool,
}

impl<'a> Slots<'a> {
    /// Sorts attributes into slots. Does not allocate.
    #[must_use]
    pub fn read(attributes: Attributes<'a>) -> Self {
        let mut slots = Self {
            attributes,
            places: [0; Slot::COUNT],
            ranks: [NO_RANK; Slot::COUNT],
            telltales: 0,
            genai: false,
            tagged: false,
            guessed: false,
            bad_number: false,
        };
        for ((key, value), place) in attributes.0.iter().zip(0..=u16::MAX) {
            match KEYS.get(key) {
                Some(entry) => slots.fill(entry, place, *value),
                None => {
                    slots.tagged |= attribution::has_prefix(key);
                    slots.guess(key, place, *value);
                }
            }
        }
        slots.weigh_guesses();
        slots
    }

    /// Keeps what a key seems to count until it is known whether a table says better.
    fn guess(&mut self, key: &str, place: u16, value: Value<'a>) {
        let Some(slot) = guess::slot(key) else {
            if guess::is_cost(key) && self.ranks[Slot::ReportedCost as usize] == NO_RANK {
                self.keep(Slot::ReportedCost, OF_USAGE, place);
            }
            return;
        };
        let rank = if guess::is_of_usage(key) {
            OF_USAGE
        } else {
            GUESSED
        };
        if rank < self.ranks[slot as usize] && value.as_u64_count().number().is_some() {
            self.keep(slot, rank, place);
            self.guessed = true;
        }
    }

    fn keep(&mut self, slot: Slot, rank: u16, place: u16) {
        (self.ranks[slot as usize], self.places[slot as usize]) = (rank, place);
    }

    /// Where a table says what went in or out, only its parts are guessed, in the name spaces of usage; else what is
    /// guessed must be that.
    fn weigh_guesses(&mut self) {
        if !self.guessed {
            return;
        }
        let rank = |slot: Slot| self.ranks[slot as usize];
        let sides = [rank(Slot::Input), rank(Slot::Output)];
        self.guessed =
            sides.iter().all(|rank| *rank >= OF_USAGE) && sides.iter().any(|rank| *rank != NO_RANK);
        if self.guessed {
            self.genai = true;
            return;
        }
        for rank in &mut self.ranks {
            if *rank == GUESSED {
                *rank = NO_RANK;
            }
        }
    }

    fn fill(&mut self, entry: &Entry, place: u16, value: Value<'a>) {
        self.telltales |= entry.telltales;
        self.genai |= entry.genai;
        if entry.rank >= self.ranks[entry.slot as usize] {
            return;
        }
        let absent = if entry.slot.is_count() {
            let count = value.as_u64_count();
            self.bad_number |= count == Count::Bad;
            count.number().is_none()
        } else {
            matches!(value, Value::Empty | Value::Str(""))
        };
        if absent {
            return;
        }
        self.keep(entry.slot, entry.rank, place);
    }

    /// The value in a slot.
    #[must_use]
    pub fn value(&self, slot: Slot) -> Option<Value<'a>> {
        if self.ranks[slot as usize] == NO_RANK {
            return None;
        }
        let (_, value) = self.attributes.0[usize::from(self.places[slot as usize])];
        Some(value)
    }

    /// The count in a slot.
    #[must_use]
    pub fn count(&self, slot: Slot) -> Option<u64> {
        self.value(slot)?.as_u64_count().number()
    }

    /// The text in a slot, without the quotes some libraries put around it by encoding every value as JSON.
    #[must_use]
    pub fn text(&self, slot: Slot) -> Option<&'a str> {
        let value = self.value(slot)?;
        let text = value.as_text()?;
        let bare = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text)
            .trim();
        (!bare.is_empty() && bare != "null" && bare != "None").then_some(bare)
    }
}

/// True when some table names a key.
pub(super) fn is_known(key: &str) -> bool {
    KEYS.get(key).is_some()
}

/// What is known of one key.
struct Entry {
    key: &'static str,
    slot: Slot,
    rank: u16,
    telltales: u32,
    genai: bool,
}

/// All keys of all tables, found by hash. Open addressing, at most half full.
struct KeyTable {
    entries: Vec<Entry>,
    places: Vec<u16>,
}

static KEYS: LazyLock<KeyTable> = LazyLock::new(KeyTable::build);

const FREE: u16 = u16::MAX;

impl KeyTable {
    fn build() -> Self {
        let mut table = Self {
            entries: Vec::new(),
            places: vec![FREE; 4096],
        };
        for (index, dialect) in DIALECTS.iter().enumerate() {
            for key in dialect.keys {
                // Requests of every kind name the server they go to.
                table.insert(*key, 0, key.1 != Slot::ServerAddress);
            }
            for key in dialect.telltales {
                table.insert((key, Slot::Telltale), 1 << index, true);
            }
        }
        let others = [attribution::KEYS, frame::KEYS, sampling::KEYS];
        for key in others.into_iter().flatten() {
            table.insert(*key, 0, false);
        }
        table
    }

    /// The first table that names a key says what it means; telltales of all tables add up.
    fn insert(&mut self, (key, slot): Key, telltales: u32, genai: bool) {
        let rank =
            u16::try_from(self.entries.len()).expect("fewer keys than 65,536 are compiled in");
        let place = self.place(key);
        if self.places[place] == FREE {
            self.places[place] = rank;
            self.entries.push(Entry {
                key,
                slot,
                rank,
                telltales,
                genai,
            });
            return;
        }
        let known = &mut self.entries[usize::from(self.places[place])];
        known.telltales |= telltales;
        known.genai |= genai;
        if known.slot == Slot::Telltale {
            (known.slot, known.rank) = (slot, rank);
        }
    }

    /// Where a key is, or the free place where it would be.
    fn place(&self, key: &str) -> usize {
        let mask = self.places.len() - 1;
        // The low bits of the hash are as good as any.
        let mut place = (xxh3_64(key.as_bytes()) & 0xffff_ffff) as usize & mask;
        while self.places[place] != FREE && self.entries[usize::from(self.places[place])].key != key
        {
            place = (place + 1) & mask;
        }
        place
    }

    fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(usize::from(self.places[self.place(key)]))
    }
}
