//! The one question behind most others: sums over calls, grouped.
//!
//! Three sources give the same answer. `calls` knows everything. Rollups are sums of the same calls
//! by path, series and 15 minutes, so they answer whatever only asks for these; differences not yet
//! folded are added in the same snapshot. Settling writes calls and differences in one transaction,
//! so at any moment both add up to the same, and a range may be cut into pieces that are answered by
//! different sources: days inside, hours and quarters towards the ends, calls at the very ends.

use std::collections::HashMap;

use costflame_profile::PathId;

use super::{
    clauses::{JOIN_SERIES, needs_series, push_clauses, push_column},
    filter::{Column, Filter},
    plan::{FINEST, Plan, Range, TIERS},
    snapshot::{Row, Snapshot},
    sql::Sql,
    sums::{Sums, call_sums, read_call_sums, read_rollup_sums, rollup_columns, rollup_sums},
};
use crate::StoreError;

/// What SQL can group by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By<'a> {
    Nothing,
    Column(&'a Column),
    Path,
}

impl By<'_> {
    fn in_series(self) -> bool {
        matches!(self, By::Column(column) if column.in_series())
    }

    fn in_rollups(self) -> bool {
        !matches!(self, By::Column(column) if !column.in_series())
    }
}

/// The value of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A value; the same for all when nothing was grouped by.
    Text(String),
    /// A call path.
    Path(PathId),
    /// No value. Sorts behind all others.
    Absent,
}

/// Start of the bucket (0 if time was not asked for) and value.
pub(crate) type Group = (i64, Value);

/// What to add up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) by: By<'a>,
    /// Seconds of a bucket, one of [`TIERS`].
    pub(crate) bucket: Option<i64>,
    /// Cost by class too.
    pub(crate) amounts: bool,
    /// Only these values; all, if `None`.
    pub(crate) only: Option<&'a [Value]>,
}

impl<'a> Ask<'a> {
    /// Sums by value, over the whole range.
    pub(crate) const fn by(by: By<'a>) -> Self {
        Self {
            by,
            bucket: None,
            amounts: false,
            only: None,
        }
    }
}

/// Sums by group, of groups that have a call. Chooses the source.
pub(crate) async fn facts(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
) -> Result<HashMap<Group, Sums>, StoreError> {
    let from_rollups = ask.by.in_rollups() && filter.clauses.iter().all(super::Clause::in_rollups);
    if from_rollups {
        facts_of_rollups(snapshot, filter, ask).await
    } else {
        facts_of_calls(snapshot, filter, ask).await
    }
}

/// The answer of rollups, and of calls where no bucket fits.
pub(crate) async fn facts_of_rollups(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
) -> Result<HashMap<Group, Sums>, StoreError> {
    let plan = Plan::new(
        (filter.from_us, filter.to_us),
        ask.bucket.unwrap_or(TIERS[TIERS.len() - 1]),
    );
    let mut groups = HashMap::new();
    if let Some(whole) = plan.whole {
        let sql = rollups_sql(snapshot, filter, ask, &plan.buckets, whole);
        snapshot
            .each(sql, |row| {
                add(
                    &mut groups,
                    group(&row, ask)?,
                    &read_rollup_sums(&row, 2, ask.amounts)?,
                );
                Ok(true)
            })
            .await?;
    }
    for (from_us, to_us) in plan.edges {
        let edge = Filter {
            from_us,
            to_us,
            ..filter.clone()
        };
        for (group, sums) in facts_of_calls(snapshot, &edge, ask).await? {
            add(&mut groups, group, &sums);
        }
    }
    groups.retain(|_, sums: &mut Sums| !sums.is_empty());
    Ok(groups)
}

/// The answer of calls.
pub(crate) async fn facts_of_calls(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
) -> Result<HashMap<Group, Sums>, StoreError> {
    let mut groups = HashMap::new();
    let mut sql = snapshot.sql("SELECT ");
    push_group(&mut sql, ask, "f.start_us");
    let sums = call_sums(sql.dialect);
    sql.push(&format!(", CASE WHEN f.why = 0 THEN 1 ELSE 0 END, {sums}"));
    push_calls(&mut sql, filter, ask);
    sql.push(" GROUP BY 1, 2, 3");
    snapshot
        .each(sql, |row| {
            let counted = row.int(2)? == 1;
            add(
                &mut groups,
                group(&row, ask)?,
                &read_call_sums(&row, 3, counted)?,
            );
            Ok(true)
        })
        .await?;
    if ask.amounts && !groups.is_empty() {
        add_amounts(snapshot, filter, ask, &mut groups).await?;
    }
    Ok(groups)
}

/// Calls keep their cost by class in the receipt alone.
async fn add_amounts(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    groups: &mut HashMap<Group, Sums>,
) -> Result<(), StoreError> {
    let mut sql = snapshot.sql("SELECT ");
    push_group(&mut sql, ask, "f.start_us");
    sql.push(", f.receipt");
    push_calls(&mut sql, filter, ask);
    sql.push(" AND f.why = 0 AND f.cost IS NOT NULL");
    snapshot
        .each(sql, |row| {
            let receipt = row.receipt(2)?;
            groups
                .entry(group(&row, ask)?)
                .or_default()
                .add_lines(&receipt);
            Ok(true)
        })
        .await
}

fn rollups_sql(
    snapshot: &Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    buckets: &[(i64, Range)],
    whole: Range,
) -> Sql {
    let mut sql = snapshot.sql("SELECT ");
    push_group(&mut sql, ask, "f.bucket_us");
    let (columns, sums) = (
        rollup_columns(sql.dialect, ask.amounts),
        rollup_sums(sql.dialect, ask.amounts),
    );
    sql.push(&format!(", {sums} FROM ("));
    let columns = format!("SELECT project_id, bucket_us, path_id, series_id, {columns} FROM ");
    for (seconds, range) in buckets {
        sql.push(&columns)
            .push("rollups WHERE project_id = ")
            .bind(filter.project);
        sql.push(" AND tier = ").bind(*seconds);
        push_range(&mut sql, "bucket_us", *range);
        sql.push(" UNION ALL ");
    }
    sql.push(&columns)
        .push("rollup_deltas WHERE project_id = ")
        .bind(filter.project);
    push_range(&mut sql, "bucket_us", whole);
    sql.push(") f");
    if ask.by.in_series() || needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE 1 = 1");
    push_clauses(&mut sql, filter);
    push_only(&mut sql, ask);
    sql.push(" GROUP BY 1, 2");
    sql
}

/// Appends `FROM calls … WHERE …` with range and clauses.
pub(crate) fn push_calls(sql: &mut Sql, filter: &Filter, ask: Ask<'_>) {
    sql.push(" FROM calls f");
    if ask.by.in_series() || needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.project_id = ").bind(filter.project);
    push_call_range(sql, (filter.from_us, filter.to_us));
    push_clauses(sql, filter);
    push_only(sql, ask);
}

/// Appends the range of starts, also as days: they are the partitions.
pub(crate) fn push_call_range(sql: &mut Sql, (from_us, to_us): Range) {
    const DAY_US: i64 = 86_400_000_000;
    push_range(sql, "f.start_us", (from_us, to_us));
    push_range(
        sql,
        "f.start_day",
        (
            from_us.div_euclid(DAY_US),
            (to_us - 1).div_euclid(DAY_US) + 1,
        ),
    );
}

/// Appends ` AND …`: from the first bound up to the second.
pub(crate) fn push_range(sql: &mut Sql, column: &str, (from, to): Range) {
    sql.push(&format!(" AND {column} >= ")).bind(from);
    sql.push(&format!(" AND {column} < ")).bind(to);
}

/// Two columns: start of the bucket and value.
fn push_group(sql: &mut Sql, ask: Ask<'_>, time: &str) {
    match ask.bucket {
        None => {
            sql.push("0, ");
        }
        Some(seconds) => {
            debug_assert!(TIERS.contains(&seconds) && seconds >= FINEST);
            let bucket = seconds * 1_000_000;
            // Starts are never negative: OTLP times are not.
            sql.push(&format!("({time} / {bucket}) * {bucket}, "));
        }
    }
    match ask.by {
        By::Nothing => {
            sql.push("NULL");
        }
        By::Column(column) => push_column(sql, column),
        By::Path => {
            sql.push("f.path_id");
        }
    }
}

fn push_only(sql: &mut Sql, ask: Ask<'_>) {
    let Some(only) = ask.only else { return };
    let absent = only.contains(&Value::Absent);
    match ask.by {
        By::Nothing => {}
        By::Path => {
            let ids = only.iter().filter_map(|value| match value {
                Value::Path(id) => Some(&id.0[..]),
                _ => None,
            });
            sql.push(" AND f.path_id IN ").bind_list(ids);
        }
        By::Column(column) => {
            let texts = only.iter().filter_map(|value| match value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            });
            sql.push(" AND (");
            push_column(sql, column);
            sql.push(" IN ").bind_list(texts);
            if absent {
                sql.push(" OR ");
                push_column(sql, column);
                sql.push(" IS NULL");
            }
            sql.push(")");
        }
    }
}

fn group(row: &Row, ask: Ask<'_>) -> Result<Group, StoreError> {
    let value = match ask.by {
        By::Nothing => Value::Absent,
        By::Path => Value::Path(PathId(row.id(1)?)),
        By::Column(_) => row.maybe_text(1)?.map_or(Value::Absent, Value::Text),
    };
    Ok((row.int(0)?, value))
}

fn add(groups: &mut HashMap<Group, Sums>, group: Group, sums: &Sums) {
    *groups.entry(group).or_default() += sums;
}
