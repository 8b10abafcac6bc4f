//! Self sums by call path.

use costflame_profile::PathRow;

use super::{
    ask::{Ask, By, Value},
    breakdown::path_ids,
    count::{TraceCount, count_traces},
    facts::facts,
    filter::Filter,
    paths::Paths,
    snapshot::Snapshot,
    sums::Sums,
};
use crate::StoreError;

/// Self sums of every path with a call, and everything above them.
#[derive(Clone, Debug, Default)]
pub struct PathSums {
    /// Parents first; what has no call of its own has empty sums.
    pub paths: Vec<(PathRow, Sums)>,
    /// Traces with a counted call.
    pub traces: TraceCount,
}

/// Self sums by call path, with amounts by class.
///
/// # Errors
/// When the database cannot be read.
pub async fn path_sums(snapshot: &mut Snapshot, filter: &Filter) -> Result<PathSums, StoreError> {
    let ask = Ask {
        amounts: true,
        ..Ask::by(By::Path)
    };
    let mut sums = facts(snapshot, filter, ask).await?;
    sums.retain(|_, sums| sums.calls > 0);
    let calls = sums.values().map(|sums| sums.calls).sum();
    if sums.is_empty() {
        return Ok(PathSums::default());
    }
    let paths = Paths::read(
        snapshot,
        filter.project,
        path_ids(sums.keys().map(|(_, value)| value)),
    )
    .await?;
    let mut with_sums = |path: &PathRow| {
        let own = sums.remove(&(0, Value::Path(path.id))).unwrap_or_default();
        (path.clone(), own)
    };
    let paths = paths
        .parents_first()
        .into_iter()
        .map(&mut with_sums)
        .collect();
    let traces = count_traces(snapshot, filter, calls).await?;
    Ok(PathSums { paths, traces })
}
