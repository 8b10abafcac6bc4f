//! A transaction that a dropped future cannot leave half done.

use sqlx::{Database, Executor, Pool, pool::PoolConnection};

use crate::StoreError;

/// One transaction on a pooled connection. Unless it is committed, the connection is closed
/// instead of going back to the pool: a future dropped in the middle of COPY leaves the protocol
/// in a state that a ROLLBACK cannot repair, and closing rolls back on both databases.
#[derive(Debug)]
pub(crate) struct Guard<DB: Database> {
    connection: Option<PoolConnection<DB>>,
}

impl<DB: Database> Guard<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// Opens a transaction with `sql`: `BEGIN`, `BEGIN IMMEDIATE`.
    pub(crate) async fn begin(pool: &Pool<DB>, sql: &'static str) -> Result<Self, StoreError> {
        let mut guard = Self {
            connection: Some(pool.acquire().await?),
        };
        guard.connection().execute(sqlx::raw_sql(sql)).await?;
        Ok(guard)
    }

    /// The connection inside the transaction.
    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        self.connection
            .as_mut()
            .expect("taken only by commit and drop")
    }

    /// Commits. After an error it is unknown whether the transaction took place.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.commit_with("COMMIT").await
    }

    /// Commits with `sql`, which may leave the connection as it is to be afterwards.
    pub(crate) async fn commit_with(mut self, sql: &'static str) -> Result<(), StoreError> {
        self.connection().execute(sqlx::raw_sql(sql)).await?;
        self.connection = None;
        Ok(())
    }
}

impl<DB: Database> Drop for Guard<DB> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}
