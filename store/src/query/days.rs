//! Sums by UTC day and series, as bills have them.

use std::collections::HashMap;

use super::{
    ask::{Ask, By, Value},
    facts::facts,
    filter::Filter,
    plan::DAY,
    snapshot::Snapshot,
    sums::Sums,
};
use crate::{SeriesId, SeriesRow, StoreError};

/// Sums of one series on one UTC day.
#[derive(Clone, Debug)]
pub struct DaySums {
    /// First microsecond of the day.
    pub day_us: i64,
    /// Provider, model, service and so on.
    pub series: SeriesRow,
    /// With amounts by class.
    pub sums: Sums,
}

/// Sums by UTC day and series, with amounts by class; by day, then by the values of the series.
///
/// # Errors
/// When the database cannot be read.
pub async fn sums_by_day(
    snapshot: &mut Snapshot,
    filter: &Filter,
) -> Result<Vec<DaySums>, StoreError> {
    let ask = Ask {
        bucket: Some(DAY),
        amounts: true,
        ..Ask::by(By::Series)
    };
    let groups = facts(snapshot, filter, ask).await?;
    let known = series(snapshot, filter.project).await?;
    let mut days: Vec<DaySums> = groups
        .into_iter()
        .filter_map(|((day_us, value), sums)| {
            let Value::Series(id) = value else {
                return None;
            };
            let series = known.get(&id)?.clone();
            Some(DaySums {
                day_us,
                series,
                sums,
            })
        })
        .collect();
    days.sort_unstable_by(|a, b| (a.day_us, &a.series.values).cmp(&(b.day_us, &b.series.values)));
    Ok(days)
}

async fn series(
    snapshot: &mut Snapshot,
    project: i32,
) -> Result<HashMap<SeriesId, SeriesRow>, StoreError> {
    let mut sql = snapshot.sql(
        "SELECT series_id, provider, model, service, environment, feature, agent, operation FROM series \
         WHERE project_id = ",
    );
    sql.bind(project);
    let rows = snapshot.all(sql, |row| {
        let mut series = SeriesRow::default();
        for (place, value) in series.values.iter_mut().enumerate() {
            *value = row.maybe_text(place + 1)?.map(Into::into);
        }
        Ok((SeriesId(row.id(0)?), series))
    });
    Ok(rows.await?.into_iter().collect())
}
