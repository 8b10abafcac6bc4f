//! Sums by model with amounts by class, and how many traces they are of.

use std::collections::BTreeMap;

use super::{
    ask::{Ask, By},
    count::{TraceCount, count_traces},
    facts::facts,
    filter::{Column, Filter},
    snapshot::Snapshot,
    sums::Sums,
};
use crate::StoreError;

/// The calls of a filter by model.
#[derive(Clone, Debug, Default)]
pub struct ByModel {
    /// With amounts by class; `None` = the calls name no model.
    pub models: BTreeMap<Option<String>, Sums>,
    /// Traces with a counted call.
    pub traces: TraceCount,
}

/// The counted calls of a filter by model.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_model(snapshot: &mut Snapshot, filter: &Filter) -> Result<ByModel, StoreError> {
    let ask = Ask {
        amounts: true,
        ..Ask::by(By::Column(&Column::Model))
    };
    let groups = facts(snapshot, filter, ask).await?;
    let counted = groups.into_iter().filter(|(_, sums)| sums.calls > 0);
    let models: BTreeMap<_, _> = counted
        .map(|((_, value), sums)| (value.as_text().map(str::to_owned), sums))
        .collect();
    let calls = models.values().map(|sums| sums.calls).sum();
    let traces = count_traces(snapshot, filter, calls).await?;
    Ok(ByModel { models, traces })
}
