//! What repricing and deleting changed in the sums, for the counters of a running server.
//!
//! Counters live in the server, and these changes are made by other programs. They write them down in the transaction that makes
//! them; one server takes each away and counts it.

use costflame_pricing::TokenClass;
use costflame_profile::Text;
use serde::{Deserialize, Serialize};

use crate::{
    Measures, SeriesRow, StoreError,
    measures::{COST, TOKENS},
    packed,
    session::Session,
    store::{Backend, Store, dispatch},
};

/// Corrections taken at once.
pub(crate) const MOST: i64 = 1000;

/// The change of one series, as far as it is counted.
#[derive(Serialize, Deserialize)]
struct Correction {
    series: [Option<Text>; 7],
    calls: i64,
    cost: i128,
    /// By [`TokenClass`].
    tokens: Vec<i128>,
}

impl Correction {
    fn of((series, measures): &(SeriesRow, Measures)) -> Self {
        Self {
            series: series.values.clone(),
            calls: measures.calls(),
            cost: measures.cost(),
            tokens: TokenClass::ALL.map(|class| measures.tokens(class)).to_vec(),
        }
    }

    fn change(self) -> (SeriesRow, Measures) {
        let mut measures = Measures::default();
        measures.counts[0] = self.calls;
        measures.sums[COST] = self.cost;
        for (sum, tokens) in measures.sums[TOKENS..].iter_mut().zip(self.tokens) {
            *sum = tokens;
        }
        let values = self.series;
        (SeriesRow { values }, measures)
    }
}

/// Writes changes down in the transaction that makes them.
pub(crate) async fn note<S: Session>(
    session: &mut S,
    changes: &[(SeriesRow, Measures)],
) -> Result<(), StoreError> {
    let is_counted = |change: &Correction| {
        change.calls != 0 || change.cost != 0 || change.tokens.iter().any(|tokens| *tokens != 0)
    };
    let corrections: Vec<_> = changes
        .iter()
        .map(Correction::of)
        .filter(is_counted)
        .collect();
    if corrections.is_empty() {
        return Ok(());
    }
    let body = packed::bytes(|out| packed::write_corrections(&corrections, out));
    session.note_corrections(&body).await
}

impl Store {
    /// Takes away what other programs than this one changed in the sums, each change once among all that ask.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn take_corrections(&self) -> Result<Vec<(SeriesRow, Measures)>, StoreError> {
        let mut changes = Vec::new();
        for body in dispatch!(self, take_corrections())? {
            let corrections: Vec<Correction> = packed::read_corrections(&body)?;
            changes.extend(corrections.into_iter().map(Correction::change));
        }
        Ok(changes)
    }
}
