//! The contract of the database.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use costflame_profile::TraceId;
use tokio::sync::Semaphore;

use crate::{
    CatalogRow, Dropped, Forgotten, LandingRow, Lease, MarkId, MarkPage, OutboxRow, PriceKind,
    PriceSourceRow, Repricing, Status, StoreError, Totals, TraceKey, Verified, clock,
    postgres::{self, Postgres},
    query,
    retention::{FEWEST_CALL_DAYS, Keep},
    sqlite::Sqlite,
};

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections to Postgres, or readers of SQLite; at least 2. Half of them answer questions.
    pub max_connections: u32,
    /// How long a request waits for a connection before it fails as unreachable.
    pub acquire_timeout: Duration,
    /// Where to migrate, if `url` leads through a pooler in transaction mode.
    pub direct_url: Option<String>,
    /// How long after its first span a trace still changes with every span that arrives.
    pub horizon: Duration,
    /// How long landed spans are kept, for the view of a trace; never shorter than settling needs.
    pub keep_spans: Duration,
    /// How many UTC days calls and traces are kept, at least [`crate::FEWEST_CALL_DAYS`]; `None` =
    /// for ever. Rollups stay, sealed.
    pub keep_call_days: Option<u32>,
}

impl Options {
    /// How many of the connections answer questions; the others land, settle and check.
    pub(crate) fn askers(&self) -> u32 {
        (self.max_connections / 2).max(1)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            direct_url: None,
            horizon: Duration::from_secs(72 * 3600),
            keep_spans: Duration::ZERO,
            keep_call_days: None,
        }
    }
}

/// The database. Cloning shares the connections.
///
/// Every method is one transaction: after `Ok` its effect is durable; after `Err`, or when the
/// future is dropped, all of it took place or nothing. Every method may be repeated: landing the
/// same span twice settles as once. Both databases give the same answers.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) backend: Backend,
    pub(crate) keep: Keep,
    /// Places of those who ask at the same time: who comes later waits for one without taking a
    /// connection, and a database that does not answer is noticed early.
    turns: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
pub(crate) enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Runs the same method on whichever database it is.
macro_rules! dispatch {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match &$store.backend {
            Backend::Sqlite(database) => database.$method($($argument),*).await,
            Backend::Postgres(database) => database.$method($($argument),*).await,
        }
    };
}
pub(crate) use dispatch;

impl Store {
    /// Opens `sqlite://PATH` (created if missing) or `postgres://…` and brings the schema up to
    /// date; several programs may do so at once.
    ///
    /// # Errors
    /// [`StoreError`] says in one sentence what is wrong with the URL, the file or the server.
    pub async fn connect(url: &str, options: &Options) -> Result<Self, StoreError> {
        let backend = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Backend::Postgres(Postgres::connect(url, options).await?)
        } else if let Some(path) = url
            .strip_prefix("sqlite://")
            .filter(|path| !path.is_empty())
        {
            Backend::Sqlite(Sqlite::connect(path, options).await?)
        } else {
            return Err(StoreError::bad_url(url));
        };
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let horizon_us = micros(options.horizon);
        let keep = Keep {
            horizon_us,
            landing_us: micros(options.keep_spans).max(horizon_us),
            call_days: options
                .keep_call_days
                .map(|days| days.max(FEWEST_CALL_DAYS).into()),
        };
        let askers = options.askers() as usize;
        Ok(Self {
            backend,
            keep,
            turns: Arc::new(Semaphore::new(askers)),
        })
    }

    /// Closes all connections; what is under way is finished first.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(database) => database.close().await,
            Backend::Postgres(database) => {
                database.questions.close().await;
                database.pool.close().await;
            }
        }
    }

    /// Asks the database whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        dispatch!(self, ping())
    }

    /// Appends spans, one mark per trace among them, and outbox rows: all of them or none.
    ///
    /// Spans may be repeated, in any order and any split. NUL in texts becomes U+FFFD.
    ///
    /// # Errors
    /// After a retryable error the same rows may be committed again.
    pub async fn commit(
        &self,
        rows: &[LandingRow],
        outbox: &[OutboxRow],
    ) -> Result<(), StoreError> {
        if rows.is_empty() && outbox.is_empty() {
            return Ok(());
        }
        dispatch!(self, commit(rows, outbox))
    }

    /// Every landed version of every span of a trace that has not been dropped yet, in no order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn landed(&self, trace: TraceKey) -> Result<Vec<LandingRow>, StoreError> {
        dispatch!(self, landed(trace))
    }

    /// Microseconds since 1970 UTC by the clock that all programs on this database share: that of the server.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn now_us(&self) -> Result<i64, StoreError> {
        match &self.backend {
            Backend::Sqlite(_) => Ok(clock::now_us()),
            Backend::Postgres(database) => database.now_us().await,
        }
    }

    /// Takes and renews lanes for `owner`: a fair share among the collectors that did so within
    /// their `ttl_us`, at `now_us` by the clock that they share. The leases returned are all it has; the others are lost.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn lease_lanes(
        &self,
        owner: &str,
        now_us: i64,
        ttl_us: i64,
    ) -> Result<Vec<Lease>, StoreError> {
        dispatch!(self, lease_lanes(owner, now_us, ttl_us))
    }

    /// Gives all lanes of `owner` back.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn release_lanes(&self, owner: &str) -> Result<(), StoreError> {
        dispatch!(self, release_lanes(owner))
    }

    /// Marks of some lanes in the order of their commits, at most `limit`. Begin with
    /// [`MarkId::default`] and read on from [`MarkPage::next`]. A mark may come more than once, and
    /// stays until [`Store::settle`] has settled it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn marks_after(
        &self,
        lanes: &[i16],
        after: MarkId,
        limit: u32,
    ) -> Result<MarkPage, StoreError> {
        dispatch!(self, marks_after(lanes, after, limit))
    }

    /// Adds at most `limit` differences (twice: by path, by dimension) to the rollups of every
    /// tier and returns how many; 0 means there were none, or that somebody else is folding.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn fold(&self, limit: u32) -> Result<u64, StoreError> {
        dispatch!(self, fold(limit))
    }

    /// Whether differences wait to be added to the rollups.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_differences(&self) -> Result<bool, StoreError> {
        dispatch!(self, has_differences())
    }

    /// Drops landed spans of traces that are sealed and settled, claims past their horizon, and
    /// calls past their retention with the traces they belong to. The rollups of dropped calls stay
    /// and are sealed: nothing adds to them any more.
    ///
    /// # Errors
    /// When the database cannot be written; what is left is dropped another time.
    pub async fn drop_sealed(&self, now_us: i64) -> Result<Dropped, StoreError> {
        dispatch!(self, drop_sealed(now_us, self.keep))
    }

    /// Makes room ahead: partitions that rows of `now_us` and of a day after will fall into, on SQLite the planner's
    /// statistics. Once an hour is enough.
    ///
    /// # Errors
    /// When the database cannot be written; rows then go to default partitions.
    pub async fn prepare(&self, now_us: i64) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(database) => database.optimize().await,
            Backend::Postgres(database) => database.create_partitions(now_us).await,
        }
    }

    /// Deletes traces of a project as if their spans had never landed, and keeps a record of it with
    /// the reason `why`, which should not name whom it is about.
    ///
    /// Spans that arrive later begin anew. Each call costs one transaction: pass a few hundred at most.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing is deleted.
    pub async fn forget(
        &self,
        project: i32,
        traces: &[TraceId],
        why: &str,
        now_us: i64,
    ) -> Result<Forgotten, StoreError> {
        let key = |&trace_id: &TraceId| TraceKey { project, trace_id };
        let keys = traces.iter().map(key).collect();
        let forgotten = dispatch!(self, forget(&keys, why, now_us))?;
        tracing::info!(why, ?forgotten, "traces were deleted");
        Ok(forgotten)
    }

    /// Writes a copy of the database to a new file while everything goes on.
    ///
    /// # Errors
    /// When the file exists or cannot be written. Postgres has tools of its own (`pg_dump`).
    pub async fn backup(&self, file: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(database) => database.backup(file).await,
            Backend::Postgres(_) => Err(StoreError::Refused(
                "this copies SQLite; use pg_dump or a base backup for Postgres".to_owned(),
            )),
        }
    }

    /// Lets a role of Postgres, created if missing, read the views for BI tools and nothing else.
    ///
    /// # Errors
    /// When the user of the connection may not do that. SQLite has no roles.
    pub async fn add_reader(&self, role: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(_) => Err(StoreError::Refused("SQLite has no roles".to_owned())),
            Backend::Postgres(database) => database.add_reader(role).await,
        }
    }

    /// Distributes the tables over the servers of a Citus cluster and returns the statements that did it; tables that are
    /// distributed already stay as they are. While it runs nobody else can write.
    ///
    /// # Errors
    /// When Citus is not there, or a table cannot be distributed: then nothing is. What was distributed before another
    /// error stays so.
    pub async fn distribute(&self) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(_) => Err(StoreError::Refused(
                "SQLite is one file; Citus distributes Postgres".to_owned(),
            )),
            Backend::Postgres(database) => database.distribute().await,
        }
    }

    /// The statements of [`Store::distribute`], for a database of which nothing is distributed.
    #[must_use]
    pub fn distribute_statements() -> Vec<String> {
        let statements = postgres::distribute::statements().into_iter();
        statements.map(|(_, sql)| sql).collect()
    }

    /// Tables of Postgres of which nothing says how they are distributed.
    ///
    /// # Errors
    /// When the database cannot be read.
    #[cfg(feature = "testing")]
    pub async fn undecided_tables(&self) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(_) => Ok(Vec::new()),
            Backend::Postgres(database) => database.undecided_tables().await,
        }
    }

    /// Recomputes calls, traces, claims, verdicts and rollups from their sources, in one snapshot.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn verify(&self) -> Result<Verified, StoreError> {
        dispatch!(self, verify(self.keep.horizon_us))
    }

    /// What waits to be settled and folded, and who settles.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn status(&self) -> Result<Status, StoreError> {
        dispatch!(self, status())
    }

    /// Every settled row in a canonical text form, without receive times and cursors: equal for
    /// equal spans, whatever way they took.
    ///
    /// # Errors
    /// When the database cannot be read.
    #[cfg(feature = "testing")]
    pub async fn dump(&self) -> Result<Vec<String>, StoreError> {
        dispatch!(self, dump())
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgres",
        }
    }

    /// One state of the database to ask questions of; holds a reading connection until dropped.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn snapshot(&self) -> Result<query::Snapshot, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| StoreError::Unreachable("it has been closed".to_owned()))?;
        let snapshot = match &self.backend {
            Backend::Sqlite(database) => query::Snapshot::of_sqlite(&database.questions).await?,
            Backend::Postgres(database) => {
                query::Snapshot::of_postgres(&database.questions, database.distributed).await?
            }
        };
        Ok(snapshot.in_turn(turn))
    }

    /// Starts of the oldest and of the newest settled call, microseconds since 1970 UTC. Does not
    /// wait for those who ask questions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn extent(&self, project: i32) -> Result<Option<(i64, i64)>, StoreError> {
        query::extent(&mut self.reading().await?, project).await
    }

    /// Traces that wait to be settled, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_traces(
        &self,
        limit: usize,
    ) -> Result<HashSet<(i32, TraceId)>, StoreError> {
        query::pending_traces(&mut self.reading().await?, limit).await
    }

    /// The calls of `settled` traces as they were settled, and those of `pending` ones as far as they show by
    /// themselves. `days` are the first and last UTC day a call may start, in days since 1970.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn verdicts(
        &self,
        project: i32,
        settled: &[TraceId],
        pending: &[TraceId],
        days: (i32, i32),
    ) -> Result<HashMap<query::CallId, query::Verdict>, StoreError> {
        query::verdicts(&mut self.reading().await?, project, settled, pending, days).await
    }

    /// One state of the database, apart from those who ask questions.
    pub(crate) async fn reading(&self) -> Result<query::Snapshot, StoreError> {
        match &self.backend {
            Backend::Sqlite(database) => query::Snapshot::of_sqlite(&database.reader).await,
            Backend::Postgres(database) => {
                query::Snapshot::of_postgres(&database.pool, database.distributed).await
            }
        }
    }

    /// Writes landing rows alone, with nothing around them: what [`Store::commit`] is measured against.
    ///
    /// # Errors
    /// When the database cannot be written.
    #[cfg(feature = "testing")]
    pub async fn raw_landing(&self, rows: &[LandingRow]) -> Result<(), StoreError> {
        dispatch!(self, raw_landing(rows))
    }

    /// Every call, by project, trace and span.
    ///
    /// # Errors
    /// When the database cannot be read.
    #[cfg(feature = "testing")]
    pub async fn all_calls(&self) -> Result<Vec<crate::CallRow>, StoreError> {
        let mut calls = dispatch!(self, all_calls())?;
        calls.sort_by_key(|call| call.key);
        Ok(calls)
    }

    /// Keeps fetched prices, which are the newest of their kind from now on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_prices(&self, prices: &PriceSourceRow) -> Result<(), StoreError> {
        dispatch!(self, put_prices(prices))
    }

    /// The prices of a kind that were fetched last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest_prices(
        &self,
        kind: PriceKind,
    ) -> Result<Option<PriceSourceRow>, StoreError> {
        dispatch!(self, newest_prices(kind))
    }

    /// A number that grows with every [`Store::put_prices`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn prices_version(&self) -> Result<i64, StoreError> {
        dispatch!(self, prices_version())
    }

    /// Calls of a project that start in a range, counted or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_calls(
        &self,
        project: i32,
        from_us: i64,
        to_us: i64,
    ) -> Result<u64, StoreError> {
        dispatch!(self, count_calls(project, from_us, to_us))
    }

    /// What the calls of a range cost and would cost, by model. `seen` is told how many more calls were looked at.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn reprice_totals(
        &self,
        work: &Repricing<'_>,
        seen: impl Fn(u64),
    ) -> Result<Totals, StoreError> {
        dispatch!(self, reprice_totals(work, seen))
    }

    /// Keeps a price snapshot; one that is there already stays.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_catalog(&self, catalog: &CatalogRow) -> Result<(), StoreError> {
        dispatch!(self, put_catalog(catalog))
    }
}
