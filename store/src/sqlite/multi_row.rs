//! `INSERT … VALUES (…), (…), …`: one call into SQLite's thread for many rows.

use std::fmt::Write as _;

use sqlx::{SqliteConnection, query::Query, sqlite::SqliteArguments};

use crate::StoreError;

/// A statement under construction.
pub(super) type Insert = Query<'static, sqlx::Sqlite, SqliteArguments>;

/// Parameters in the largest statement; SQLite allows 32,766.
const PARAMETERS: usize = 4096;

/// The same insert with many rows, with few, and with one: three statements stay prepared.
pub(super) struct MultiRow {
    sizes: [(usize, String); 3],
}

impl MultiRow {
    /// Inserts into `columns` (`count` of them) of `table`; `conflict` is added at the end.
    pub(super) fn new(table: &str, columns: &str, count: usize, conflict: &str) -> Self {
        let row = vec!["?"; count].join(", ");
        Self::of(table, columns, &row, count, conflict)
    }

    /// The same with a `row` of values of which `count` are parameters.
    pub(super) fn of(table: &str, columns: &str, row: &str, count: usize, conflict: &str) -> Self {
        let many = (PARAMETERS / count).max(1);
        let few = (many / 12).max(1);
        Self {
            sizes: [many, few, 1]
                .map(|rows| (rows, statement(table, columns, row, rows, conflict))),
        }
    }

    /// Inserts all rows.
    pub(super) async fn insert<T>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(Insert, &T) -> Insert,
    ) -> Result<(), StoreError> {
        let mut left = rows;
        let mut next = || {
            let (size, sql) = self.sizes.iter().find(|(size, _)| *size <= left.len())?;
            let (now, later) = left.split_at(*size);
            left = later;
            Some(now.iter().fold(sqlx::query(sql.as_str()), &bind))
        };
        let mut ready = next();
        while let Some(insert) = ready {
            // While SQLite's thread is at one statement, the next is made ready.
            let (done, following) =
                tokio::join!(insert.execute(&mut *connection), async { next() });
            done?;
            ready = following;
        }
        Ok(())
    }
}

fn statement(table: &str, columns: &str, row: &str, rows: usize, conflict: &str) -> String {
    let row = format!("({row})");
    let mut sql = format!("INSERT INTO {table} ({columns}) VALUES ");
    sql.push_str(&vec![row; rows].join(", "));
    let _ = write!(sql, " {conflict}");
    sql
}
