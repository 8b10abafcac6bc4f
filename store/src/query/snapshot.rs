//! Reading: one snapshot of either database, rows without their differences.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use costflame_pricing::Receipt;
use futures::TryStreamExt;
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction, postgres::PgRow,
    sqlite::SqliteRow,
};
use tokio::sync::OwnedSemaphorePermit;

use super::sql::{Arg, Dialect, Sql, read_sum};
use crate::{ClassSet, StoreError, guard::Guard, packed};

/// Longest answer; a statement that takes longer is interrupted, also when nobody waits for it any more.
const LONGEST: Duration = Duration::from_secs(30);

/// The same for Postgres, which also looks whether anybody is still there. Sums of many numerics need
/// room, and are not worth compiling.
const BEGIN_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SET LOCAL statement_timeout = '30s'; SET LOCAL client_connection_check_interval = '1s'; \
     SET LOCAL work_mem = '64MB'; SET LOCAL jit = off";

/// Instructions of SQLite between two looks at the clock: some milliseconds.
const LOOK_EVERY: i32 = 1_000_000;

/// One state of the database: everything read through it belongs together. Read only; holds a
/// connection until dropped.
#[derive(Debug)]
pub struct Snapshot {
    open: Open,
    /// Nobody waits for what is still being computed.
    abandoned: Arc<AtomicBool>,
    /// A statement is under way.
    busy: bool,
    /// Of a cluster of Postgres servers.
    distributed: bool,
    /// A place among those who ask at the same time.
    _turn: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    /// Taken only when dropped.
    Postgres(Option<Guard<Postgres>>),
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        // A connection with a statement under way is closed instead, and the server gives up.
        if let Open::Postgres(guard) = &mut self.open
            && !self.busy
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
            && let Some(guard) = guard.take()
        {
            runtime.spawn(guard.commit());
        }
    }
}

impl Snapshot {
    /// A snapshot of SQLite, taken at the first read.
    pub(crate) async fn of_sqlite(reader: &SqlitePool) -> Result<Self, StoreError> {
        let mut transaction = reader.begin().await?;
        let end = Instant::now() + LONGEST;
        let abandoned = Arc::new(AtomicBool::new(false));
        let is_abandoned = Arc::clone(&abandoned);
        // The pool takes it away again when the connection comes back.
        transaction
            .lock_handle()
            .await?
            .set_progress_handler(LOOK_EVERY, move || {
                !is_abandoned.load(Ordering::Relaxed) && Instant::now() < end
            });
        Ok(Self {
            open: Open::Sqlite(transaction),
            abandoned,
            busy: false,
            distributed: false,
            _turn: None,
        })
    }

    /// A snapshot of Postgres, taken at the first read.
    pub(crate) async fn of_postgres(pool: &PgPool, distributed: bool) -> Result<Self, StoreError> {
        let guard = Guard::begin(pool, BEGIN_POSTGRES).await?;
        Ok(Self {
            open: Open::Postgres(Some(guard)),
            abandoned: Arc::default(),
            busy: false,
            distributed,
            _turn: None,
        })
    }

    /// Holds a place among those who ask until it is dropped.
    pub(crate) fn in_turn(mut self, turn: OwnedSemaphorePermit) -> Self {
        self._turn = Some(turn);
        self
    }

    /// Whose SQL to write.
    pub(crate) const fn dialect(&self) -> Dialect {
        match self.open {
            Open::Sqlite(_) => Dialect::Sqlite,
            Open::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Whether rows of many keys are looked up one by one: Citus does not take such statements.
    pub(crate) fn looks_up_one_by_one(&self) -> bool {
        self.dialect() == Dialect::Postgres && !self.distributed
    }

    /// Starts a statement.
    pub(crate) fn sql(&self, text: &str) -> Sql {
        Sql::new(self.dialect(), text)
    }

    /// Gives the rows one by one to `each`, until it answers false.
    pub(crate) async fn each(
        &mut self,
        sql: Sql,
        mut each: impl FnMut(Row) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        // Statements differ from request to request, so keeping them prepared would help nobody.
        macro_rules! run {
            ($connection:expr, $row:path) => {{
                let mut query = sqlx::query(AssertSqlSafe(sql.text)).persistent(false);
                for arg in sql.args {
                    query = match arg {
                        Arg::Int(value) => query.bind(value),
                        Arg::Text(value) => query.bind(value),
                        Arg::Bytes(value) => query.bind(value),
                    };
                }
                let mut rows = query.fetch($connection);
                while let Some(row) = rows.try_next().await? {
                    if !each($row(row))? {
                        break;
                    }
                }
            }};
        }
        self.busy = true;
        match &mut self.open {
            Open::Sqlite(transaction) => run!(&mut **transaction, Row::Sqlite),
            Open::Postgres(guard) => {
                let guard = guard.as_mut().expect("taken only when dropped");
                run!(guard.connection(), Row::Postgres);
            }
        }
        self.busy = false;
        Ok(())
    }

    /// All rows, read by `read`.
    pub(crate) async fn all<T>(
        &mut self,
        sql: Sql,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.each(sql, |row| {
            all.push(read(&row)?);
            Ok(true)
        })
        .await?;
        Ok(all)
    }

    /// The first row, if there is one.
    pub(crate) async fn first<T>(
        &mut self,
        sql: Sql,
        read: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut first = None;
        self.each(sql, |row| {
            first = Some(read(&row)?);
            Ok(false)
        })
        .await?;
        Ok(first)
    }
}

/// A row of either database, column by column from 0.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($row:expr, $column:expr) => {
        match $row {
            // Unchecked: Postgres has three widths of integers, all of them are read as the widest.
            Row::Sqlite(row) => row.try_get_unchecked($column),
            Row::Postgres(row) => row.try_get_unchecked($column),
        }
        .map_err(StoreError::from)
    };
}

impl Row {
    /// An integer of any width.
    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        get!(self, column)
    }

    /// An integer that may be absent.
    pub(crate) fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        get!(self, column)
    }

    /// A boolean.
    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        get!(self, column)
    }

    /// Text.
    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        get!(self, column)
    }

    /// Text that may be absent.
    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        get!(self, column)
    }

    /// Bytes.
    pub(crate) fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        get!(self, column)
    }

    /// Bytes that may be absent.
    pub(crate) fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
        get!(self, column)
    }

    /// Exactly `N` bytes.
    pub(crate) fn id<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        self.bytes(column)?
            .try_into()
            .map_err(|_| StoreError::corrupt("id", column))
    }

    /// Exactly `N` bytes that may be absent.
    pub(crate) fn maybe_id<const N: usize>(
        &self,
        column: usize,
    ) -> Result<Option<[u8; N]>, StoreError> {
        let Some(bytes) = self.maybe_bytes(column)? else {
            return Ok(None);
        };
        bytes
            .try_into()
            .map(Some)
            .map_err(|_| StoreError::corrupt("id", column))
    }

    /// A packed receipt.
    pub(crate) fn receipt(&self, column: usize) -> Result<Receipt, StoreError> {
        packed::read_receipt(&self.bytes(column)?)
    }

    /// A sum as [`Dialect::sum`] writes it.
    pub(crate) fn sum(&self, column: usize) -> Result<i128, StoreError> {
        read_sum(&self.text(column)?)
    }

    /// A count.
    pub(crate) fn count(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|error| StoreError::corrupt("count", error))
    }

    pub(crate) fn classes(&self, column: usize) -> Result<ClassSet, StoreError> {
        let bits = i32::try_from(self.int(column)?);
        bits.map(ClassSet)
            .map_err(|error| StoreError::corrupt("classes", error))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_is_interrupted() {
        const ENDLESS: &str = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n";
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(LONGEST / 2)
            .connect("sqlite::memory:")
            .await
            .unwrap();
        let mut asked = Snapshot::of_sqlite(&pool).await.unwrap();
        let sql = asked.sql(ENDLESS);
        let answer = asked.first(sql, |row| row.int(0));
        let gone = tokio::time::timeout(Duration::from_millis(20), answer).await;
        assert!(gone.is_err(), "there is no answer");
        drop(asked);

        // The only connection is free long before the time limit.
        let mut next = Snapshot::of_sqlite(&pool).await.unwrap();
        let sql = next.sql("SELECT 7");
        let answer = next.first(sql, |row| row.int(0)).await.unwrap();
        assert_eq!(answer, Some(7));
    }
}
