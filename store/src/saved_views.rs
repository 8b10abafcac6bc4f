//! Views of the pages that a project shares.

use crate::{Store, StoreError, query::Row};

/// Views of one project.
pub const MOST_VIEWS: usize = 500;

/// An address of the pages under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// Unique in its project.
    pub name: String,
    /// Of a page, from its first slash.
    pub address: String,
    /// Who saved it last.
    pub saved_by: String,
    /// Microseconds since 1970 UTC.
    pub saved_us: i64,
}

impl Store {
    /// Keeps a view in place of what had its name; false if the project has [`MOST_VIEWS`] others.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_view(&self, project: i32, view: &SavedView) -> Result<bool, StoreError> {
        // Casts, as in a select list Postgres cannot know the type of a parameter.
        let mut sql = self.sql(
            "INSERT INTO saved_views (project_id, name, address, saved_by, saved_us) SELECT CAST(",
        );
        sql.bind(project).push(" AS integer), CAST(");
        sql.bind(&*view.name).push(" AS text), CAST(");
        sql.bind(&*view.address).push(" AS text), CAST(");
        sql.bind(&*view.saved_by).push(" AS text), CAST(");
        sql.bind(view.saved_us).push(" AS bigint)");
        sql.push(" WHERE (SELECT COUNT(*) FROM saved_views WHERE project_id = ");
        sql.bind(project).push(" AND name <> ").bind(&*view.name);
        sql.push(") < ").bind(MOST_VIEWS);
        sql.push(
            " ON CONFLICT (project_id, name) DO UPDATE SET address = excluded.address, \
             saved_by = excluded.saved_by, saved_us = excluded.saved_us",
        );
        Ok(self.change_one(sql).await? > 0)
    }

    /// The views of a project by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn saved_views(&self, project: i32) -> Result<Vec<SavedView>, StoreError> {
        let mut snapshot = self.reading().await?;
        let mut sql = snapshot
            .sql("SELECT name, address, saved_by, saved_us FROM saved_views WHERE project_id = ");
        sql.bind(project).push(" ORDER BY name");
        snapshot.all(sql, read_view).await
    }

    /// Forgets a view; false if there is none of that name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_view(&self, project: i32, name: &str) -> Result<bool, StoreError> {
        let mut sql = self.sql("DELETE FROM saved_views WHERE project_id = ");
        sql.bind(project).push(" AND name = ").bind(name);
        Ok(self.change_one(sql).await? > 0)
    }
}

fn read_view(row: &Row) -> Result<SavedView, StoreError> {
    Ok(SavedView {
        name: row.text(0)?,
        address: row.text(1)?,
        saved_by: row.text(2)?,
        saved_us: row.int(3)?,
    })
}
