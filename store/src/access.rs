//! Projects, and the keys that let programs into them.

use crate::{Store, StoreError, audit::Act, query::Row};

/// The project that is always there: without authentication everything belongs to it.
pub const DEFAULT_PROJECT: i32 = 1;

/// A tenant: nothing of it is seen from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Never used twice.
    pub id: i32,
    /// Unique.
    pub name: String,
    /// Microseconds since 1970 UTC; 0 of [`DEFAULT_PROJECT`].
    pub created_us: i64,
}

impl Project {
    /// What [`Self::is_name`] asks for.
    pub const NAMES: &str = "expected 1 to 64 letters, digits, `-`, `_` or `.`";

    /// Whether a text may be the name of a project.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain)
    }
}

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Sending telemetry to the project.
    Ingest,
    /// Reading everything of the project.
    Read,
    /// Reading the counters of the whole server.
    Metrics,
}

impl KeyScope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Metrics];

    /// As it is stored and written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Metrics => "metrics",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A key as it is stored: without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The part of the key that may be shown.
    pub id: String,
    /// Whose data it opens.
    pub project: i32,
    /// What it allows there.
    pub scope: KeyScope,
    /// BLAKE3 of the whole key.
    pub hash: [u8; 32],
    /// What it is for, in the words of whoever created it.
    pub label: String,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
    /// When it was last used, to the hour.
    pub used_us: Option<i64>,
    /// When it was revoked.
    pub revoked_us: Option<i64>,
}

impl Store {
    /// Creates a project; `None` if the name is taken.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn create_project(
        &self,
        name: &str,
        act: &Act,
    ) -> Result<Option<Project>, StoreError> {
        let mut sql = self.sql("INSERT INTO projects (name, created_us) VALUES (");
        sql.bind(name).push(", ").bind(act.at_us);
        sql.push(") ON CONFLICT (name) DO NOTHING");
        if !self.change_noted(vec![sql], act).await? {
            return Ok(None);
        }
        let projects = self.projects().await?;
        Ok(projects.into_iter().find(|project| project.name == name))
    }

    /// All projects, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn projects(&self) -> Result<Vec<Project>, StoreError> {
        let mut snapshot = self.reading().await?;
        let sql = snapshot.sql("SELECT id, name, created_us FROM projects ORDER BY id");
        snapshot.all(sql, read_project).await
    }

    /// Keeps a new key.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_key(&self, key: &ApiKey, act: &Act) -> Result<(), StoreError> {
        let mut sql = self
            .sql("INSERT INTO api_keys (id, project_id, scope, hash, label, created_us) VALUES (");
        sql.bind(&*key.id).push(", ").bind(key.project);
        sql.push(", ").bind(key.scope.name());
        sql.push(", ").bind(&key.hash[..]);
        sql.push(", ").bind(&*key.label);
        sql.push(", ").bind(key.created_us).push(")");
        self.change_noted(vec![sql], act).await?;
        Ok(())
    }

    /// All keys, the oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let mut snapshot = self.reading().await?;
        let sql = snapshot.sql(
            "SELECT id, project_id, scope, hash, label, created_us, used_us, revoked_us FROM api_keys \
             ORDER BY created_us, id",
        );
        snapshot.all(sql, read_key).await
    }

    /// Ends a key for ever; false if there is no such key, or if it had ended before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn revoke_key(&self, id: &str, act: &Act) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE api_keys SET revoked_us = ");
        sql.bind(act.at_us).push(" WHERE id = ").bind(id);
        sql.push(" AND revoked_us IS NULL");
        self.change_noted(vec![sql], act).await
    }

    /// Notes when keys were last used.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_key_use(&self, used: &[(String, i64)]) -> Result<(), StoreError> {
        let statements = used.iter().map(|(id, used_us)| {
            let mut sql = self.sql("UPDATE api_keys SET used_us = ");
            sql.bind(*used_us).push(" WHERE id = ").bind(&**id);
            sql.push(" AND COALESCE(used_us, 0) < ").bind(*used_us);
            sql
        });
        self.change(statements.collect()).await?;
        Ok(())
    }
}

fn read_project(row: &Row) -> Result<Project, StoreError> {
    Ok(Project {
        id: id(row, 0)?,
        name: row.text(1)?,
        created_us: row.int(2)?,
    })
}

fn read_key(row: &Row) -> Result<ApiKey, StoreError> {
    let scope = row.text(2)?;
    Ok(ApiKey {
        id: row.text(0)?,
        project: id(row, 1)?,
        scope: KeyScope::from_name(&scope).ok_or_else(|| StoreError::corrupt("scope", &scope))?,
        hash: row.id(3)?,
        label: row.text(4)?,
        created_us: row.int(5)?,
        used_us: row.maybe_int(6)?,
        revoked_us: row.maybe_int(7)?,
    })
}

fn id(row: &Row, column: usize) -> Result<i32, StoreError> {
    i32::try_from(row.int(column)?).map_err(|error| StoreError::corrupt("project", error))
}

/// A project, or all of them.
pub(crate) fn project_of(row: &Row, column: usize) -> Result<Option<i32>, StoreError> {
    let id = row.maybe_int(column)?.map(i32::try_from).transpose();
    id.map_err(|error| StoreError::corrupt("project", error))
}
