//! The one question behind most others: sums over calls, grouped.

use std::collections::HashMap;

use super::{
    ask::{Ask, Group},
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses},
    filter::{Column, Filter},
    pieces::{Piece, pieces},
    plan::{DAY_US, Plan, Range, TIERS, end_of_bucket, tiers_up_to},
    snapshot::Snapshot,
    source::{choose, dimension_name, picked},
    sql::Sql,
    status::has_calls_since,
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
    let wanted = Wanted::read(snapshot, filter.project, ask.amounts).await?;
    match choose(filter, &ask) {
        (Source::Rollups, _) => facts_of_rollups(snapshot, filter, ask, wanted).await,
        (source, Some(column)) => {
            facts_of_values(snapshot, filter, ask, wanted, (source, column)).await
        }
        _ => facts_of_calls(snapshot, filter, ask, wanted).await,
    }
}

/// Days inside, hours and quarters towards the ends, calls at the very ends. Until now there is but one such end: where nothing
/// has started since, the coarsest bucket around it tells the same as its parts.
async fn facts_of_rollups(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
) -> Result<Groups, StoreError> {
    let coarsest = ask.bucket.unwrap_or(TIERS[TIERS.len() - 1]);
    let to_us = if has_calls_since(snapshot, filter.project, filter.to_us).await? {
        filter.to_us
    } else {
        end_of_bucket(filter.to_us, coarsest)
    };
    let plan = Plan::new((filter.from_us, to_us), tiers_up_to(coarsest));
    let mut groups = Groups::new();
    if let Some(whole) = plan.whole {
        let sql = rollups_sql(snapshot, filter, ask, wanted, &plan.buckets, whole);
        add_rows(snapshot, sql, ask, wanted, &mut groups).await?;
    }
    for edge in plan.edges {
        add_edge(snapshot, filter, ask, wanted, edge, &mut groups).await?;
    }
    // Differences may have brought a row to nothing, and alone they may change a cost without a call.
    groups.retain(|_, sums| !sums.is_empty());
    Ok(groups)
}

/// Whole days or hours from sums by dimension, calls for the rest.
async fn facts_of_values(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
    (source, column): (Source, &Column),
) -> Result<Groups, StoreError> {
    let mut groups = Groups::new();
    for piece in pieces(snapshot, filter, column, source).await? {
        match piece {
            Piece::Calls(range) => {
                add_edge(snapshot, filter, ask, wanted, range, &mut groups).await?;
            }
            Piece::LessCalls((from_us, to_us)) => {
                let edge = within(filter, (from_us, to_us));
                for (group, sums) in facts_of_calls(snapshot, &edge, ask, wanted).await? {
                    let left = groups.entry(group).or_default();
                    *left = left.less(&sums);
                }
            }
            sums => {
                let sql = values_sql(snapshot, filter, ask, wanted, (column, &sums));
                add_rows(snapshot, sql, ask, wanted, &mut groups).await?;
            }
        }
    }
    groups.retain(|_, sums| !sums.is_empty());
    Ok(groups)
}

/// The same filter in another range.
pub(crate) fn within(filter: &Filter, (from_us, to_us): Range) -> Filter {
    Filter {
        from_us,
        to_us,
        ..filter.clone()
    }
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
        *groups.entry(ask.group(&row)?).or_default() += &sums;
        Ok(true)
    });
    each.await
}

async fn add_edge(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
    range: Range,
    groups: &mut Groups,
) -> Result<(), StoreError> {
    for (group, sums) in facts_of_calls(snapshot, &within(filter, range), ask, wanted).await? {
        *groups.entry(group).or_default() += &sums;
    }
    Ok(())
}

/// Call by call.
async fn facts_of_calls(
    snapshot: &mut Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
) -> Result<Groups, StoreError> {
    let mut groups = Groups::new();
    let mut sql = snapshot.sql("SELECT ");
    ask.push_group(&mut sql, Source::Calls);
    let sums = call_sums(sql.dialect, wanted.classes);
    sql.push(&format!(", CASE WHEN f.why = 0 THEN 1 ELSE 0 END, {sums}"));
    push_calls(&mut sql, filter, ask);
    sql.push(" GROUP BY 1, 2, 3");
    let each = snapshot.each(sql, |row| {
        let counted = row.int(2)? == 1;
        *groups.entry(ask.group(&row)?).or_default() +=
            &read_call_sums(&row, 3, counted, wanted.classes)?;
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

fn values_sql(
    snapshot: &Snapshot,
    filter: &Filter,
    ask: Ask<'_>,
    wanted: Wanted,
    (column, piece): (&Column, &Piece),
) -> Sql {
    let source = piece.source();
    let mut sql = start_sums(snapshot, ask, wanted, source);
    push_value_rows(&mut sql, filter, column, piece, wanted);
    end_sums(sql, filter, ask, source)
}

/// Most days that are named one by one.
const NAMED_DAYS: usize = 1_000;

/// Appends the rows of one dimension of a piece that is not calls, with the differences not yet folded into it.
pub(crate) fn push_value_rows(
    sql: &mut Sql,
    filter: &Filter,
    column: &Column,
    piece: &Piece,
    wanted: Wanted,
) {
    let columns = rollup_columns(sql.dialect, wanted);
    let name = dimension_name(column).unwrap_or_default();
    let values = picked(filter, column);
    let (time, ids, tables): (&str, &str, &[&str]) = match piece {
        Piece::Days(Source::Paths, _) => (
            DAY_START,
            ", path_id, series_id",
            &["dim_paths", "dim_deltas"],
        ),
        Piece::Days(..) => (DAY_START, ", series_id", &["dim_rollups", "dim_deltas"]),
        Piece::Buckets(..) => ("bucket_us", "", &["dim_totals"]),
        _ => ("hour_us", "", &["dim_deltas"]),
    };
    for (number, table) in tables.iter().enumerate() {
        sql.push(if number == 0 { "" } else { " UNION ALL " });
        sql.push(&format!(
            "SELECT project_id, {time} AS time_us, value{ids}, {columns} FROM {table} WHERE project_id = "
        ));
        sql.bind(filter.project)
            .push(" AND dimension = ")
            .bind(name.as_str());
        if !values.is_empty() {
            sql.push(" AND value IN ").bind_list(values.iter().copied());
        }
        match piece {
            Piece::Days(_, days) if days.len() > NAMED_DAYS => {
                // As good as all there are: the others among them are few.
                let (first, last) = (days[0], days[days.len() - 1]);
                push_range(sql, "day", (first, last + 1));
                let missing: Vec<i64> = (first..last)
                    .filter(|day| days.binary_search(day).is_err())
                    .collect();
                if !missing.is_empty() {
                    sql.push(" AND day NOT IN ").bind_list(missing);
                }
            }
            Piece::Days(_, days) => {
                sql.push(" AND day IN ").bind_list(days.iter().copied());
            }
            Piece::Buckets(seconds, range) => {
                sql.push(" AND tier = ").bind(*seconds);
                push_range(sql, "bucket_us", *range);
            }
            Piece::Waiting(range) | Piece::Calls(range) | Piece::LessCalls(range) => {
                push_range(sql, "hour_us", *range);
            }
        }
        if ids.contains("path_id") && *table == "dim_deltas" {
            sql.push(" AND path_id IS NOT NULL");
        }
    }
}

/// First microsecond of a row's day.
const DAY_START: &str = "CAST(day AS bigint) * 86400000000";

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
    push_calls_of(sql, "calls", filter, ask);
}

/// The same of a table that has the columns that filters name.
pub(crate) fn push_calls_of(sql: &mut Sql, table: &str, filter: &Filter, ask: Ask<'_>) {
    sql.push(&format!(" FROM {table} f"));
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
    push_days(sql, (from_us, to_us - 1));
}

/// The same among the calls of one trace. The sign keeps SQLite from walking the whole range instead of them.
pub(crate) fn push_range_of_trace(sql: &mut Sql, (from_us, to_us): Range) {
    push_range(sql, "+f.start_us", (from_us, to_us));
    push_days(sql, (from_us, to_us - 1));
}

/// Appends the UTC days of two moments and all between: a partition of another day is not even planned for.
pub(crate) fn push_days(sql: &mut Sql, (first_us, last_us): Range) {
    let days = (first_us.div_euclid(DAY_US), last_us.div_euclid(DAY_US) + 1);
    push_range(sql, "f.start_day", days);
}

/// Appends ` AND …`: from the first bound up to the second.
pub(crate) fn push_range(sql: &mut Sql, column: &str, (from, to): Range) {
    sql.push(&format!(" AND {column} >= ")).bind(from);
    sql.push(&format!(" AND {column} < ")).bind(to);
}
