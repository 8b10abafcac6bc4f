//! What settled lately, in the order in which it was committed.

use costflame_pricing::UsdSum;
use costflame_profile::{SpanId, TraceId};

use super::{
    ask::{Ask, By},
    breakdown::counted,
    calls::{BEHIND, CallId, CallRecord, read, select_with},
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses},
    facts::push_calls,
    filter::Filter,
    snapshot::Snapshot,
    sql::Dialect,
};
use crate::StoreError;

const MINUTE_US: i64 = 60_000_000;

/// A place among the commits of a database: every call up to it has been seen. It means the same to every collector
/// of the database, and never passes a transaction that may still commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the transaction.
    pub tx: i64,
    /// The last call seen of that transaction.
    pub call: CallId,
}

impl Place {
    /// Before every call.
    pub const START: Self = Self::before(0);

    /// Before the first call of a transaction.
    const fn before(tx: i64) -> Self {
        Self {
            tx,
            call: (TraceId([0; 16]), SpanId([0; 8])),
        }
    }
}

/// What was settled behind a [`Place`].
#[derive(Clone, Debug)]
pub struct Settled {
    /// In the order of their commits. A call that was settled again comes again.
    pub calls: Vec<CallRecord>,
    /// Where to go on.
    pub place: Place,
    /// There may be more behind that place already.
    pub more: bool,
}

/// Calls and cost of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Its start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// Counted calls that started in it.
    pub calls: u64,
    /// What those with a price cost.
    pub cost: UsdSum,
}

/// The place behind everything that is settled now.
///
/// # Errors
/// When the database cannot be read.
pub async fn place(snapshot: &mut Snapshot) -> Result<Place, StoreError> {
    // Postgres: a transaction that began earlier may still commit, so nothing from the oldest of them on is passed.
    // SQLite has one writer, which counts its transactions.
    let sql = snapshot.sql(match snapshot.dialect() {
        Dialect::Postgres => {
            "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"
        }
        Dialect::Sqlite => "SELECT value + 1 FROM meta WHERE name = 'tx'",
    });
    let tx = snapshot.first(sql, |row| row.int(0)).await?;
    Ok(Place::before(tx.unwrap_or_default()))
}

/// What was settled behind `after` and meets the clauses of `filter`, whatever its range; at most `limit` calls.
///
/// # Errors
/// When the database cannot be read.
pub async fn settled(
    snapshot: &mut Snapshot,
    filter: &Filter,
    after: Place,
    limit: usize,
) -> Result<Settled, StoreError> {
    let end = place(snapshot).await?;
    let mut sql = select_with(snapshot, ", f.tx");
    if needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.project_id = ").bind(filter.project);
    sql.push(" AND f.tx >= ").bind(after.tx);
    sql.push(" AND f.tx < ").bind(end.tx);
    let (trace, span) = after.call;
    sql.push(" AND (f.tx, f.trace_id, f.span_id) > (")
        .bind(after.tx);
    sql.push(", ").bind(&trace.0[..]);
    sql.push(", ").bind(&span.0[..]).push(")");
    push_clauses(&mut sql, filter, Source::Calls);
    sql.push(" ORDER BY f.tx, f.trace_id, f.span_id LIMIT ")
        .bind(limit);
    let rows = snapshot
        .all(sql, |row| Ok((read(row)?, row.int(BEHIND)?)))
        .await?;
    let last = rows.last().filter(|_| rows.len() == limit);
    let next = last.map(|(call, tx)| Place {
        tx: *tx,
        call: call.id(),
    });
    Ok(Settled {
        place: next.unwrap_or(end.max(after)),
        more: next.is_some(),
        calls: rows.into_iter().map(|(call, _)| call).collect(),
    })
}

/// Counted calls of a filter by the minute in which they started; minutes without a call are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn minutes(snapshot: &mut Snapshot, filter: &Filter) -> Result<Vec<Minute>, StoreError> {
    let mut sql = snapshot.sql("SELECT f.start_us / ");
    sql.bind(MINUTE_US).push(", COUNT(*), ");
    sql.push(&sql.dialect.sum("f.cost"));
    push_calls(&mut sql, &counted(filter), Ask::by(By::Nothing));
    sql.push(" GROUP BY 1 ORDER BY 1");
    snapshot
        .all(sql, |row| {
            Ok(Minute {
                start_us: row.int(0)? * MINUTE_US,
                calls: row.count(1)?,
                cost: UsdSum(row.sum(2)?),
            })
        })
        .await
}
