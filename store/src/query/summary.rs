//! Totals of a range.

use costflame_pricing::UsdSum;

use super::{
    ask::{Ask, By},
    breakdown::counted,
    count::{TraceCount, count_traces},
    facts::{facts, push_calls},
    filter::{Clause, Filter, OneOf},
    snapshot::Snapshot,
    status::{Pending, pending},
    sums::Sums,
};
use crate::StoreError;

/// Totals of a range.
#[derive(Clone, Debug)]
pub struct Summary {
    /// With amounts by class.
    pub sums: Sums,
    /// Traces with a counted call.
    pub traces: TraceCount,
    /// Cost of the counted calls that ended with an error.
    pub errors_cost: UsdSum,
    /// What has landed and is not settled yet, whatever the filters.
    pub pending: Pending,
}

/// Totals over the calls of a filter.
///
/// # Errors
/// When the database cannot be read.
pub async fn summary(snapshot: &mut Snapshot, filter: &Filter) -> Result<Summary, StoreError> {
    let ask = Ask {
        amounts: true,
        ..Ask::by(By::Nothing)
    };
    let sums: Sums = facts(snapshot, filter, ask)
        .await?
        .into_values()
        .next()
        .unwrap_or_default();
    let traces = count_traces(snapshot, filter, sums.calls).await?;
    let errors_cost = if sums.errors == 0 {
        UsdSum::default()
    } else {
        errors_cost(snapshot, filter).await?
    };
    Ok(Summary {
        sums,
        traces,
        errors_cost,
        pending: pending(snapshot, filter.project).await?,
    })
}

/// Rollups do not keep the cost of errors apart.
async fn errors_cost(snapshot: &mut Snapshot, filter: &Filter) -> Result<UsdSum, StoreError> {
    let mut failed = counted(filter);
    failed.clauses.push(Clause::Failed(OneOf {
        any: vec![true],
        none: Vec::new(),
    }));
    let mut sql = snapshot.sql("SELECT ");
    sql.push(&sql.dialect.sum("f.cost"));
    push_calls(&mut sql, &failed, Ask::by(By::Nothing));
    Ok(UsdSum(
        snapshot
            .first(sql, |row| row.sum(0))
            .await?
            .unwrap_or_default(),
    ))
}
