//! Filters as SQL. The table of calls or rollups is `f`, its series `s`.

use costflame_pricing::Unpriced;
use costflame_profile::FrameKind;

use super::{
    filter::{Clause, Column, Filter, OneOf},
    sql::{Dialect, Sql},
};

/// Every row has exactly one series.
pub(crate) const JOIN_SERIES: &str =
    " JOIN series s ON s.project_id = f.project_id AND s.series_id = f.series_id";

/// True when the SQL of a filter or a column names the series.
pub(crate) fn needs_series(filter: &Filter) -> bool {
    filter
        .clauses
        .iter()
        .any(|clause| matches!(clause, Clause::Column(column, _) if column.in_series()))
}

/// The table that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Everything, call by call.
    Calls,
    /// Sums by path and series.
    Rollups,
    /// Sums by day, series and the values of one column outside of the series.
    Dimensions,
    /// The same by path too.
    Paths,
    /// Sums by the values of one column outside of the series alone.
    Totals,
}

impl Source {
    /// True when rows have the value of one column outside of the series.
    pub(crate) const fn has_value(self) -> bool {
        matches!(self, Self::Dimensions | Self::Paths | Self::Totals)
    }
}

/// Appends the value of a column. All sources take what they share from the series, so that they
/// cannot disagree.
pub(crate) fn push_column(sql: &mut Sql, column: &Column, source: Source) {
    let text = match column {
        _ if !column.in_series() && source.has_value() => "f.value",
        Column::Model => "s.model",
        Column::Provider => "s.provider",
        Column::Service => "s.service",
        Column::Environment => "s.environment",
        Column::Feature => "s.feature",
        Column::Agent => "s.agent",
        Column::Operation => "s.operation",
        Column::User => "f.user_id",
        Column::Session => "f.session_id",
        Column::Prompt => "f.prompt",
        Column::Tag(key) => return push_tag(sql, key),
    };
    sql.push(text);
}

fn push_tag(sql: &mut Sql, key: &str) {
    match sql.dialect {
        Dialect::Postgres => sql.push("(f.tags ->> ").bind(key).push(")"),
        // Not `->>`: SQLite reads a key that begins with $ as a path.
        Dialect::Sqlite => sql
            .push("(SELECT t.value FROM json_each(f.tags) t WHERE t.key = ")
            .bind(key)
            .push(")"),
    };
}

/// Appends ` AND …` for every clause.
pub(crate) fn push_clauses(sql: &mut Sql, filter: &Filter, source: Source) {
    for clause in &filter.clauses {
        match clause {
            Clause::Column(column, test) => {
                push_text(
                    sql,
                    |sql| push_column(sql, column, source),
                    &values(&test.any),
                    &values(&test.none),
                );
            }
            Clause::Tool(test) => push_tool(sql, filter.project, test),
            Clause::Path(test) => {
                let ids = |ids: &[costflame_profile::PathId]| {
                    ids.iter().map(|id| id.0).collect::<Vec<_>>()
                };
                for (not, ids) in [("", ids(&test.any)), ("NOT ", ids(&test.none))] {
                    if !ids.is_empty() {
                        sql.push(&format!(" AND f.path_id {not}IN "));
                        push_subtree(sql, filter.project, &ids);
                    }
                }
            }
            Clause::Failed(test) => push_bool(sql, "f.error", test),
            Clause::Counted(test) => push_bool(sql, "f.why = 0", test),
            Clause::Flag(test) => push_flags(sql, test),
            Clause::Unpriced(test) => {
                let codes = |reasons: &[Option<Unpriced>]| -> Vec<Option<i64>> {
                    reasons
                        .iter()
                        .map(|reason| reason.map(unpriced_code))
                        .collect()
                };
                let column = |sql: &mut Sql| {
                    sql.push("f.unpriced");
                };
                push_text(sql, column, &codes(&test.any), &codes(&test.none));
            }
            Clause::System(test) => {
                let column = |sql: &mut Sql| {
                    sql.push("f.sent_system");
                };
                push_text(sql, column, &test.any, &test.none);
            }
        }
    }
}

fn values(values: &[Option<String>]) -> Vec<Option<&str>> {
    values.iter().map(Option::as_deref).collect()
}

/// Unlike SQL's, our "not a" passes what is absent.
fn push_text<A: Copy + Into<super::sql::Arg>>(
    sql: &mut Sql,
    column: impl Fn(&mut Sql),
    any: &[Option<A>],
    none: &[Option<A>],
) {
    if !any.is_empty() {
        sql.push(" AND (");
        column(sql);
        sql.push(" IN ").bind_list(any.iter().flatten().copied());
        if any.iter().any(Option::is_none) {
            sql.push(" OR ");
            column(sql);
            sql.push(" IS NULL");
        }
        sql.push(")");
    }
    if none.iter().any(Option::is_none) {
        sql.push(" AND ");
        column(sql);
        sql.push(" IS NOT NULL");
    }
    if none.iter().any(Option::is_some) {
        sql.push(" AND (");
        column(sql);
        sql.push(" IS NULL OR ");
        column(sql);
        sql.push(" NOT IN ")
            .bind_list(none.iter().flatten().copied())
            .push(")");
    }
}

fn push_bool(sql: &mut Sql, condition: &str, test: &OneOf<bool>) {
    match (test.passes(&true), test.passes(&false)) {
        (true, true) => sql,
        (true, false) => sql.push(&format!(" AND {condition}")),
        (false, true) => sql.push(&format!(" AND NOT ({condition})")),
        (false, false) => sql.push(" AND 1 = 0"),
    };
}

fn push_flags(sql: &mut Sql, test: &OneOf<Option<costflame_pricing::Flag>>) {
    let condition = |flag: &Option<costflame_pricing::Flag>| match flag {
        Some(flag) => format!("(f.flags & {}) <> 0", 1_u32 << *flag as u8),
        None => "f.flags = 0".to_owned(),
    };
    if !test.any.is_empty() {
        let any: Vec<_> = test.any.iter().map(condition).collect();
        sql.push(&format!(" AND ({})", any.join(" OR ")));
    }
    for flag in &test.none {
        sql.push(&format!(" AND NOT ({})", condition(flag)));
    }
}

/// The stored number of a reason.
pub(crate) const fn unpriced_code(reason: Unpriced) -> i64 {
    reason as i64
}

/// Paths at or below one of `ids`.
fn push_subtree(sql: &mut Sql, project: i32, ids: &[[u8; 16]]) {
    sql.push("(WITH RECURSIVE below (path_id) AS (SELECT path_id FROM paths WHERE project_id = ")
        .bind(project);
    sql.push(" AND path_id IN ")
        .bind_list(ids.iter().map(|id| &id[..]));
    sql.push(" UNION SELECT p.path_id FROM paths p JOIN below ON p.parent_id = below.path_id WHERE p.project_id = ");
    sql.bind(project).push(") SELECT path_id FROM below)");
}

fn push_tool(sql: &mut Sql, project: i32, test: &OneOf<Option<String>>) {
    let absent = |values: &[Option<String>]| values.iter().any(Option::is_none);
    if !test.any.is_empty() {
        sql.push(" AND (f.path_id IN ");
        push_below_tools(sql, project, Some(&test.any));
        if absent(&test.any) {
            sql.push(" OR f.path_id NOT IN ");
            push_below_tools(sql, project, None);
        }
        sql.push(")");
    }
    if absent(&test.none) {
        sql.push(" AND f.path_id IN ");
        push_below_tools(sql, project, None);
    }
    if test.none.iter().any(Option::is_some) {
        sql.push(" AND f.path_id NOT IN ");
        push_below_tools(sql, project, Some(&test.none));
    }
}

/// Paths whose nearest tool frame has one of the labels; without labels, paths with any tool frame.
fn push_below_tools(sql: &mut Sql, project: i32, labels: Option<&[Option<String>]>) {
    let tool = FrameKind::Tool as u8;
    sql.push("(WITH RECURSIVE below (path_id) AS (SELECT path_id FROM paths WHERE project_id = ")
        .bind(project);
    sql.push(&format!(" AND kind = {tool}"));
    if let Some(labels) = labels {
        sql.push(" AND label IN ")
            .bind_list(labels.iter().flatten().map(String::as_str));
    }
    sql.push(" UNION SELECT p.path_id FROM paths p JOIN below ON p.parent_id = below.path_id WHERE p.project_id = ");
    sql.bind(project);
    if labels.is_some() {
        sql.push(&format!(" AND p.kind <> {tool}"));
    }
    sql.push(") SELECT path_id FROM below)");
}
