//! Writing many rows quickly: COPY on Postgres, long INSERTs on SQLite, the same rows on both.

use anyhow::{Context, Result};
use costflame_store::SUMS;
use sqlx::{AssertSqlSafe, Connection, PgConnection, QueryBuilder, Sqlite, SqliteConnection};

/// Bytes of COPY sent at once.
const CHUNK: usize = 1 << 20;
/// Most parameters of one statement on SQLite.
const PARAMETERS: usize = 32_000;

/// A value of a row.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Int(i64),
    /// numeric on Postgres, two halves on SQLite.
    Wide(i128),
    Text(String),
    Bytes(Vec<u8>),
    Null,
}

/// True when no call is stored.
pub(super) async fn is_empty(url: &str) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM calls)";
    if url.starts_with("postgres") {
        let mut connection = PgConnection::connect(url).await?;
        return Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?);
    }
    let mut connection = SqliteConnection::connect(url).await?;
    let is_empty = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(is_empty)
}

/// One connection of either kind.
pub(super) enum Loader {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Loader {
    pub(super) async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(PgConnection::connect(url).await?));
        }
        let mut loader = Self::Sqlite(SqliteConnection::connect(url).await?);
        // Nothing of it has to survive a crash, and the index of ten million random keys fits into memory.
        for pragma in [
            "journal_mode = OFF",
            "synchronous = OFF",
            "cache_size = -1500000",
        ] {
            loader.run(&format!("PRAGMA {pragma}")).await?;
        }
        Ok(loader)
    }

    /// Ends it; SQLite goes back to its usual journal.
    pub(super) async fn close(mut self) -> Result<()> {
        if matches!(self, Self::Sqlite(_)) {
            self.run("PRAGMA journal_mode = WAL").await?;
        }
        match self {
            Self::Sqlite(connection) => connection.close().await?,
            Self::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }

    /// What a database does by itself in a month: statistics, and on Postgres the visibility map.
    pub(super) async fn tidy(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.run("ANALYZE").await,
            Self::Postgres(_) => self.run("VACUUM (ANALYZE)").await,
        }
    }

    pub(super) async fn run(&mut self, sql: &str) -> Result<()> {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(|_| ()),
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(|_| ()),
        };
        done.context("a statement of the load failed")
    }

    /// Writes rows into the columns of a table.
    pub(super) async fn rows(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: impl Iterator<Item = Vec<Cell>>,
    ) -> Result<()> {
        match self {
            Self::Postgres(connection) => copy(connection, table, columns, rows).await,
            Self::Sqlite(connection) => insert(connection, table, columns, rows).await,
        }
    }
}

async fn copy(
    connection: &mut PgConnection,
    table: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<()> {
    let sql = format!("COPY {table} ({}) FROM STDIN", columns.join(", "));
    let mut copy = connection.copy_in_raw(&sql).await?;
    let mut text = String::with_capacity(CHUNK + 4096);
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { "\t" });
            match cell {
                Cell::Int(value) => text.push_str(&value.to_string()),
                Cell::Wide(value) => text.push_str(&value.to_string()),
                Cell::Text(value) => text.push_str(value),
                Cell::Bytes(bytes) => {
                    text.push_str("\\\\x");
                    text.extend(bytes.iter().flat_map(|byte| hex(*byte)));
                }
                Cell::Null => text.push_str("\\N"),
            }
        }
        text.push('\n');
        if text.len() >= CHUNK {
            copy.send(text.as_bytes()).await?;
            text.clear();
        }
    }
    copy.send(text.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
}

async fn insert(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<()> {
    let is_wide =
        |column: &&str| SUMS.contains(column) || matches!(*column, "tokens_in" | "tokens_out");
    let wide_table = !matches!(table, "seeds" | "leaves");
    let names: Vec<String> = columns
        .iter()
        .map(|column| match wide_table && is_wide(column) {
            true => format!("{column}_hi, {column}_lo"),
            false => (*column).to_owned(),
        })
        .collect();
    let head = format!("INSERT INTO {table} ({}) ", names.join(", "));
    let width = names.len() * 2;
    let mut rows = rows.peekable();
    let mut transaction = connection.begin().await?;
    while rows.peek().is_some() {
        let some: Vec<_> = rows.by_ref().take(PARAMETERS / width).collect();
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(&head);
        query.push_values(some, |mut values, row| {
            for cell in row {
                match cell {
                    Cell::Int(value) => values.push_bind(value),
                    Cell::Wide(value) => {
                        let half = |value: i128| i64::try_from(value).unwrap_or_default();
                        values
                            .push_bind(half(value >> 32))
                            .push_bind(half(value & 0xffff_ffff))
                    }
                    Cell::Text(value) => values.push_bind(value),
                    Cell::Bytes(value) => values.push_bind(value),
                    Cell::Null => values.push("NULL"),
                };
            }
        });
        query.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
