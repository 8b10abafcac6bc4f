//! Deleting a project with everything that is its own.

use crate::{DEFAULT_PROJECT, Store, StoreError, store::Backend};

/// Tables with rows of projects, in the order in which they are emptied: marks before the spans they are for, differences before
/// the sums they are added to, so that whoever works on the project meanwhile finds nothing left to do.
pub(crate) const TABLES: [&str; 24] = [
    "dirty",
    "landing",
    "sampled_calls",
    "calls",
    "claims",
    "traces",
    "rollup_deltas",
    "dim_deltas",
    "trace_deltas",
    "rollups",
    "dim_rollups",
    "dim_paths",
    "dim_totals",
    "dim_wide",
    "trace_rollups",
    "paths",
    "series",
    "used_classes",
    "repricings",
    "deliveries",
    "api_keys",
    "users",
    "sessions",
    "saved_views",
];

impl Store {
    /// Ends all keys of a project for ever; servers follow within seconds. Returns how many it had.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn revoke_keys_of(&self, project: i32, now_us: i64) -> Result<u64, StoreError> {
        let mut sql = self.sql("UPDATE api_keys SET revoked_us = ");
        sql.bind(now_us)
            .push(" WHERE revoked_us IS NULL AND project_id = ");
        sql.bind(project);
        self.change_one(sql).await
    }

    /// Deletes a project: every row of every table that belongs to it, in one transaction that nobody settles beside. Returns
    /// how many rows that were; what a server was still committing may be left, so it is repeated until nothing is.
    ///
    /// # Errors
    /// When the database cannot be written, then nothing is deleted; when it is [`DEFAULT_PROJECT`], which stays.
    pub async fn delete_project(&self, project: i32, now_us: i64) -> Result<u64, StoreError> {
        if project == DEFAULT_PROJECT {
            return Err(StoreError::Refused(
                "the default project stays; its traces can be deleted".to_owned(),
            ));
        }
        let mut statements = Vec::new();
        if let Backend::Postgres(_) = &self.backend {
            // Whoever settles holds one of them.
            statements.push(self.sql("SELECT lane FROM lanes ORDER BY lane FOR UPDATE"));
        }
        let mut outbox = self.sql(
            "DELETE FROM outbox WHERE id IN (SELECT outbox_id FROM deliveries WHERE project_id = ",
        );
        outbox.bind(project).push(")");
        statements.push(outbox);
        let first = statements.len();
        for table in TABLES {
            let mut sql = self.sql("DELETE FROM ");
            sql.push(table).push(" WHERE project_id = ").bind(project);
            statements.push(sql);
        }
        let mut sql = self.sql("DELETE FROM projects WHERE id = ");
        sql.bind(project);
        statements.push(sql);
        let place = |name| first + TABLES.iter().position(|table| *table == name).unwrap_or(0);
        let changed = self.change(statements).await?;
        let rows: u64 = changed[first..].iter().sum();
        if rows > 0 {
            let mut note =
                self.sql("INSERT INTO deletions (at_us, why, traces, calls, forwarded) VALUES (");
            note.bind(now_us).push(", 'project', ");
            note.bind(changed[place("traces")].cast_signed()).push(", ");
            note.bind(changed[place("calls")].cast_signed()).push(", ");
            note.bind(changed[place("deliveries")].cast_signed())
                .push(")");
            self.change_one(note).await?;
            tracing::info!(project, rows, "a project was deleted");
        }
        Ok(rows)
    }
}
