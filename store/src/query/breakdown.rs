//! Sums by the values of one dimension, largest cost first.

use std::collections::HashMap;

use super::{
    ask::{Ask, By, Group, Value},
    facts::facts,
    filter::{Clause, Column, Dimension, Filter, OneOf},
    paths::Paths,
    ranking::{rank, sort},
    snapshot::Snapshot,
    sums::Sums,
};
use crate::StoreError;

/// Values of a dimension by their cost.
#[derive(Clone, Debug, Default)]
pub struct Breakdown {
    /// All calls of the question.
    pub total: Sums,
    /// The dearest values: by cost, then calls, then value.
    pub rows: Vec<(Value, Sums)>,
    /// The values beyond the limit: how many, and their sums.
    pub rest: Option<(u64, Sums)>,
    /// The paths of `rows`, if they are paths.
    pub paths: Paths,
}

/// The values of a dimension among counted calls, at most `limit` of them one by one.
///
/// Values of the series and paths are few, so all of them are read and ranked here. Users, sessions,
/// prompts and tags may be many: the database ranks them.
///
/// # Errors
/// When the database cannot be read.
pub async fn breakdown(
    snapshot: &mut Snapshot,
    filter: &Filter,
    dimension: &Dimension,
    limit: usize,
) -> Result<Breakdown, StoreError> {
    match dimension {
        Dimension::Column(column) if !column.in_series() => {
            ranked_by_database(snapshot, filter, column, limit).await
        }
        Dimension::Column(column) => {
            let groups = facts(snapshot, filter, Ask::by(By::Column(column))).await?;
            Ok(ranked(
                groups.into_iter().map(|((_, value), sums)| (value, sums)),
                limit,
            ))
        }
        Dimension::Path => {
            let groups = facts(snapshot, filter, Ask::by(By::Path)).await?;
            let mut answer = ranked(
                groups.into_iter().map(|((_, value), sums)| (value, sums)),
                limit,
            );
            answer.paths = Paths::read(
                snapshot,
                filter.project,
                path_ids(answer.rows.iter().map(|row| &row.0)),
            )
            .await?;
            Ok(answer)
        }
        Dimension::Tool => {
            let groups = facts(snapshot, filter, Ask::by(By::Path)).await?;
            let tools = by_tool(snapshot, filter.project, groups).await?;
            Ok(ranked(
                tools.into_iter().map(|((_, value), sums)| (value, sums)),
                limit,
            ))
        }
    }
}

/// The paths among values.
pub(crate) fn path_ids<'a>(
    values: impl Iterator<Item = &'a Value>,
) -> Vec<costflame_profile::PathId> {
    values
        .filter_map(|value| match value {
            Value::Path(id) => Some(*id),
            _ => None,
        })
        .collect()
}

/// Groups of paths as groups of their nearest tools.
pub(crate) async fn by_tool(
    snapshot: &mut Snapshot,
    project: i32,
    groups: HashMap<Group, Sums>,
) -> Result<HashMap<Group, Sums>, StoreError> {
    let paths = Paths::read(
        snapshot,
        project,
        path_ids(groups.keys().map(|(_, value)| value)),
    )
    .await?;
    let mut tools = HashMap::new();
    for ((bucket, value), sums) in groups {
        let Value::Path(path) = value else { continue };
        let tool = paths
            .tool(path)
            .map_or(Value::Absent, |label| Value::Text(label.to_owned()));
        *tools.entry((bucket, tool)).or_default() += &sums;
    }
    Ok(tools)
}

fn ranked(groups: impl Iterator<Item = (Value, Sums)>, limit: usize) -> Breakdown {
    let mut total = Sums::default();
    let mut rows: Vec<(Value, Sums)> = groups
        .inspect(|(_, sums)| total += sums)
        .filter(|(_, sums)| sums.calls > 0)
        .collect();
    sort(&mut rows);
    let values = rows.len() as u64;
    rows.truncate(limit);
    with_rest(total, rows, values)
}

async fn ranked_by_database(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
    limit: usize,
) -> Result<Breakdown, StoreError> {
    let total = facts(snapshot, filter, Ask::by(By::Nothing))
        .await?
        .into_values()
        .next();
    let total = total.unwrap_or_default();
    let ranking = rank(snapshot, filter, column, limit, &total).await?;
    Ok(with_rest(total, ranking.top, ranking.values))
}

/// What the rows leave of the total is the rest.
fn with_rest(total: Sums, rows: Vec<(Value, Sums)>, values: u64) -> Breakdown {
    let more = values.saturating_sub(rows.len() as u64);
    let rest = (more > 0).then(|| {
        (
            more,
            rows.iter().fold(total, |left, (_, sums)| left.less(sums)),
        )
    });
    Breakdown {
        total,
        rows,
        rest,
        paths: Paths::default(),
    }
}

/// The counted calls among those of a filter.
pub(crate) fn counted(filter: &Filter) -> Filter {
    let mut counted = filter.clone();
    counted.clauses.push(Clause::Counted(OneOf {
        any: vec![true],
        none: Vec::new(),
    }));
    counted
}
