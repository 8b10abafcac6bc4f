//! The one question behind most others: sums over calls, grouped.

use std::collections::HashMap;

use super::{
    ask::{Ask, Group},
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses},
    filter::{Column, Filter},
    plan::{DAY, DAY_US, Plan, Range, TIERS, inside},
    snapshot::Snapshot,
    source::{choose, dimension_name},
    sql::Sql,
    sums::{
        Sums, Wanted, call_sums, read_call_sums, read_rollup_sums, rollup_columns, rollup_sums,
    },
};
use crate::StoreError;

type Groups = HashMap<Group, Sums>;

/// Sums by group, of groups that have a call, from the cheapest source ([`super::source`]).
pub(crate) async fn facts(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
) -> Result<Groups, StoreError> {
    match choose(filter, &ask) {
        (Source::Rollups, _) => facts_of_rollups(snapshot, filter, ask).await,
        (Source::Dimensions, Some(column)) => {
            facts_of_dimensions(snapshot, filter, ask, column).await
        }
        _ => facts_of_calls(snapshot, filter, ask).await,
    }
}

/// Days inside, hours and quarters towards the ends, calls at the very ends.
async fn facts_of_rollups(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
) -> Result<Groups, StoreError> {
    let coarsest = ask.bucket.unwrap_or(TIERS[TIERS.len() - 1]);
    let plan = Plan::new((filter.from_us, filter.to_us), coarsest);
    let mut groups = Groups::new();
    if let Some(whole) = plan.whole {
        let wanted = Wanted::read(snapshot, filter.project, ask.amounts).await?;
        let sql = rollups_sql(snapshot, filter, ask, wanted, &plan.buckets, whole);
        add_rows(snapshot, sql, ask, wanted, &mut groups).await?;
    }
    add_edges(snapshot, filter, ask, &plan.edges, &mut groups).await?;
    Ok(groups)
}

/// UTC days inside, calls at the ends.
async fn facts_of_dimensions(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    column: &Column,
) -> Result<Groups, StoreError> {
    let (days, edges) = days_and_edges(filter);
    let mut groups = Groups::new();
    if let Some(days) = days {
        let wanted = Wanted::read(snapshot, filter.project, ask.amounts).await?;
        let sql = dimensions_sql(snapshot, filter, ask, wanted, (column, days));
        add_rows(snapshot, sql, ask, wanted, &mut groups).await?;
    }
    add_edges(snapshot, filter, ask, &edges, &mut groups).await?;
    Ok(groups)
}

/// Whole UTC days of a filter's range, as days since 1970, and the rest of it.
pub(crate) fn days_and_edges(filter: &Filter) -> (Option<Range>, Vec<Range>) {
    let (from, to) = (filter.from_us, filter.to_us);
    let Some((start, end)) = inside((from, to), DAY) else {
        return (None, vec![(from, to)]);
    };
    let edges = [(from, start), (end, to)]
        .into_iter()
        .filter(|(from, to)| from < to);
    (Some((start / DAY_US, end / DAY_US)), edges.collect())
}

async fn add_rows(
    snapshot: &mut Snapshot,
    sql: Sql,
    ask: Ask<'_>,
    wanted: Wanted,
    groups: &mut Groups,
) -> Result<(), StoreError> {
    let each = snapshot.each(sql, |row| {
        let sums = read_rollup_sums(&row, 2, wanted)?;
        // Differences may have brought a row to nothing.
        if !sums.is_empty() {
            *groups.entry(ask.group(&row)?).or_default() += &sums;
        }
        Ok(true)
    });
    each.await
}

async fn add_edges(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    edges: &[Range],
    groups: &mut Groups,
) -> Result<(), StoreError> {
    for &(from_us, to_us) in edges {
        let edge = Filter {
            from_us,
            to_us,
            ..filter.clone()
        };
        for (group, sums) in facts_of_calls(snapshot, &edge, ask).await? {
            *groups.entry(group).or_default() += &sums;
        }
    }
    Ok(())
}

/// Call by call.
async fn facts_of_calls(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
) -> Result<Groups, StoreError> {
    let mut groups = Groups::new();
    let mut sql = snapshot.sql("SELECT ");
    ask.push_group(&mut sql, Source::Calls);
    let sums = call_sums(sql.dialect);
    sql.push(&format!(", CASE WHEN f.why = 0 THEN 1 ELSE 0 END, {sums}"));
    push_calls(&mut sql, filter, ask);
    sql.push(" GROUP BY 1, 2, 3");
    let each = snapshot.each(sql, |row| {
        let counted = row.int(2)? == 1;
        *groups.entry(ask.group(&row)?).or_default() += &read_call_sums(&row, 3, counted)?;
        Ok(true)
    });
    each.await?;
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
    groups: &mut Groups,
) -> Result<(), StoreError> {
    let mut sql = snapshot.sql("SELECT ");
    ask.push_group(&mut sql, Source::Calls);
    sql.push(", f.receipt");
    push_calls(&mut sql, filter, ask);
    sql.push(" AND f.why = 0 AND f.cost IS NOT NULL");
    let each = snapshot.each(sql, |row| {
        groups
            .entry(ask.group(&row)?)
            .or_default()
            .add_lines(&row.receipt(2)?);
        Ok(true)
    });
    each.await
}

fn rollups_sql(
    snapshot: &Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
    buckets: &[(i64, Range)],
    whole: Range,
) -> Sql {
    let mut sql = start_sums(snapshot, ask, wanted, Source::Rollups);
    let columns = rollup_columns(sql.dialect, wanted);
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
    end_sums(sql, filter, ask, Source::Rollups)
}

fn dimensions_sql(
    snapshot: &Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
    (column, days): (&Column, Range),
) -> Sql {
    let mut sql = start_sums(snapshot, ask, wanted, Source::Dimensions);
    push_dimension_rows(&mut sql, filter.project, column, days, wanted);
    end_sums(sql, filter, ask, Source::Dimensions)
}

/// Appends the rows of one dimension, and the differences not yet folded, of whole days.
pub(crate) fn push_dimension_rows(
    sql: &mut Sql,
    project: i32,
    column: &Column,
    days: Range,
    wanted: Wanted,
) {
    let columns = rollup_columns(sql.dialect, wanted);
    let name = dimension_name(column).unwrap_or_default();
    for (number, table) in ["dim_rollups", "dim_deltas"].into_iter().enumerate() {
        sql.push(if number == 0 { "" } else { " UNION ALL " });
        sql.push(&format!(
            "SELECT project_id, day, value, series_id, {columns} FROM {table} WHERE project_id = "
        ));
        sql.bind(project)
            .push(" AND dimension = ")
            .bind(name.as_str());
        push_range(sql, "day", days);
    }
}

fn start_sums(snapshot: &Snapshot, ask: Ask<'_>, wanted: Wanted, source: Source) -> Sql {
    let mut sql = snapshot.sql("SELECT ");
    ask.push_group(&mut sql, source);
    let sums = rollup_sums(sql.dialect, wanted);
    sql.push(&format!(", {sums} FROM ("));
    sql
}

fn end_sums(mut sql: Sql, filter: &Filter, ask: Ask<'_>, source: Source) -> Sql {
    sql.push(") f");
    if ask.needs_series() || needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE 1 = 1");
    push_clauses(&mut sql, filter, source);
    ask.push_only(&mut sql, source);
    sql.push(" GROUP BY 1, 2");
    sql
}

/// Appends `FROM calls … WHERE …` with range and clauses.
pub(crate) fn push_calls(sql: &mut Sql, filter: &Filter, ask: Ask<'_>) {
    sql.push(" FROM calls f");
    if ask.needs_series() || needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.project_id = ").bind(filter.project);
    push_call_range(sql, (filter.from_us, filter.to_us));
    push_clauses(sql, filter, Source::Calls);
    ask.push_only(sql, Source::Calls);
}

/// Appends the range of starts, also as days: they are the partitions.
pub(crate) fn push_call_range(sql: &mut Sql, (from_us, to_us): Range) {
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

/// The same among the calls of one trace. The sign keeps SQLite from walking the whole range instead of them.
pub(crate) fn push_range_of_trace(sql: &mut Sql, (from_us, to_us): Range) {
    push_range(sql, "+f.start_us", (from_us, to_us));
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
fn push_range(sql: &mut Sql, column: &str, (from, to): Range) {
    sql.push(&format!(" AND {column} >= ")).bind(from);
    sql.push(&format!(" AND {column} < ")).bind(to);
}
