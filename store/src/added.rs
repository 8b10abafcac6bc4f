//! What a settling adds to the rollups: the rows of every tier and table, each key once.
//!
//! Most settlings only add. Whoever may write the rollups alone at that moment adds it to them at once and spares the
//! detour over differences, each of which would be written, read and deleted.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Measures,
    delta::{Deltas, DimKey, DimTable, PathKey, TIERS, TraceBucket},
    measures::SUMS,
};

/// A project, a UTC day and a dimension.
pub(crate) type DimDay = (i32, i32, String);

/// Rows to be added to the rollup tables.
pub(crate) struct Added {
    /// Of `rollups`, by tier.
    pub(crate) paths: BTreeMap<(i32, PathKey), Measures>,
    /// Of the tables by dimension; `dim_paths` comes after `dim_totals`, which tell how many values a day has.
    pub(crate) dims: [(DimTable, BTreeMap<DimKey, Measures>); 4],
    /// Of `trace_rollups`, by tier.
    pub(crate) traces: BTreeMap<(i32, TraceBucket), i64>,
    /// Days and dimensions held by path.
    pub(crate) days: BTreeSet<DimDay>,
}

/// True for a difference after which its row is there whatever it was: adding it never leaves a row to be deleted.
fn only_adds(measures: &Measures) -> bool {
    let [calls, _, _, excluded] = measures.counts;
    calls >= 0 && excluded >= 0 && calls + excluded > 0
}

impl Added {
    /// Takes out of some differences what only adds; the others are left to be folded.
    pub(crate) fn take(deltas: &mut Deltas) -> Self {
        let mut paths: BTreeMap<_, Measures> = BTreeMap::new();
        deltas.paths.retain(|key, measures| {
            let now = only_adds(measures);
            for tier in TIERS.into_iter().filter(|_| now) {
                let row = paths.entry((tier, key.in_tier(tier))).or_default();
                row.add(measures);
            }
            !now
        });
        let mut dims = DimTable::ALL.map(|table| (table, BTreeMap::<DimKey, Measures>::new()));
        let mut days = BTreeSet::new();
        deltas.dims.retain(|key, measures| {
            let now = only_adds(measures);
            if !now {
                return true;
            }
            for (table, rows) in &mut dims {
                if table.holds(&key.dimension) {
                    rows.entry(key.within(*table)).or_default().add(measures);
                }
            }
            if DimTable::Paths.holds(&key.dimension) {
                days.insert(key.on_day());
            }
            false
        });
        let mut traces = BTreeMap::new();
        for ((project, start_us), change) in std::mem::take(&mut deltas.traces) {
            for tier in TIERS {
                let width = i64::from(tier) * 1_000_000;
                let bucket = (project, start_us.div_euclid(width) * width);
                *traces.entry((tier, bucket)).or_default() += change;
            }
        }
        traces.retain(|_, change| *change != 0);
        Self {
            paths,
            dims,
            traces,
            days,
        }
    }
}

/// Places in [`SUMS`] that are not zero in all rows.
pub(crate) fn used_sums<'a>(rows: impl Iterator<Item = &'a Measures>) -> Vec<usize> {
    let mut used = [false; SUMS.len()];
    for row in rows {
        for (used, sum) in used.iter_mut().zip(row.sums) {
            *used |= sum != 0;
        }
    }
    (0..SUMS.len()).filter(|place| used[*place]).collect()
}
