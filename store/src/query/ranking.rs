//! Values of users, sessions, prompts and tags: there may be many, so the database ranks them.

use super::{
    ask::{Ask, By, Value},
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses, push_column},
    facts::{facts, push_call_range, push_value_rows, within},
    filter::{Column, Filter},
    pieces::{Piece, pieces},
    snapshot::Snapshot,
    source::{ranks_from, with_value},
    sql::Sql,
    sums::{Sums, Wanted, call_columns, read_rollup_sums, rollup_columns, rollup_sums},
};
use crate::StoreError;

/// The dearest values with their sums.
pub(crate) struct Ranking {
    /// By cost, then calls, then value; at most as many as asked for.
    pub(crate) top: Vec<(Value, Sums)>,
    /// How many values there are.
    pub(crate) values: u64,
}

/// Ranks the values of a column outside of the series among counted calls. `total` are the sums over
/// all of them: what no value has is what is left.
pub(crate) async fn rank(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
    limit: usize,
    total: &Sums,
) -> Result<Ranking, StoreError> {
    let wanted = Wanted::read(snapshot, filter.project, false).await?;
    let rows = Rows::find(snapshot, filter, column).await?;
    let mut sql = snapshot.sql(
        "SELECT * FROM (SELECT value, COUNT(*) OVER (), CAST(SUM(SUM(calls)) OVER () AS bigint), ",
    );
    let dialect = sql.dialect;
    sql.push(&rollup_sums(dialect, wanted));
    sql.push(&format!(
        ", SUM(calls) AS n, {} FROM (",
        dialect.rank_of_sums("cost")
    ));
    rows.push(&mut sql, wanted);
    sql.push(
        ") f GROUP BY value HAVING SUM(calls) > 0) v ORDER BY rank_hi DESC, rank_lo DESC, n DESC, ",
    );
    sql.push(&format!(
        "CASE WHEN value IS NULL THEN 1 ELSE 0 END, value {} LIMIT ",
        dialect.bytewise()
    ));
    sql.bind(limit);
    let (mut top, mut values, mut calls) = (Vec::new(), 0, 0);
    let each = snapshot.each(sql, |row| {
        (values, calls) = (row.count(1)?, row.count(2)?);
        top.push((
            row.maybe_text(0)?.into(),
            read_rollup_sums(&row, 3, wanted)?,
        ));
        Ok(true)
    });
    each.await?;

    // What has no value is in no row of the tables by dimension.
    if rows.pieces.is_some() && calls < total.calls {
        let ask = Ask::by(By::Nothing);
        let present = facts(snapshot, &with_value(filter, column), ask)
            .await?
            .into_values()
            .next();
        let absent = total.less(&present.unwrap_or_default());
        if absent.calls > 0 {
            values += 1;
            top.push((Value::Absent, absent));
        }
    }
    sort(&mut top);
    top.truncate(limit);
    Ok(Ranking { top, values })
}

/// By cost, then calls, largest first, then value.
pub(crate) fn sort(rows: &mut [(Value, Sums)]) {
    rows.sort_unstable_by(|(a, a_sums), (b, b_sums)| {
        let size = |sums: &Sums| std::cmp::Reverse((sums.cost, sums.calls));
        size(a_sums).cmp(&size(b_sums)).then_with(|| a.cmp(b))
    });
}

/// The values with the most counted calls that `wanted` accepts, at most `limit`, and whether there
/// are more. Reading ends when enough have been found.
pub(crate) async fn most_called(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
    wanted: impl Fn(&str) -> bool,
    limit: usize,
) -> Result<(Vec<(Value, u64)>, bool), StoreError> {
    let rows = Rows::find(snapshot, filter, column).await?;
    let mut sql = snapshot.sql("SELECT value, CAST(SUM(calls) AS bigint) FROM (");
    rows.push(&mut sql, Wanted::COUNTS);
    sql.push(") f WHERE value IS NOT NULL GROUP BY value HAVING SUM(calls) > 0 ORDER BY SUM(calls) DESC, value ");
    let bytewise = sql.dialect.bytewise();
    sql.push(bytewise);
    let (mut found, mut more) = (Vec::new(), false);
    let each = snapshot.each(sql, |row| {
        let value = row.text(0)?;
        if wanted(&value) {
            more = found.len() == limit;
            if !more {
                found.push((Value::Text(value), row.count(1)?));
            }
        }
        Ok(!more)
    });
    each.await?;
    Ok((found, more))
}

/// Rows of (value, sums) whose sums add up to those of a filter: from the tables by dimension where they can answer,
/// apart from calls without a value; from calls for the rest.
struct Rows<'a> {
    filter: &'a Filter,
    column: &'a Column,
    /// `None` = calls of the whole range.
    pieces: Option<Vec<Piece>>,
}

impl<'a> Rows<'a> {
    async fn find(
        snapshot: &mut Snapshot,
        filter: &'a Filter,
        column: &'a Column,
    ) -> Result<Self, StoreError> {
        let pieces = match ranks_from(filter, column) {
            Some(source) => Some(pieces(snapshot, filter, column, source).await?),
            None => None,
        };
        Ok(Self {
            filter,
            column,
            pieces,
        })
    }

    fn push(&self, sql: &mut Sql, wanted: Wanted) {
        let (filter, column) = (self.filter, self.column);
        let Some(pieces) = &self.pieces else {
            return push_calls(sql, filter, column, wanted);
        };
        let present = with_value(filter, column);
        let nothing = [Piece::Calls((0, 0))];
        let pieces = if pieces.is_empty() {
            &nothing[..]
        } else {
            pieces
        };
        for (number, piece) in pieces.iter().enumerate() {
            sql.push(if number == 0 { "" } else { " UNION ALL " });
            match piece {
                Piece::Calls(range) => push_calls(sql, &within(&present, *range), column, wanted),
                Piece::LessCalls(range) => {
                    let columns = rollup_columns(sql.dialect, wanted).replace(", ", ", -");
                    sql.push(&format!("SELECT value, -{columns} FROM ("));
                    push_calls(sql, &within(&present, *range), column, wanted);
                    sql.push(") less");
                }
                sums => {
                    let columns = rollup_columns(sql.dialect, wanted);
                    sql.push(&format!("SELECT f.value, {columns} FROM ("));
                    push_value_rows(sql, filter, column, sums, wanted);
                    sql.push(") f");
                    if needs_series(filter) {
                        sql.push(JOIN_SERIES);
                    }
                    sql.push(" WHERE 1 = 1");
                    push_clauses(sql, filter, sums.source());
                }
            }
        }
    }
}

fn push_calls(sql: &mut Sql, filter: &Filter, column: &Column, wanted: Wanted) {
    sql.push("SELECT ");
    push_column(sql, column, Source::Calls);
    let columns = call_columns(sql.dialect, wanted);
    sql.push(&format!(" AS value, {columns} FROM calls f"));
    if needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.project_id = ").bind(filter.project);
    push_call_range(sql, (filter.from_us, filter.to_us));
    push_clauses(sql, filter, Source::Calls);
}
