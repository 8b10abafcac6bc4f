//! Sums by time, for the dearest values of a dimension.

use std::collections::HashMap;

use super::{
    ask::{Ask, By, Group, Value},
    breakdown::{breakdown, by_tool},
    clauses::{Source, push_column},
    facts::facts,
    filter::{Clause, Column, Dimension, Filter, OneOf},
    paths::Paths,
    ranking::sort,
    snapshot::Snapshot,
    sums::Sums,
};
use crate::StoreError;

/// Sums of one value, bucket by bucket.
#[derive(Clone, Debug)]
pub struct Series {
    /// The value; absent too when no dimension was asked for.
    pub value: Value,
    /// As many as there are buckets.
    pub buckets: Vec<Sums>,
}

/// Sums by time.
#[derive(Clone, Debug, Default)]
pub struct Timeseries {
    /// The dearest values over the whole range, largest first.
    pub series: Vec<Series>,
    /// The others: how many, and their sums.
    pub rest: Option<(u64, Vec<Sums>)>,
    /// The paths of `series`, if they are paths.
    pub paths: Paths,
}

/// Values of a column of the series that are read bucket by bucket before they are ranked.
const FEW_VALUES: u64 = 64;

/// Sums in buckets that begin at `starts` (microseconds, ascending; the last ends with the range).
/// Calls before the first start belong to it.
///
/// `grain` is the seconds of the longest row of rollups of which every start is a multiple.
///
/// # Errors
/// When the database cannot be read.
pub async fn timeseries(
    snapshot: &mut Snapshot,
    filter: &Filter,
    dimension: Option<&Dimension>,
    limit: usize,
    starts: &[i64],
    grain: i64,
) -> Result<Timeseries, StoreError> {
    match dimension {
        None => {
            let series = vec![Series {
                value: Value::Absent,
                buckets: totals(snapshot, filter, starts, grain).await?,
            }];
            Ok(Timeseries {
                series,
                ..Timeseries::default()
            })
        }
        Some(Dimension::Column(column)) if has_few_values(snapshot, filter, column).await? => {
            let ask = Ask {
                bucket: Some(grain),
                ..Ask::by(By::Column(column))
            };
            let groups = facts(snapshot, filter, ask).await?;
            Ok(ranked(spread(groups, starts), limit))
        }
        Some(dimension) => of_dearest(snapshot, filter, dimension, limit, starts, grain).await,
    }
}

async fn totals(
    snapshot: &mut Snapshot,
    filter: &Filter,
    starts: &[i64],
    grain: i64,
) -> Result<Vec<Sums>, StoreError> {
    let ask = Ask {
        bucket: Some(grain),
        ..Ask::by(By::Nothing)
    };
    let groups = facts(snapshot, filter, ask).await?;
    let total = spread(groups, starts).remove(&Value::Absent);
    Ok(total.unwrap_or_else(|| zeros(starts)))
}

async fn has_few_values(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
) -> Result<bool, StoreError> {
    if !column.in_series() {
        return Ok(false);
    }
    let mut sql = snapshot.sql("SELECT COUNT(*) FROM (SELECT DISTINCT ");
    push_column(&mut sql, column, Source::Rollups);
    sql.push(" FROM series s WHERE s.project_id = ")
        .bind(filter.project)
        .push(") v");
    let values = snapshot.first(sql, |row| row.count(0)).await?;
    Ok(values.unwrap_or_default() <= FEW_VALUES)
}

/// The dearest of all values by the sums of their buckets.
fn ranked(mut by_value: HashMap<Value, Vec<Sums>>, limit: usize) -> Timeseries {
    let mut values: Vec<(Value, Sums)> = by_value
        .iter()
        .map(|(value, buckets)| (value.clone(), total(buckets)))
        .filter(|(_, sums)| sums.calls > 0)
        .collect();
    sort(&mut values);
    let more = values.len().saturating_sub(limit) as u64;
    values.truncate(limit);
    let series = values.into_iter().map(|(value, _)| Series {
        buckets: by_value.remove(&value).unwrap_or_default(),
        value,
    });
    let series = series.collect();
    let rest = by_value.into_values().reduce(|mut rest, buckets| {
        for (rest, sums) in rest.iter_mut().zip(&buckets) {
            *rest += sums;
        }
        rest
    });
    Timeseries {
        series,
        rest: rest.filter(|_| more > 0).map(|rest| (more, rest)),
        paths: Paths::default(),
    }
}

fn total(buckets: &[Sums]) -> Sums {
    let mut total = Sums::default();
    for sums in buckets {
        total += sums;
    }
    total
}

/// Of values of which there may be many: first which ones are the dearest, then these bucket by bucket.
async fn of_dearest(
    snapshot: &mut Snapshot,
    filter: &Filter,
    dimension: &Dimension,
    limit: usize,
    starts: &[i64],
    grain: i64,
) -> Result<Timeseries, StoreError> {
    let ranking = breakdown(snapshot, filter, dimension, limit).await?;
    let values: Vec<Value> = ranking.rows.into_iter().map(|(value, _)| value).collect();
    let groups = by_value(snapshot, filter, dimension, &values, grain).await?;
    let mut by_value = spread(groups, starts);
    let series: Vec<Series> = values
        .into_iter()
        .map(|value| {
            let buckets = by_value.remove(&value).unwrap_or_else(|| zeros(starts));
            Series { value, buckets }
        })
        .collect();
    let rest = match ranking.rest {
        None => None,
        Some((count, _)) => {
            let mut rest = totals(snapshot, filter, starts, grain).await?;
            for series in &series {
                for (rest, sums) in rest.iter_mut().zip(&series.buckets) {
                    *rest = rest.less(sums);
                }
            }
            Some((count, rest))
        }
    };
    Ok(Timeseries {
        series,
        rest,
        paths: ranking.paths,
    })
}

async fn by_value(
    snapshot: &mut Snapshot,
    filter: &Filter,
    dimension: &Dimension,
    values: &[Value],
    grain: i64,
) -> Result<HashMap<Group, Sums>, StoreError> {
    let ask = |by| Ask {
        bucket: Some(grain),
        only: Some(values),
        ..Ask::by(by)
    };
    match dimension {
        Dimension::Column(column) => facts(snapshot, filter, ask(By::Column(column))).await,
        Dimension::Path => facts(snapshot, filter, ask(By::Path)).await,
        Dimension::Tool => {
            let text = |value: &Value| match value {
                Value::Text(label) => Some(label.clone()),
                Value::Path(_) | Value::Series(_) | Value::Absent => None,
            };
            let mut of_tools = filter.clone();
            of_tools.clauses.push(Clause::Tool(OneOf {
                any: values.iter().map(text).collect(),
                none: Vec::new(),
            }));
            let groups = facts(
                snapshot,
                &of_tools,
                Ask {
                    only: None,
                    ..ask(By::Path)
                },
            )
            .await?;
            by_tool(snapshot, filter.project, groups).await
        }
    }
}

fn zeros(starts: &[i64]) -> Vec<Sums> {
    vec![Sums::default(); starts.len()]
}

fn spread(groups: HashMap<Group, Sums>, starts: &[i64]) -> HashMap<Value, Vec<Sums>> {
    let mut by_value: HashMap<Value, Vec<Sums>> = HashMap::new();
    for ((time, value), sums) in groups {
        let bucket = starts
            .partition_point(|start| *start <= time)
            .saturating_sub(1);
        if let Some(place) = by_value
            .entry(value)
            .or_insert_with(|| zeros(starts))
            .get_mut(bucket)
        {
            *place += &sums;
        }
    }
    by_value
}
