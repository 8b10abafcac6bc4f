//! Signed differences: what changed calls change in the rollups.

use std::collections::{BTreeMap, BTreeSet};

use costflame_profile::{PathId, Text};

use crate::{CallRow, Measures, SeriesId, SeriesRow};

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

/// Where a call counts in `dim_rollups`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DimKey {
    pub(crate) project: i32,
    pub(crate) day: i32,
    pub(crate) dimension: Text,
    pub(crate) value: Text,
    pub(crate) series: SeriesId,
}

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
    /// One key per value a call has: user, session, tool, prompt, prompt version, each tag.
    pub(crate) fn of(call: &CallRow) -> Vec<Self> {
        let found = &call.attribution;
        let version = found.prompt.as_ref().zip(found.prompt_version.as_ref());
        let version: Option<Text> =
            version.map(|(prompt, version)| format!("{prompt}@{version}").into());
        let named = [
            ("user", &found.user),
            ("session", &found.session),
            ("tool", &found.tool),
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
            day: call.start_day(),
            dimension: cut(dimension),
            value: cut(value),
            series: call.series,
        };
        named.chain(tags).map(key).collect()
    }
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
