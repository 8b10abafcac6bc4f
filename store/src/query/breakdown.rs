//! Sums by the values of one dimension, largest cost first.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    clauses::push_column,
    facts::{Ask, By, Value, facts, push_calls},
    filter::{Clause, Column, Dimension, Filter, OneOf},
    paths::Paths,
    snapshot::Snapshot,
    sums::{Sums, call_sums, read_call_sums},
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
    groups: HashMap<super::facts::Group, Sums>,
) -> Result<HashMap<super::facts::Group, Sums>, StoreError> {
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
    rows.sort_unstable_by(|(a, a_sums), (b, b_sums)| {
        let key = |sums: &Sums| (Reverse(sums.cost), Reverse(sums.calls));
        key(a_sums).cmp(&key(b_sums)).then_with(|| a.cmp(b))
    });
    let mut rest = None;
    if rows.len() > limit {
        let mut sums = Sums::default();
        for (_, more) in &rows[limit..] {
            sums += more;
        }
        rest = Some(((rows.len() - limit) as u64, sums));
        rows.truncate(limit);
    }
    Breakdown {
        total,
        rows,
        rest,
        paths: Paths::default(),
    }
}

async fn ranked_by_database(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
    limit: usize,
) -> Result<Breakdown, StoreError> {
    let ask = Ask::by(By::Column(column));
    let total: Sums = facts(snapshot, filter, Ask::by(By::Nothing))
        .await?
        .into_values()
        .next()
        .unwrap_or_default();
    let counted = counted(filter);

    let mut sql = snapshot.sql("SELECT * FROM (SELECT ");
    push_column(&mut sql, column);
    let dialect = sql.dialect;
    sql.push(&format!(
        " AS value, {}, COUNT(*) AS n, {}",
        call_sums(dialect),
        dialect.rank("f.cost")
    ));
    push_calls(&mut sql, &counted, ask);
    sql.push(" GROUP BY 1) v ORDER BY rank_hi DESC, rank_lo DESC, n DESC, CASE WHEN value IS NULL THEN 1 ELSE 0 END");
    sql.push(&format!(", value {} LIMIT ", dialect.bytewise()))
        .bind(limit + 1);
    let mut rows = snapshot
        .all(sql, |row| {
            let value = row.maybe_text(0)?.map_or(Value::Absent, Value::Text);
            Ok((value, read_call_sums(row, 1, true)?))
        })
        .await?;

    let mut rest = None;
    if rows.len() > limit {
        rows.truncate(limit);
        let mut listed = Sums::default();
        for (_, sums) in &rows {
            listed += sums;
        }
        let all = count_values(snapshot, &counted, column).await?;
        // What does not count belongs to no row.
        listed.excluded_calls = total.excluded_calls;
        listed.excluded_cost = total.excluded_cost;
        rest = Some((all.saturating_sub(rows.len() as u64), total.less(&listed)));
    }
    Ok(Breakdown {
        total,
        rows,
        rest,
        paths: Paths::default(),
    })
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

async fn count_values(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
) -> Result<u64, StoreError> {
    let mut sql = snapshot.sql("SELECT COUNT(*) FROM (SELECT DISTINCT ");
    push_column(&mut sql, column);
    sql.push(" AS value");
    push_calls(&mut sql, filter, Ask::by(By::Column(column)));
    sql.push(") v");
    Ok(snapshot
        .first(sql, |row| row.count(0))
        .await?
        .unwrap_or_default())
}
