//! Completion of filter values.

use super::{
    ask::Value,
    breakdown::breakdown,
    filter::{Dimension, Filter},
    paths::Paths,
    ranking::most_called,
    snapshot::Snapshot,
};
use crate::StoreError;

/// Values of one dimension.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// Values and their counted calls, most calls first.
    pub values: Vec<(Value, u64)>,
    /// True when there are more.
    pub more: bool,
    /// The paths of `values`, if they are paths.
    pub paths: Paths,
}

/// Values among the counted calls that pass the filters of other dimensions and contain `part`,
/// whatever the case. A path is found by its last label or by its whole id.
///
/// # Errors
/// When the database cannot be read.
pub async fn values(
    snapshot: &mut Snapshot,
    filter: &Filter,
    dimension: &Dimension,
    part: &str,
    limit: usize,
) -> Result<Values, StoreError> {
    let filter = filter.without(dimension);
    let part = part.to_lowercase();
    let wanted = |text: &str| text.to_lowercase().contains(&part);
    match dimension {
        Dimension::Column(column) if !column.in_series() => {
            let (values, more) = most_called(snapshot, &filter, column, wanted, limit).await?;
            Ok(Values {
                values,
                more,
                paths: Paths::default(),
            })
        }
        _ => {
            let mut all = breakdown(snapshot, &filter, dimension, usize::MAX - 1).await?;
            let paths = std::mem::take(&mut all.paths);
            let is_wanted = |value: &Value| match value {
                Value::Text(text) => wanted(text),
                Value::Series(_) | Value::Absent => false,
                Value::Path(id) => {
                    id.to_string() == part
                        || paths.get(*id).is_some_and(|path| wanted(&path.frame.label))
                }
            };
            let mut values: Vec<(Value, u64)> = all
                .rows
                .into_iter()
                .filter(|(value, _)| is_wanted(value))
                .map(|(value, sums)| (value, sums.calls))
                .collect();
            values
                .sort_by(|(a, a_calls), (b, b_calls)| b_calls.cmp(a_calls).then_with(|| a.cmp(b)));
            let more = values.len() > limit;
            values.truncate(limit);
            Ok(Values {
                values,
                more,
                paths,
            })
        }
    }
}
