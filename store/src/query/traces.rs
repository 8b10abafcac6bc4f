//! The list of traces.

use std::collections::{BTreeSet, HashMap};

use costflame_profile::{FrameKind, PathId, TraceId};

use super::{
    calls::push_rows_of,
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses},
    facts::push_range_of_trace,
    filter::Filter,
    paths::Paths,
    snapshot::{Row, Snapshot},
    sql::{Dialect, Sql},
    sums::{Sums, call_sums, read_call_sums},
};
use crate::{ClassSet, StoreError, day_of, landing::frame_kind, lane};

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Start of the trace.
    Start,
    /// Cost of its counted calls.
    Cost,
    /// From the first start to the last end.
    Duration,
    /// Its counted calls.
    Calls,
}

/// How a list is sorted; ties by trace id in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub sort: Sort,
    /// Largest or newest first.
    pub descending: bool,
}

/// The place of a trace in a list: its sort value and its id.
pub type TraceKey = (i128, TraceId);

/// A trace as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// Its id.
    pub trace_id: TraceId,
    /// Earliest start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// Latest end, microseconds since 1970 UTC.
    pub end_us: i64,
    /// Service, kind and label of the root; `None` if none has arrived.
    pub root: Option<(String, FrameKind, String)>,
    /// Over its counted calls, whatever the filters.
    pub sums: Sums,
    /// Spans.
    pub spans: u64,
    /// Services on the paths of its calls and of its root, by name.
    pub services: BTreeSet<String>,
    /// For the next page.
    pub key: TraceKey,
}

/// Traces with a call of the filter, behind `after`, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn traces(
    snapshot: &mut Snapshot,
    filter: &Filter,
    order: Order,
    after: Option<TraceKey>,
    limit: usize,
) -> Result<Vec<TraceRecord>, StoreError> {
    let sql = list_sql(snapshot, filter, order, after, limit);
    let mut records = snapshot.all(sql, read).await?;
    add_calls(snapshot, filter.project, &mut records).await?;
    Ok(records)
}

/// Ids of some traces with a call of a user, counted or not, whenever it was.
///
/// # Errors
/// When the database cannot be read.
pub async fn traces_of_user(
    snapshot: &mut Snapshot,
    project: i32,
    user: &str,
    limit: usize,
) -> Result<Vec<TraceId>, StoreError> {
    let mut sql = snapshot.sql("SELECT DISTINCT trace_id FROM calls WHERE project_id = ");
    sql.bind(project).push(" AND user_id = ").bind(user);
    sql.push(" LIMIT ").bind(limit);
    snapshot.all(sql, |row| Ok(TraceId(row.id(0)?))).await
}

/// One trace; `None` if it has never been settled.
///
/// # Errors
/// When the database cannot be read.
pub(crate) async fn trace_record(
    snapshot: &mut Snapshot,
    project: i32,
    trace: TraceId,
) -> Result<Option<TraceRecord>, StoreError> {
    let mut sql = select(snapshot, Sort::Start);
    sql.push(" WHERE t.project_id = ").bind(project);
    sql.push(" AND t.lane = ").bind(i64::from(lane(&trace)));
    sql.push(" AND t.trace_id = ").bind(&trace.0[..]);
    let mut records = snapshot.all(sql, read).await?;
    add_calls(snapshot, project, &mut records).await?;
    Ok(records.pop())
}

fn list_sql(
    snapshot: &Snapshot,
    filter: &Filter,
    order: Order,
    after: Option<TraceKey>,
    limit: usize,
) -> Sql {
    let mut sql = select(snapshot, order.sort);
    sql.push(" WHERE t.project_id = ").bind(filter.project);
    sql.push(" AND t.start_us < ")
        .bind(filter.to_us)
        .push(" AND t.end_us >= ")
        .bind(filter.from_us);
    if let Some(key) = after {
        push_after(&mut sql, order, key);
    }
    push_has_call(&mut sql, filter);
    let direction = if order.descending { "DESC" } else { "ASC" };
    let by = match order.sort {
        Sort::Start => format!("t.start_us {direction}"),
        Sort::Duration => format!("t.end_us - t.start_us {direction}"),
        Sort::Calls => format!("t.calls {direction}"),
        Sort::Cost => sql.dialect.by_stored_sum("t.cost", direction),
    };
    sql.push(&format!(" ORDER BY {by}, t.trace_id {direction} LIMIT "))
        .bind(limit);
    sql
}

/// A trace within the range has a call there: only traces with calls have a row.
fn push_has_call(sql: &mut Sql, filter: &Filter) {
    sql.push(" AND (");
    if filter.clauses.is_empty() {
        sql.push("(t.start_us >= ")
            .bind(filter.from_us)
            .push(" AND t.end_us < ")
            .bind(filter.to_us)
            .push(") OR ");
    }
    // Without filters only traces that reach beyond the range come here; a single value is looked up
    // for each of them, where Postgres would hash all calls of the range for an EXISTS.
    let (begin, end) = match filter.clauses.is_empty() {
        true => ("(SELECT 1 FROM calls f", " LIMIT 1) = 1)"),
        false => ("EXISTS (SELECT 1 FROM calls f", "))"),
    };
    sql.push(begin);
    if needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.project_id = t.project_id AND f.lane = t.lane AND f.trace_id = t.trace_id");
    push_range_of_trace(sql, (filter.from_us, filter.to_us));
    push_clauses(sql, filter, Source::Calls);
    sql.push(end);
}

fn push_after(sql: &mut Sql, order: Order, (value, trace): TraceKey) {
    let beyond = if order.descending { "<" } else { ">" };
    let column = match (order.sort, sql.dialect) {
        (Sort::Start, _) => "t.start_us",
        (Sort::Duration, _) => "t.end_us - t.start_us",
        (Sort::Calls, _) => "t.calls",
        (Sort::Cost, Dialect::Postgres) => "t.cost",
        (Sort::Cost, Dialect::Sqlite) => "t.cost_hi, t.cost_lo",
    };
    sql.push(&format!(" AND ({column}, t.trace_id) {beyond} ("));
    match (order.sort, sql.dialect) {
        (Sort::Cost, Dialect::Postgres) => {
            sql.push("CAST(")
                .bind(value.to_string().as_str())
                .push(" AS numeric)");
        }
        (Sort::Cost, Dialect::Sqlite) => {
            let (hi, lo) = crate::halves::split(value);
            sql.bind(hi).push(", ").bind(lo);
        }
        _ => {
            sql.bind(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
    sql.push(", ").bind(&trace.0[..]).push(")");
}

fn select(snapshot: &Snapshot, sort: Sort) -> Sql {
    let dialect = snapshot.dialect();
    let key = match sort {
        Sort::Start => "CAST(t.start_us AS text)".to_owned(),
        Sort::Duration => "CAST(t.end_us - t.start_us AS text)".to_owned(),
        Sort::Calls => "CAST(t.calls AS text)".to_owned(),
        Sort::Cost => dialect.stored_sum("t.cost"),
    };
    snapshot.sql(&format!(
        "SELECT {key}, t.trace_id, t.start_us, t.end_us, t.spans, t.has_root, t.root_service, t.root_kind, \
         t.root_label FROM traces t"
    ))
}

fn read(row: &Row) -> Result<TraceRecord, StoreError> {
    let trace_id = TraceId(row.id(1)?);
    let kind =
        i16::try_from(row.int(7)?).map_err(|error| StoreError::corrupt("frame kind", error))?;
    let root = if row.flag(5)? {
        Some((row.text(6)?, frame_kind(kind)?, row.text(8)?))
    } else {
        None
    };
    Ok(TraceRecord {
        trace_id,
        start_us: row.int(2)?,
        end_us: row.int(3)?,
        services: root
            .iter()
            .map(|(service, ..)| service.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        root,
        sums: Sums::default(),
        spans: row.count(4)?,
        key: (row.sum(0)?, trace_id),
    })
}

/// Sums and services of a page's traces, from their calls.
async fn add_calls(
    snapshot: &mut Snapshot,
    project: i32,
    records: &mut [TraceRecord],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let mut sql =
        snapshot.sql("SELECT f.trace_id, f.path_id, CASE WHEN f.why = 0 THEN 1 ELSE 0 END, ");
    sql.push(&call_sums(sql.dialect, ClassSet::ALL))
        .push(" FROM ");
    let first_us = records.iter().map(|record| record.start_us).min();
    let last_us = records.iter().map(|record| record.end_us).max();
    let days = first_us
        .zip(last_us)
        .map(|(first, last)| (day_of(first), day_of(last)));
    let traces = records.iter().map(|record| &record.trace_id);
    push_rows_of(snapshot, &mut sql, "calls", project, traces, days);
    sql.push(" GROUP BY 1, 2, 3");
    let rows = snapshot
        .all(sql, |row| {
            let counted = row.int(2)? == 1;
            Ok((
                TraceId(row.id(0)?),
                PathId(row.id(1)?),
                read_call_sums(row, 3, counted, ClassSet::ALL)?,
            ))
        })
        .await?;
    let paths = Paths::read(snapshot, project, rows.iter().map(|(_, path, _)| *path)).await?;
    let places: HashMap<TraceId, usize> = records
        .iter()
        .enumerate()
        .map(|(place, record)| (record.trace_id, place))
        .collect();
    for (trace, path, sums) in rows {
        let Some(record) = places.get(&trace).and_then(|place| records.get_mut(*place)) else {
            continue;
        };
        record.sums += &sums;
        let services = paths
            .upwards(path)
            .map(|path| &*path.frame.service)
            .filter(|name| !name.is_empty());
        record.services.extend(services.map(str::to_owned));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Filter, Order, Sort, list_sql};
    use crate::{
        Options, Store,
        query::filter::{Clause, Column, OneOf},
    };

    #[tokio::test]
    async fn a_filtered_list_looks_up_the_calls_of_each_trace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("c.db").display());
        let store = Store::connect(&url, &Options::default())
            .await
            .expect("opens");
        let filter = Filter {
            project: 1,
            from_us: 0,
            to_us: 1_000_000,
            clauses: vec![Clause::Column(
                Column::Model,
                OneOf {
                    any: vec![Some("gpt-5".to_owned())],
                    none: Vec::new(),
                },
            )],
        };
        let order = Order {
            sort: Sort::Cost,
            descending: true,
        };
        let mut snapshot = store.snapshot().await.expect("a snapshot");
        let mut sql = list_sql(&snapshot, &filter, order, None, 10);
        sql.text.insert_str(0, "EXPLAIN QUERY PLAN ");
        let plan = snapshot
            .all(sql, |row| row.text(3))
            .await
            .expect("explained");
        let calls = plan.iter().find(|step| step.starts_with("SEARCH f"));
        assert!(
            calls.is_some_and(|step| step.contains("trace_id=?")),
            "{plan:#?}"
        );
    }
}
