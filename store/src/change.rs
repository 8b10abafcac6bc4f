//! Small changes, written once for both databases: projects, keys and what else people administer.

use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError,
    guard::Guard,
    query::{Arg, Dialect, Sql},
    store::Backend,
};

/// Executes statements in one transaction, then those that follow from how many rows each changed.
macro_rules! execute {
    ($guard:expr, $statements:expr, $then:expr) => {{
        let mut guard = $guard;
        let changed = execute!(guard, $statements);
        execute!(guard, $then(&changed));
        guard.commit().await?;
        Ok(changed)
    }};
    ($guard:expr, $statements:expr) => {{
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
            changed.push(query.execute($guard.connection()).await?.rows_affected());
        }
        changed
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
        self.change_then(statements, |_| Vec::new()).await
    }

    /// The same, and in the same transaction the statements that follow from these numbers.
    pub(crate) async fn change_then(
        &self,
        statements: Vec<Sql>,
        then: impl FnOnce(&[u64]) -> Vec<Sql>,
    ) -> Result<Vec<u64>, StoreError> {
        match &self.backend {
            Backend::Sqlite(database) => {
                execute!(
                    Guard::begin(&database.writer, "BEGIN IMMEDIATE").await?,
                    statements,
                    then
                )
            }
            Backend::Postgres(database) => {
                execute!(database.begin_plain().await?, statements, then)
            }
        }
    }

    /// The same with one statement.
    pub(crate) async fn change_one(&self, sql: Sql) -> Result<u64, StoreError> {
        Ok(self.change(vec![sql]).await?.iter().sum())
    }
}
