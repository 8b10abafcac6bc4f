//! Totals of a range.

use costflame_pricing::UsdSum;

use super::{
    ask::{Ask, By},
    breakdown::counted,
    facts::{facts, push_calls},
    filter::{Clause, Filter, OneOf},
    snapshot::Snapshot,
    status::{Pending, pending},
    sums::Sums,
};
use crate::StoreError;

/// Totals of a range.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// With amounts by class.
    pub sums: Sums,
    /// Traces with a counted call.
    pub traces: u64,
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
    let traces = if sums.calls == 0 {
        0
    } else {
        traces(snapshot, filter).await?
    };
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

/// Traces with a counted call. Rollups cannot tell: a trace has calls in many of their rows.
pub(crate) async fn traces(snapshot: &mut Snapshot, filter: &Filter) -> Result<u64, StoreError> {
    let mut sql = snapshot.sql("SELECT COUNT(*) FROM (SELECT DISTINCT f.lane, f.trace_id");
    push_calls(&mut sql, &counted(filter), Ask::by(By::Nothing));
    sql.push(") t");
    Ok(snapshot
        .first(sql, |row| row.count(0))
        .await?
        .unwrap_or_default())
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
