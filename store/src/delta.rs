//! Signed differences: what changed calls change in the rollups.

use std::collections::{BTreeMap, BTreeSet};

use costflame_profile::{PathId, Text};

use crate::{CallRow, DAY_US, Measures, SeriesId, SeriesRow, TraceRow, day_of};

/// Microseconds of the finest bucket.
pub(crate) const QUARTER_US: i64 = 900_000_000;

/// Seconds of the buckets of every tier: a quarter, an hour, six hours, a UTC day, eight of them.
pub const TIERS: [i32; 5] = [900, 3600, 21_600, 86_400, LONGEST_TIER];

/// Seconds of the longest buckets; they begin on UTC days that are multiples of eight since 1970.
pub(crate) const LONGEST_TIER: i32 = 691_200;

/// The first days of the longest buckets that some days of projects belong to.
pub(crate) fn first_days(days: &[(i32, i32)]) -> BTreeSet<(i32, i32)> {
    const DAYS: i32 = LONGEST_TIER / 86_400;
    days.iter()
        .map(|(project, day)| (*project, day.div_euclid(DAYS) * DAYS))
        .collect()
}

/// Where a call counts in `rollups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PathKey {
    pub(crate) project: i32,
    pub(crate) bucket_us: i64,
    pub(crate) path: PathId,
    pub(crate) series: SeriesId,
}

/// Where a call counts among the values of a dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DimKey {
    pub(crate) project: i32,
    pub(crate) hour_us: i64,
    pub(crate) dimension: Text,
    pub(crate) value: Text,
    pub(crate) path: PathId,
    pub(crate) series: SeriesId,
}

/// The tables that hold sums by the values of dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DimTable {
    /// `dim_rollups`: by day and series.
    Series,
    /// `dim_paths`: by day, path and series.
    Paths,
    /// `dim_totals`: by a bucket of so many seconds alone.
    Totals(i32),
}

impl DimTable {
    /// Every table and tier.
    pub(crate) const ALL: [Self; 4] = [
        Self::Series,
        Self::Totals(DIM_TIERS[0]),
        Self::Totals(DIM_TIERS[1]),
        Self::Paths,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Series => "dim_rollups",
            Self::Paths => "dim_paths",
            Self::Totals(_) => "dim_totals",
        }
    }

    /// True when the table holds a dimension. Sessions and versions of prompts are too many to be held by path, and
    /// their few calls are found by index.
    pub(crate) fn holds(self, dimension: &str) -> bool {
        self == Self::Series || !matches!(dimension, "session" | "prompt_version")
    }
}

/// The same in SQL.
pub(crate) const HELD_BY_PATH: &str = "dimension NOT IN ('session', 'prompt_version')";

/// Seconds of the buckets of `dim_totals`: an hour, a UTC day.
pub(crate) const DIM_TIERS: [i32; 2] = [3600, 86_400];

/// Values of one dimension on one day that `dim_paths` keeps; of a day with more it keeps none.
pub(crate) const MOST_VALUES: i64 = 10_000;

/// Name in `meta`: from this UTC day on every collector wrote `dim_paths`, `dim_totals`, `trace_rollups` and
/// `sampled_calls`; earlier days are answered without them. Not there = always.
pub(crate) const VALUES_SINCE_DAY: &str = "values_since_day";

/// Name in `meta`: from this UTC day on every collector wrote estimates of sampled calls and folded them; earlier days may
/// have less. Not there = always.
pub(crate) const ESTIMATES_SINCE_DAY: &str = "estimates_since_day";

/// What this version writes, as noted in `settlers`.
pub(crate) const WRITES: i32 = 2;

/// Names in `meta`, and which of [`WRITES`] a collector must write for what they name to be complete.
pub(crate) const COMPLETE_SINCE: [(&str, i32); 2] =
    [(VALUES_SINCE_DAY, 1), (ESTIMATES_SINCE_DAY, 2)];

/// Lanes whose calls are in `sampled_calls`: those below this one.
pub(crate) const SAMPLED_LANES: i16 = 2;

const HOUR_US: i64 = 3_600_000_000;

/// An id where a table has none.
const NO_ID: [u8; 16] = [0; 16];

impl PathKey {
    /// The finest bucket of a call.
    pub(crate) fn of(call: &CallRow) -> Self {
        Self {
            project: call.key.trace.project,
            bucket_us: call.start_us.div_euclid(QUARTER_US) * QUARTER_US,
            path: call.path,
            series: call.series,
        }
    }

    /// The bucket of a coarser tier.
    pub(crate) fn in_tier(self, tier: i32) -> Self {
        let width = i64::from(tier) * 1_000_000;
        Self {
            bucket_us: self.bucket_us.div_euclid(width) * width,
            ..self
        }
    }
}

impl DimKey {
    /// The UTC day, in days since 1970.
    pub(crate) fn day(&self) -> i32 {
        day_of(self.hour_us)
    }

    /// The day of the dimension it belongs to.
    pub(crate) fn on_day(&self) -> (i32, i32, String) {
        (self.project, self.day(), self.dimension.to_string())
    }

    /// Where it counts in a table.
    pub(crate) fn within(&self, table: DimTable) -> Self {
        let bucket_us = match table {
            DimTable::Series | DimTable::Paths => DAY_US,
            DimTable::Totals(seconds) => i64::from(seconds) * 1_000_000,
        };
        let mut key = self.clone();
        key.hour_us = key.hour_us.div_euclid(bucket_us) * bucket_us;
        if table != DimTable::Paths {
            key.path = PathId(NO_ID);
        }
        if matches!(table, DimTable::Totals(_)) {
            key.series = SeriesId(NO_ID);
        }
        key
    }

    /// One key per value a call has: user, session, prompt, prompt version, each tag. A tool is part of the path.
    pub(crate) fn of(call: &CallRow) -> Vec<Self> {
        let found = &call.attribution;
        let version = found.prompt.as_ref().zip(found.prompt_version.as_ref());
        let version: Option<Text> =
            version.map(|(prompt, version)| format!("{prompt}@{version}").into());
        let named = [
            ("user", &found.user),
            ("session", &found.session),
            ("prompt", &found.prompt),
            ("prompt_version", &version),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, value)| Some((Text::from(name), value.clone()?)));
        let tags = found
            .tags
            .iter()
            .map(|(key, value)| (format!("tag.{key}").into(), value.clone()));
        let key = |(dimension, value): (Text, Text)| Self {
            project: call.key.trace.project,
            hour_us: call.start_us.div_euclid(HOUR_US) * HOUR_US,
            dimension: cut(dimension),
            value: cut(value),
            path: call.path,
            series: call.series,
        };
        let without_path = |key: Self| match DimTable::Paths.holds(&key.dimension) {
            true => key,
            false => Self {
                path: PathId(NO_ID),
                ..key
            },
        };
        named.chain(tags).map(key).map(without_path).collect()
    }
}

/// A project and a bucket of starts of traces.
pub(crate) type TraceBucket = (i32, i64);

/// Where a trace is counted.
pub(crate) fn trace_bucket(project: i32, start_us: i64) -> TraceBucket {
    (project, start_us.div_euclid(QUARTER_US) * QUARTER_US)
}

/// By how much the number of traces with a counted call changes when one has `after` of them, `change` more than before.
pub(crate) fn counted_more(after: i64, change: i64) -> i64 {
    i64::from(after > 0) - i64::from(after - change > 0)
}

/// Longest dimension or value in bytes: a key of Postgres has to fit a third of a page.
const LONGEST: usize = 1000;

fn cut(text: Text) -> Text {
    if text.len() <= LONGEST {
        text
    } else {
        text[..text.floor_char_boundary(LONGEST)].into()
    }
}

/// Differences added up by where they apply.
#[derive(Default)]
pub(crate) struct Deltas {
    pub(crate) paths: BTreeMap<PathKey, Measures>,
    pub(crate) dims: BTreeMap<DimKey, Measures>,
    /// Traces with a counted call, by project and the finest bucket of their start.
    pub(crate) traces: BTreeMap<(i32, i64), i64>,
    series: BTreeMap<SeriesId, SeriesRow>,
}

impl Deltas {
    /// A call that is new.
    pub(crate) fn add(&mut self, call: &CallRow) {
        self.combine(call, Measures::add);
    }

    /// A call that is gone.
    pub(crate) fn subtract(&mut self, call: &CallRow) {
        self.combine(call, Measures::subtract);
    }

    /// A trace that is as described (`sign` 1) or was (-1).
    pub(crate) fn count(&mut self, trace: &TraceRow, sign: i64) {
        if trace.totals.calls > 0 {
            let bucket = trace_bucket(trace.key.project, trace.start_us);
            *self.traces.entry(bucket).or_default() += sign;
        }
    }

    /// The same by series.
    pub(crate) fn by_series(&self) -> Vec<(SeriesRow, Measures)> {
        let mut sums: BTreeMap<SeriesId, Measures> = BTreeMap::new();
        for (key, measures) in &self.paths {
            sums.entry(key.series).or_default().add(measures);
        }
        let named = |(id, sum): (SeriesId, Measures)| {
            let row = self.series.get(&id)?.clone();
            (!sum.is_zero()).then_some((row, sum))
        };
        sums.into_iter().filter_map(named).collect()
    }

    /// Drops what came to nothing.
    pub(crate) fn settle(&mut self) {
        self.paths.retain(|_, measures| !measures.is_zero());
        self.dims.retain(|_, measures| !measures.is_zero());
        self.traces.retain(|_, traces| *traces != 0);
    }

    fn combine(&mut self, call: &CallRow, how: impl Fn(&mut Measures, &Measures)) {
        let measures = Measures::of(call);
        self.series
            .entry(call.series)
            .or_insert_with(|| SeriesRow::of(call));
        how(self.paths.entry(PathKey::of(call)).or_default(), &measures);
        for key in DimKey::of(call) {
            how(self.dims.entry(key).or_default(), &measures);
        }
    }
}
