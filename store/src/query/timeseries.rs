//! Sums by time, for the dearest values of a dimension.

use std::collections::HashMap;

use super::{
    ask::{Ask, By, Group, Value},
    breakdown::{breakdown, by_tool},
    facts::facts,
    filter::{Clause, Dimension, Filter, OneOf},
    paths::Paths,
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
    let Some(dimension) = dimension else {
        let ask = Ask {
            bucket: Some(grain),
            ..Ask::by(By::Nothing)
        };
        let groups = facts(snapshot, filter, ask).await?;
        let buckets = spread(groups, starts)
            .remove(&Value::Absent)
            .unwrap_or_else(|| zeros(starts));
        let series = vec![Series {
            value: Value::Absent,
            buckets,
        }];
        return Ok(Timeseries {
            series,
            ..Timeseries::default()
        });
    };
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
            let ask = Ask {
                bucket: Some(grain),
                ..Ask::by(By::Nothing)
            };
            let totals = facts(snapshot, filter, ask).await?;
            let mut rest = spread(totals, starts)
                .remove(&Value::Absent)
                .unwrap_or_else(|| zeros(starts));
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
