//! People, and their sessions.

use crate::{
    Store, StoreError,
    access::project_of,
    audit::Act,
    query::{Row, Sql},
};

/// What somebody may do. Each may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reading.
    Viewer,
    /// Keeping views for others, too.
    Editor,
    /// Looking after users, keys and projects, and reading the audit log, too.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Admin];

    /// As it is stored and written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who logs in with a password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Unique.
    pub name: String,
    /// argon2id, as a PHC string.
    pub password: String,
    /// What they may do.
    pub role: Role,
    /// In which project; `None` = in all.
    pub project: Option<i32>,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({} {:?} {:?})", self.name, self.role, self.project)
    }
}

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the password of a [`User`], whose role and project hold.
    Password,
    /// By OpenID Connect: role and project are those of the login.
    OpenId,
}

impl Method {
    /// As it is stored and written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::OpenId => "openid",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Password, Self::OpenId]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// A login that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// BLAKE3 of what the browser shows.
    pub hash: [u8; 32],
    /// The part that may be shown.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// How they logged in.
    pub method: Method,
    /// What they may do; read anew with every read of a session by password.
    pub role: Role,
    /// In which project; `None` = in all.
    pub project: Option<i32>,
    /// The address that logged in.
    pub peer: String,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
    /// When it was last used, to some minutes.
    pub used_us: i64,
    /// When it ends, used or not.
    pub ends_us: i64,
}

/// Sessions of one user at a time; the oldest give way.
const MOST_SESSIONS: i64 = 100;

/// Sessions with the role and the project that hold now. A user who is gone has none.
const SESSIONS: &str = "SELECT s.hash, s.id, s.user_name, s.method, COALESCE(u.role, s.role), \
     CASE WHEN u.name IS NULL THEN s.project_id ELSE u.project_id END, s.peer, s.created_us, s.used_us, s.ends_us \
     FROM sessions s LEFT JOIN users u ON s.method = 'password' AND u.name = s.user_name \
     WHERE (s.method <> 'password' OR u.name IS NOT NULL)";

impl Store {
    /// Keeps a new user; false if the name is taken.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn create_user(&self, user: &User, act: &Act) -> Result<bool, StoreError> {
        let mut sql =
            self.sql("INSERT INTO users (name, password, role, project_id, created_us) VALUES (");
        sql.bind(&*user.name).push(", ").bind(&*user.password);
        sql.push(", ").bind(user.role.name()).push(", ");
        sql.bind_maybe(user.project).push(", ");
        sql.bind(user.created_us);
        sql.push(") ON CONFLICT (name) DO NOTHING");
        self.change_noted(vec![sql], act).await
    }

    /// All users by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut snapshot = self.reading().await?;
        let sql = snapshot
            .sql("SELECT name, password, role, project_id, created_us FROM users ORDER BY name");
        snapshot.all(sql, read_user).await
    }

    /// One user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let mut snapshot = self.reading().await?;
        let mut sql = snapshot
            .sql("SELECT name, password, role, project_id, created_us FROM users WHERE name = ");
        sql.bind(name);
        snapshot.first(sql, read_user).await
    }

    /// Gives a user another password and ends their sessions but `kept`; false if there is no such user.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_password(
        &self,
        name: &str,
        password: &str,
        kept: Option<&str>,
        act: &Act,
    ) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE users SET password = ");
        sql.bind(password).push(" WHERE name = ").bind(name);
        let mut end = self.sessions_of(name);
        end.push(" AND id <> ").bind(kept.unwrap_or_default());
        self.change_noted(vec![sql, end], act).await
    }

    /// Gives a user another role and project, from the next request of their sessions on; false if there is no such user.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_role(
        &self,
        name: &str,
        role: Role,
        project: Option<i32>,
        act: &Act,
    ) -> Result<bool, StoreError> {
        let mut sql = self.sql("UPDATE users SET role = ");
        sql.bind(role.name()).push(", project_id = ");
        sql.bind_maybe(project).push(" WHERE name = ").bind(name);
        self.change_noted(vec![sql], act).await
    }

    /// Removes a user and their sessions; false if there is no such user.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_user(&self, name: &str, act: &Act) -> Result<bool, StoreError> {
        let mut sql = self.sql("DELETE FROM users WHERE name = ");
        sql.bind(name);
        let statements = vec![sql, self.sessions_of(name)];
        self.change_noted(statements, act).await
    }

    fn sessions_of(&self, user: &str) -> Sql {
        let mut sql = self.sql("DELETE FROM sessions WHERE method = 'password' AND user_name = ");
        sql.bind(user);
        sql
    }

    /// Keeps a new session in place of the one the browser had, and forgets those that have ended.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn open_session(
        &self,
        session: &Session,
        replaced: Option<&[u8; 32]>,
        act: &Act,
    ) -> Result<(), StoreError> {
        let mut sql = self.sql(
            "INSERT INTO sessions (hash, id, user_name, method, role, project_id, peer, created_us, used_us, ends_us) VALUES (",
        );
        sql.bind(&session.hash[..]).push(", ").bind(&*session.id);
        sql.push(", ").bind(&*session.user);
        sql.push(", ").bind(session.method.name());
        sql.push(", ").bind(session.role.name()).push(", ");
        sql.bind_maybe(session.project).push(", ");
        sql.bind(&*session.peer);
        sql.push(", ").bind(session.created_us);
        sql.push(", ").bind(session.used_us);
        sql.push(", ").bind(session.ends_us).push(")");
        let mut ended = self.sql("DELETE FROM sessions WHERE ends_us <= ");
        ended.bind(session.created_us).push(" OR hash = ");
        ended.bind(replaced.map_or(&[][..], |hash| &hash[..]));
        let mut many = self.sql("DELETE FROM sessions WHERE user_name = ");
        many.bind(&*session.user)
            .push(" AND method = ")
            .bind(session.method.name());
        many.push(" AND id NOT IN (SELECT id FROM sessions WHERE user_name = ");
        many.bind(&*session.user)
            .push(" AND method = ")
            .bind(session.method.name());
        many.push(" ORDER BY created_us DESC, id LIMIT ");
        many.bind(MOST_SESSIONS).push(")");
        self.change_noted(vec![sql, ended, many], act).await?;
        Ok(())
    }

    /// The session of a hash that has not reached its end.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(
        &self,
        hash: &[u8; 32],
        now_us: i64,
    ) -> Result<Option<Session>, StoreError> {
        let mut snapshot = self.reading().await?;
        let mut sql = snapshot.sql(SESSIONS);
        sql.push(" AND s.hash = ").bind(&hash[..]);
        sql.push(" AND s.ends_us > ").bind(now_us);
        snapshot.first(sql, read_session).await
    }

    /// All sessions that have not reached their end, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(&self, now_us: i64) -> Result<Vec<Session>, StoreError> {
        let mut snapshot = self.reading().await?;
        let mut sql = snapshot.sql(SESSIONS);
        sql.push(" AND s.ends_us > ").bind(now_us);
        sql.push(" ORDER BY s.created_us DESC, s.id");
        snapshot.all(sql, read_session).await
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_session_use(&self, hash: &[u8; 32], used_us: i64) -> Result<(), StoreError> {
        let mut sql = self.sql("UPDATE sessions SET used_us = ");
        sql.bind(used_us).push(" WHERE hash = ").bind(&hash[..]);
        sql.push(" AND used_us < ").bind(used_us);
        self.change_one(sql).await?;
        Ok(())
    }

    /// Ends a session for ever; false if there is no such session.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_session(&self, id: &str, act: &Act) -> Result<bool, StoreError> {
        let mut sql = self.sql("DELETE FROM sessions WHERE id = ");
        sql.bind(id);
        self.change_noted(vec![sql], act).await
    }
}

fn read_role(row: &Row, column: usize) -> Result<Role, StoreError> {
    let role = row.text(column)?;
    Role::from_name(&role).ok_or_else(|| StoreError::corrupt("role", &role))
}

fn read_user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        name: row.text(0)?,
        password: row.text(1)?,
        role: read_role(row, 2)?,
        project: project_of(row, 3)?,
        created_us: row.int(4)?,
    })
}

fn read_session(row: &Row) -> Result<Session, StoreError> {
    let method = row.text(3)?;
    let method =
        Method::from_name(&method).ok_or_else(|| StoreError::corrupt("method", &method))?;
    Ok(Session {
        hash: row.id(0)?,
        id: row.text(1)?,
        user: row.text(2)?,
        method,
        role: read_role(row, 4)?,
        project: project_of(row, 5)?,
        peer: row.text(6)?,
        created_us: row.int(7)?,
        used_us: row.int(8)?,
        ends_us: row.int(9)?,
    })
}
