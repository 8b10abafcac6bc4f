//! Small changes, written once for both databases: projects, keys and what else people administer.

use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError,
    guard::Guard,
    query::{Arg, Dialect, Sql},
    store::Backend,
};

/// Executes statements in one transaction and says how many rows each changed.
macro_rules! execute {
    ($guard:expr, $statements:expr) => {{
        let mut guard = $guard;
        let mut changed = Vec::new();
        for sql in $statements {
            // Unnamed, so that a pooler in transaction mode may stand in between.
            let mut query = sqlx::query(AssertSqlSafe(sql.text)).persistent(false);
            for arg in sql.args {
                query = match arg {
                    Arg::Int(value) => query.bind(value),
                    Arg::Text(value) => query.bind(value),
                    Arg::Bytes(value) => query.bind(value),
                };
            }
            changed.push(query.execute(guard.connection()).await?.rows_affected());
        }
        guard.commit().await?;
        Ok(changed)
    }};
}

impl Store {
    /// Starts a statement for [`Store::change`].
    pub(crate) fn sql(&self, text: &str) -> Sql {
        let dialect = match &self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        };
        Sql::new(dialect, text)
    }

    /// Executes statements in one transaction; returns how many rows each of them changed.
    pub(crate) async fn change(&self, statements: Vec<Sql>) -> Result<Vec<u64>, StoreError> {
        match &self.backend {
            Backend::Sqlite(database) => {
                execute!(
                    Guard::begin(&database.writer, "BEGIN IMMEDIATE").await?,
                    statements
                )
            }
            Backend::Postgres(database) => execute!(database.begin_plain().await?, statements),
        }
    }

    /// The same with one statement.
    pub(crate) async fn change_one(&self, sql: Sql) -> Result<u64, StoreError> {
        Ok(self.change(vec![sql]).await?.iter().sum())
    }
}
