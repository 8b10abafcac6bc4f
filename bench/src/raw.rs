//! The bare rate of the database: landed rows and calls, written again into empty copies of their tables with all their
//! indexes, in transactions of the same size, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes, BytesMut};
use futures::{TryStreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::{figures::Figures, target::Database};

/// Landed rows of one transaction, as the collector's.
const ROWS: usize = 8_192;
/// Calls of one transaction: half of the spans.
const CALLS: usize = ROWS / 2;

/// Notes `raw_spans_per_s`; the database must hold landed rows and the calls among them.
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &Database,
    time: Duration,
) -> Result<()> {
    let (landing, both) = match database {
        Database::Sqlite { folder } => {
            sqlite(folder.path().join("c.db").display().to_string(), time).await?
        }
        Database::Postgres { server } => postgres(&server.url(), time).await?,
    };
    figures.add(database.name(), "raw_landing_rows_per_s", landing);
    figures.add(database.name(), "raw_spans_per_s", both);
    Ok(())
}

/// Seconds spent on landed rows and on calls, and how many landed rows there were.
#[derive(Default)]
struct Spent {
    landing: f64,
    calls: f64,
    rows: usize,
}

impl Spent {
    /// Landed rows per second: of those alone, and with the calls among them.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn rates(&self) -> Result<(f64, f64)> {
        ensure!(self.rows > 0, "too few rows for one transaction");
        let rows = self.rows as f64;
        Ok((rows / self.landing, rows / (self.landing + self.calls)))
    }
}

/// COPY of binary rows. Reading them from where they are is not timed.
async fn postgres(url: &str, time: Duration) -> Result<(f64, f64)> {
    let mut connection = PgConnection::connect(url).await.context("cannot connect")?;
    for statement in [
        "CREATE TABLE raw_landing (LIKE landing INCLUDING ALL)",
        "CREATE TABLE raw_calls (LIKE calls INCLUDING ALL)",
    ] {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    let (mut landing, mut calls) = (
        PgConnection::connect(url).await?,
        PgConnection::connect(url).await?,
    );
    let mut landing = Rows::of(&mut landing, "landing").await?;
    let mut calls = Rows::of(&mut calls, "calls").await?;
    let mut spent = Spent::default();
    while spent.landing + spent.calls < time.as_secs_f64() {
        let Some((some, of_them)) = landing.next(ROWS).await?.zip(calls.next(CALLS).await?) else {
            break;
        };
        spent.landing += copy(&mut connection, "raw_landing", &some).await?;
        spent.calls += copy(&mut connection, "raw_calls", &of_them).await?;
        spent.rows += ROWS;
    }
    spent.rates()
}

async fn copy(connection: &mut PgConnection, table: &str, rows: &[u8]) -> Result<f64> {
    let start = Instant::now();
    let mut copy = connection
        .copy_in_raw(&format!("COPY {table} FROM STDIN (FORMAT binary)"))
        .await?;
    for part in rows.chunks(256 << 10) {
        copy.send(part).await?;
    }
    copy.finish().await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Rows of a table in the binary format of COPY, a transaction's worth at a time.
struct Rows<'c> {
    stream: BoxStream<'c, sqlx::Result<Bytes>>,
    read: BytesMut,
}

/// Signature, flags and an empty extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

impl<'c> Rows<'c> {
    async fn of(connection: &'c mut PgConnection, table: &str) -> Result<Self> {
        let copy = format!("COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)");
        let mut rows = Self {
            stream: connection.copy_out_raw(&copy).await?,
            read: BytesMut::new(),
        };
        ensure!(rows.fill(HEADER.len()).await?, "no header");
        rows.read.advance(HEADER.len());
        Ok(rows)
    }

    /// So many rows as a whole stream; `None` when fewer are left.
    async fn next(&mut self, rows: usize) -> Result<Option<Vec<u8>>> {
        let mut end = 0;
        for _ in 0..rows {
            if !self.fill(end + 2).await? {
                return Ok(None);
            }
            let columns = (&self.read[end..]).get_i16();
            end += 2;
            for _ in 0..columns {
                ensure!(self.fill(end + 4).await?, "half a row");
                let length = (&self.read[end..]).get_i32();
                end += 4 + usize::try_from(length.max(0))?;
            }
            if columns < 0 || !self.fill(end).await? {
                return Ok(None);
            }
        }
        let rows = self.read.split_to(end);
        Ok(Some([HEADER, &rows, &TRAILER].concat()))
    }

    /// True when so many bytes could be read.
    async fn fill(&mut self, bytes: usize) -> Result<bool> {
        while self.read.len() < bytes {
            let Some(more) = self.stream.try_next().await? else {
                return Ok(false);
            };
            self.read.extend_from_slice(&more);
        }
        Ok(true)
    }
}

/// INSERT … SELECT: no client, no encoding, the disk and the indexes alone.
async fn sqlite(path: String, time: Duration) -> Result<(f64, f64)> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{path}"))
        .await
        .context("cannot open")?;
    let mut statements = vec!["PRAGMA synchronous = FULL".to_owned()];
    for table in ["landing", "calls"] {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT sql FROM sqlite_schema WHERE tbl_name = $1 AND sql IS NOT NULL ORDER BY type DESC",
        )
        .bind(table)
        .fetch_all(&mut connection)
        .await?;
        for sql in found {
            // `CREATE TABLE landing …`, `CREATE INDEX landing_trace ON landing …`
            let copy = sql
                .replacen(" TABLE ", " TABLE raw_", 1)
                .replacen(" INDEX ", " INDEX raw_", 1)
                .replacen(" ON ", " ON raw_", 1)
                .replace('"', "");
            statements.push(copy);
        }
    }
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone()))
            .execute(&mut connection)
            .await
            .context(statement)?;
    }
    let mut spent = Spent::default();
    while spent.landing + spent.calls < time.as_secs_f64() {
        let (landing, rows) = insert(&mut connection, "landing", ROWS, spent.rows).await?;
        let (calls, _) = insert(&mut connection, "calls", CALLS, spent.rows / 2).await?;
        if rows < ROWS as u64 {
            break;
        }
        spent.landing += landing;
        spent.calls += calls;
        spent.rows += ROWS;
    }
    spent.rates()
}

async fn insert(
    connection: &mut SqliteConnection,
    table: &str,
    rows: usize,
    after: usize,
) -> Result<(f64, u64)> {
    let sql = format!(
        "INSERT INTO raw_{table} SELECT * FROM {table} WHERE rowid > $1 ORDER BY rowid LIMIT $2"
    );
    let start = Instant::now();
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(i64::try_from(after)?)
        .bind(i64::try_from(rows)?)
        .execute(connection)
        .await?;
    Ok((start.elapsed().as_secs_f64(), done.rows_affected()))
}
