//! The bare rate of the database: the rows that landed, written again into an empty copy of their table with its
//! index, in transactions of the same size, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::{figures::Figures, target::Database};

/// Rows of one transaction, as the collector's.
const ROWS: i64 = 8_192;
/// Transactions' worth of rows that are prepared; they are written round and round.
const CHUNKS: i64 = 12;

/// Notes `raw_rows_per_s`; the database must hold landed rows.
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &Database,
    time: Duration,
) -> Result<()> {
    let rate = match database {
        Database::Sqlite { folder } => {
            sqlite(folder.path().join("c.db").display().to_string(), time).await?
        }
        Database::Postgres { server } => postgres(&server.url(), time).await?,
    };
    figures.add(database.name(), "raw_rows_per_s", rate);
    Ok(())
}

/// COPY of binary rows that were encoded before the clock starts.
async fn postgres(url: &str, time: Duration) -> Result<f64> {
    let mut connection = PgConnection::connect(url).await.context("cannot connect")?;
    for statement in [
        "CREATE TABLE raw_landing (LIKE landing INCLUDING DEFAULTS)",
        "CREATE INDEX raw_landing_trace ON raw_landing (lane, trace_id)",
    ] {
        sqlx::query(statement).execute(&mut connection).await?;
    }
    let mut chunks = Vec::new();
    for chunk in 0..CHUNKS {
        let copy = format!(
            "COPY (SELECT * FROM landing LIMIT {ROWS} OFFSET {}) TO STDOUT (FORMAT binary)",
            chunk * ROWS
        );
        let parts: Vec<bytes::Bytes> = connection.copy_out_raw(&copy).await?.try_collect().await?;
        chunks.push(parts.concat());
    }
    let (mut rows, start) = (0, Instant::now());
    for chunk in chunks.iter().cycle() {
        let mut copy = connection
            .copy_in_raw("COPY raw_landing FROM STDIN (FORMAT binary)")
            .await?;
        copy.send(chunk.as_slice()).await?;
        rows += copy.finish().await?;
        if start.elapsed() > time {
            break;
        }
    }
    Ok(per_second(rows, start))
}

/// INSERT … SELECT from a table in memory: no client, no encoding, the disk and the index alone.
async fn sqlite(path: String, time: Duration) -> Result<f64> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{path}"))
        .await
        .context("cannot open")?;
    let schema: String = sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE name = 'landing'")
        .fetch_one(&mut connection)
        .await?;
    ensure!(
        schema.starts_with("CREATE TABLE landing"),
        "the landing table looks unexpected"
    );
    let raw = schema.replacen("CREATE TABLE landing", "CREATE TABLE raw_landing", 1);
    for statement in [
        "PRAGMA synchronous = FULL".to_owned(),
        raw,
        "CREATE INDEX raw_landing_trace ON raw_landing (lane, trace_id)".to_owned(),
        format!(
            "CREATE TEMP TABLE prepared AS SELECT * FROM landing LIMIT {}",
            ROWS * CHUNKS
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await?;
    }
    let (mut rows, start) = (0, Instant::now());
    for chunk in (0..CHUNKS).cycle() {
        let insert =
            "INSERT INTO raw_landing SELECT * FROM prepared WHERE rowid > $1 AND rowid <= $2";
        let done = sqlx::query(insert)
            .bind(chunk * ROWS)
            .bind((chunk + 1) * ROWS)
            .execute(&mut connection)
            .await?;
        rows += done.rows_affected();
        if start.elapsed() > time {
            break;
        }
    }
    Ok(per_second(rows, start))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_second(rows: u64, start: Instant) -> f64 {
    rows as f64 / start.elapsed().as_secs_f64()
}
