//! The audit log: who did what, from where, and what came of it. Only appended to.

use crate::{
    Store, StoreError,
    access::project_of,
    query::{Row, Sql},
};

/// Something that somebody is about to do, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Who: `user alice`, `openid bob`, `cli root`.
    pub actor: String,
    /// From where: an address, or the name of the machine.
    pub peer: String,
    /// Whose data or access it is about; `None` = of all projects.
    pub project: Option<i32>,
    /// What: `user.create`, `login`, …
    pub act: &'static str,
    /// What it was done to, never a secret.
    pub target: String,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Grows with time.
    pub id: i64,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Who.
    pub actor: String,
    /// From where.
    pub peer: String,
    /// Whose data or access it was about; `None` = of all projects.
    pub project: Option<i32>,
    /// What.
    pub act: String,
    /// What it was done to.
    pub target: String,
    /// What came of it: `done`, or why not.
    pub result: String,
}

/// What came of an act that changed something.
pub const DONE: &str = "done";

/// What came of one that did not, because there was no such thing, or there was already.
pub const NOTHING: &str = "nothing changed";

impl Store {
    /// Writes a line about something that was not done by this store's own methods, which write theirs themselves.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note(&self, act: &Act, result: &str) -> Result<(), StoreError> {
        self.change_one(self.line(act, result)).await?;
        Ok(())
    }

    /// Changes something and writes down who did, in one transaction. The first statement tells whether it took place.
    pub(crate) async fn change_noted(
        &self,
        statements: Vec<Sql>,
        act: &Act,
    ) -> Result<bool, StoreError> {
        let lines = [self.line(act, NOTHING), self.line(act, DONE)];
        let changed = self.change_then(statements, |changed| {
            let took_place = changed.first().is_some_and(|rows| *rows > 0);
            let [nothing, done] = lines;
            vec![if took_place { done } else { nothing }]
        });
        Ok(changed.await?.first().is_some_and(|rows| *rows > 0))
    }

    fn line(&self, act: &Act, result: &str) -> Sql {
        let mut sql = self.sql(
            "INSERT INTO audit (at_us, actor, peer, project_id, act, target, result) VALUES (",
        );
        sql.bind(act.at_us).push(", ").bind(&*act.actor);
        sql.push(", ").bind(&*act.peer).push(", ");
        sql.bind_maybe(act.project).push(", ").bind(act.act);
        sql.push(", ").bind(&*act.target);
        sql.push(", ").bind(result).push(")");
        sql
    }

    /// Lines before `before`, the newest first, at most `limit`; of one project, or of all of them and of what belongs to none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(
        &self,
        project: Option<i32>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, StoreError> {
        let mut snapshot = self.reading().await?;
        let mut sql = snapshot.sql(
            "SELECT id, at_us, actor, peer, project_id, act, target, result FROM audit WHERE id < ",
        );
        sql.bind(before.unwrap_or(i64::MAX));
        if let Some(project) = project {
            sql.push(" AND project_id = ").bind(project);
        }
        sql.push(" ORDER BY id DESC LIMIT ").bind(limit);
        snapshot.all(sql, read_line).await
    }
}

fn read_line(row: &Row) -> Result<AuditLine, StoreError> {
    Ok(AuditLine {
        id: row.int(0)?,
        at_us: row.int(1)?,
        actor: row.text(2)?,
        peer: row.text(3)?,
        project: project_of(row, 4)?,
        act: row.text(5)?,
        target: row.text(6)?,
        result: row.text(7)?,
    })
}
