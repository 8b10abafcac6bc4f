//! Keys of tags, for whoever wants to choose one.

use std::collections::BTreeSet;

use super::{
    facts::push_range,
    plan::{DAY_US, Range},
    snapshot::Snapshot,
    sql::Sql,
};
use crate::StoreError;

/// Keys found at most; further ones can still be asked about by name.
const MOST: usize = 1_000;

/// Keys of the tags of calls that start on the UTC days of a range, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn tag_keys(
    snapshot: &mut Snapshot,
    project: i32,
    (from_us, to_us): Range,
) -> Result<Vec<String>, StoreError> {
    let days = (
        from_us.div_euclid(DAY_US),
        (to_us - 1).div_euclid(DAY_US) + 1,
    );
    let mut waiting = snapshot.sql("SELECT DISTINCT dimension FROM dim_deltas WHERE project_id = ");
    waiting.bind(project);
    push_range(&mut waiting, "day", days);
    let mut statements = vec![waiting];
    if let Some((first, last)) = days_of(snapshot, project).await? {
        let days = (days.0.max(first), days.1.min(last + 1));
        if days.0 < days.1 {
            statements.push(dimensions(snapshot, project, days));
        }
    }
    let mut keys = BTreeSet::new();
    for sql in statements {
        let each = snapshot.each(sql, |row| {
            if let Some(key) = row.text(0)?.strip_prefix("tag.") {
                keys.insert(key.to_owned());
            }
            Ok(keys.len() < MOST)
        });
        each.await?;
    }
    Ok(keys.into_iter().collect())
}

/// The first and the last day with sums by dimension.
async fn days_of(snapshot: &mut Snapshot, project: i32) -> Result<Option<(i64, i64)>, StoreError> {
    let day = |which: &str| {
        format!("(SELECT CAST({which}(day) AS bigint) FROM dim_rollups WHERE project_id = ")
    };
    let mut sql = snapshot.sql("SELECT ");
    sql.push(&day("MIN")).bind(project).push("), ");
    sql.push(&day("MAX")).bind(project).push(")");
    let days = snapshot
        .first(sql, |row| Ok(row.maybe_int(0)?.zip(row.maybe_int(1)?)))
        .await?;
    Ok(days.flatten())
}

/// The dimensions of each day. A day has many values and few dimensions, so the primary key leads from one dimension to
/// the next.
fn dimensions(snapshot: &Snapshot, project: i32, (first, end): Range) -> Sql {
    const NEXT: &str = "(SELECT MIN(r.dimension) FROM dim_rollups r WHERE r.project_id = ";
    let mut sql = snapshot.sql("WITH RECURSIVE days (day) AS (SELECT CAST(");
    sql.bind(first)
        .push(" AS integer) UNION ALL SELECT day + 1 FROM days WHERE day + 1 < ")
        .bind(end);
    sql.push("), found (day, dimension) AS (SELECT d.day, ")
        .push(NEXT)
        .bind(project)
        .push(" AND r.day = d.day) FROM days d UNION ALL SELECT f.day, ")
        .push(NEXT)
        .bind(project)
        .push(" AND r.day = f.day AND r.dimension > f.dimension) FROM found f WHERE f.dimension IS NOT NULL) ")
        .push("SELECT dimension FROM found WHERE dimension IS NOT NULL");
    sql
}
