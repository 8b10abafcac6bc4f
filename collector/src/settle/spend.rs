//! Cost, tokens and calls as counters that only grow, for Prometheus and for OTLP.
//!
//! What settling adds is counted in one counter, what it takes back (a duplicate was found, a late span changed who counts)
//! in another: added minus taken back is what the API sums up. Sums are exact here and rounded to a double where
//! they are shown. Counted is what this process has settled since it started.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use costflame_pricing::{TokenClass, UsdSum};
use costflame_store::{Measures, SeriesRow};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabel as _, EncodeLabelSet, LabelSetEncoder, NoLabelSet},
    metrics::MetricType,
};

/// Combinations of labels that are kept apart; all others are counted together.
const MAX_SERIES: usize = 2000;
/// Longest value of a label, in bytes.
const MAX_LABEL: usize = 120;
/// Label of what is counted together.
const OTHER: &str = "(other)";
/// The labels, in the order of [`SeriesRow::values`].
pub(crate) const LABELS: [&str; 5] = ["provider", "model", "service", "environment", "feature"];

/// Values of [`LABELS`]; absent ones are empty.
pub(crate) type Labels = [String; LABELS.len()];

/// The counters; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Spend {
    series: Arc<Mutex<BTreeMap<Labels, Totals>>>,
}

/// What has been added and taken back under one combination of labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) added: Amounts,
    pub(crate) taken: Amounts,
}

/// Sums that only grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amounts {
    /// Pico-dollars.
    pub(crate) cost: i128,
    /// The same with what samplers left out.
    pub(crate) estimated_cost: i128,
    pub(crate) calls: u64,
    /// By [`TokenClass`].
    pub(crate) tokens: [u64; TokenClass::ALL.len()],
}

impl Spend {
    /// Counts what a settling changed.
    pub(crate) fn count(&self, changes: &[(SeriesRow, Measures)]) {
        // Cost that moves from one span to another below the same labels is no correction.
        let mut by_labels: BTreeMap<Labels, Measures> = BTreeMap::new();
        for (row, change) in changes {
            by_labels.entry(labels(row)).or_default().add(change);
        }
        let mut series = self.lock();
        for (labels, change) in &by_labels {
            let is_known = series.contains_key(labels) || series.len() < MAX_SERIES;
            let labels = match is_known {
                true => labels.clone(),
                false => [OTHER; LABELS.len()].map(str::to_owned),
            };
            series.entry(labels).or_default().count(change);
        }
    }

    /// Everything counted so far.
    pub(crate) fn read(&self) -> BTreeMap<Labels, Totals> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Labels, Totals>> {
        // Sums are whole after every line that changes them.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    fn count(&mut self, change: &Measures) {
        match change.cost() {
            cost if cost < 0 => self.taken.cost -= cost,
            cost => self.added.cost += cost,
        }
        match change.estimated_cost() {
            cost if cost < 0 => self.taken.estimated_cost -= cost,
            cost => self.added.estimated_cost += cost,
        }
        match change.calls() {
            calls if calls < 0 => self.taken.calls += calls.unsigned_abs(),
            calls => self.added.calls += calls.unsigned_abs(),
        }
        for class in TokenClass::ALL {
            let tokens = change.tokens(class);
            let amount = u64::try_from(tokens.unsigned_abs()).unwrap_or(u64::MAX);
            let side = if tokens < 0 {
                &mut self.taken
            } else {
                &mut self.added
            };
            let sum = &mut side.tokens[class as usize];
            *sum = sum.saturating_add(amount);
        }
    }
}

fn labels(row: &SeriesRow) -> Labels {
    std::array::from_fn(|place| {
        let value = row.values[place].as_deref().unwrap_or_default();
        value[..value.floor_char_boundary(MAX_LABEL)].to_owned()
    })
}

/// The double nearest to an exact sum of dollars.
pub(crate) fn dollars(pico: i128) -> f64 {
    UsdSum(pico).to_string().parse().expect("a decimal number")
}

/// One line of the exposition: the labels, and for tokens the class.
struct Line<'a> {
    labels: &'a Labels,
    class: Option<TokenClass>,
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.labels).finish()
    }
}

impl EncodeLabelSet for Line<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, value) in LABELS.iter().zip(self.labels) {
            (*name, value.as_str()).encode(encoder.encode_label())?;
        }
        match self.class {
            Some(class) => ("class", class.name()).encode(encoder.encode_label()),
            None => Ok(()),
        }
    }
}

impl Collector for Spend {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let series = self.read();
        type Side = fn(&Totals) -> &Amounts;
        type Cost = fn(&Totals) -> i128;
        let costs: [(&str, &str, Cost); 4] = [
            (
                "cost_usd",
                "Cost of settled calls that count, as it was added",
                |totals| totals.added.cost,
            ),
            (
                "cost_corrections_usd",
                "Cost that was taken back",
                |totals| totals.taken.cost,
            ),
            (
                "cost_estimated_usd",
                "Cost as it was added, each call as often as its sampler says",
                |totals| totals.added.estimated_cost,
            ),
            (
                "cost_estimated_corrections_usd",
                "The same that was taken back",
                |totals| totals.taken.estimated_cost,
            ),
        ];
        let added: Side = |totals| &totals.added;
        let taken: Side = |totals| &totals.taken;
        for (name, help, cost) in costs {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, totals) in &series {
                let line = Line {
                    labels,
                    class: None,
                };
                let value = dollars(cost(totals));
                family
                    .encode_family(&line)?
                    .encode_counter::<NoLabelSet, f64, f64>(&value, None)?;
            }
        }
        for (name, help, side) in [
            (
                "calls_counted",
                "Settled calls that count, as they were added",
                added,
            ),
            ("calls_corrections", "Calls that were taken back", taken),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, totals) in &series {
                let line = Line {
                    labels,
                    class: None,
                };
                let value = side(totals).calls;
                family
                    .encode_family(&line)?
                    .encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
            }
        }
        for (name, help, side) in [
            (
                "tokens",
                "Tokens of settled calls that count, by disjoint class, as they were added",
                added,
            ),
            ("tokens_corrections", "Tokens that were taken back", taken),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, totals) in &series {
                for class in TokenClass::ALL {
                    let value = side(totals).tokens[class as usize];
                    if value == 0 {
                        continue;
                    }
                    let line = Line {
                        labels,
                        class: Some(class),
                    };
                    family
                        .encode_family(&line)?
                        .encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
                }
            }
        }
        Ok(())
    }
}
