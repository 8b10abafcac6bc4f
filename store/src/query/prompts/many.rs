//! Many calls, grouped by the database.

use costflame_pricing::{TokenClass, UsdSum};
use costflame_profile::PathId;

use super::{Cell, PromptKey, Prompts, Repeats, Same};
use crate::{
    ClassSet, StoreError,
    query::{
        ask::{Ask, By},
        facts::push_calls,
        filter::Filter,
        snapshot::{Row, Snapshot},
        sql::Sql,
        sums::{call_sums, read_call_sums},
    },
};

/// Name, version, path, and one of so many groups of system prompts: a path has no more, however many prompts it sends.
const KEY: &str = "f.prompt, f.prompt_version, CASE WHEN f.prompt IS NULL THEN f.path_id END, \
                   CASE WHEN f.prompt IS NULL THEN f.sent_system & 1023 END";
/// A group mostly has one system prompt.
const SYSTEM: &str = "MIN(f.sent_system), MAX(f.sent_system)";
pub(super) const MODEL: &str = "COALESCE(f.response_model, f.request_model)";

/// Adds the calls of a filter to what was found.
pub(super) async fn add(
    snapshot: &mut Snapshot,
    filter: &Filter,
    found: &mut Prompts,
    parts: usize,
    classes: ClassSet,
) -> Result<(), StoreError> {
    let sql = by_part(snapshot, filter, parts, classes);
    let each = snapshot.each(sql, |row| {
        found.add_cell(
            Cell {
                key: key(&row, 6)?,
                model: row.maybe_text(4)?,
                part: usize::try_from(row.int(5)?).unwrap_or_default(),
                fingerprinted: row.count(8)?,
                sums: read_call_sums(&row, 9, true, classes)?,
            },
            parts,
        );
        Ok(true)
    });
    each.await?;
    let sql = same(snapshot, filter, KEY, classes);
    let each = snapshot.each(sql, |row| {
        let key = key(&row, 4)?;
        found.add_repeats(&key, row.maybe_int(6)?.is_some(), repeats(&row, 7)?);
        Ok(true)
    });
    each.await
}

/// Calls that one trace made again.
pub(super) async fn repeated(
    snapshot: &mut Snapshot,
    filter: &Filter,
    classes: ClassSet,
) -> Result<Repeats, StoreError> {
    let mut all = Repeats::default();
    let by = "f.trace_id, f.path_id, f.operation, NULL";
    let sql = same(snapshot, filter, by, classes);
    let each = snapshot.each(sql, |row| {
        all += repeats(&row, 7)?;
        Ok(true)
    });
    each.await?;
    Ok(all)
}

/// Reads number, cost and dearest of calls that are the same.
fn repeats(row: &Row, first: usize) -> Result<Repeats, StoreError> {
    let same = Same {
        calls: row.count(first)?,
        cost: UsdSum(row.sum(first + 1)?),
        dearest: UsdSum(row.maybe_int(first + 2)?.unwrap_or_default().into()),
    };
    Ok(same.repeats())
}

/// The key of [`KEY`], and of [`SYSTEM`] from a column on.
fn key(row: &Row, system: usize) -> Result<PromptKey, StoreError> {
    if let Some(name) = row.maybe_text(0)? {
        return Ok(PromptKey::Named(name, row.maybe_text(1)?));
    }
    let (least, most) = (row.maybe_int(system)?, row.maybe_int(system + 1)?);
    Ok(PromptKey::At(
        PathId(row.id(2)?),
        least.filter(|_| least == most),
    ))
}

/// Sums by key, model and part of the range.
fn by_part(snapshot: &Snapshot, filter: &Filter, parts: usize, classes: ClassSet) -> Sql {
    let range = filter.to_us.saturating_sub(filter.from_us);
    let width = (range / i64::try_from(parts).unwrap_or(i64::MAX)).max(1);
    let mut sql = snapshot.sql("SELECT ");
    sql.push(KEY).push(", ").push(MODEL);
    sql.push(", (f.start_us - ")
        .bind(filter.from_us)
        .push(") / ")
        .bind(width)
        .push(", ");
    sql.push(SYSTEM).push(", COUNT(f.sent_request), ");
    sql.push(&call_sums(sql.dialect, classes));
    push_calls(&mut sql, filter, Ask::by(By::Nothing));
    sql.push(" GROUP BY 1, 2, 3, 4, 5, 6");
    sql
}

/// Calls that agree in four columns, in their model, in the number of prompt tokens and in what they sent, as far as that
/// is known, where there is more than one: the columns, [`SYSTEM`], fingerprint, number, cost, and the dearest.
fn same(snapshot: &Snapshot, filter: &Filter, by: &str, classes: ClassSet) -> Sql {
    let tokens = sent_tokens(classes);
    let mut sql = snapshot.sql("SELECT ");
    sql.push(by).push(", ").push(SYSTEM);
    sql.push(", f.sent_request, COUNT(*), ");
    sql.push(&sql.dialect.sum("f.cost"));
    sql.push(", MAX(f.cost)");
    push_calls(&mut sql, filter, Ask::by(By::Nothing));
    sql.push(&format!(
        " AND NOT f.error AND {tokens} > 0 GROUP BY 1, 2, 3, 4, 7, f.path_id, {MODEL}, {tokens} HAVING COUNT(*) > 1"
    ));
    sql
}

/// Prompt tokens of a call.
pub(super) fn sent_tokens(classes: ClassSet) -> String {
    let sent = TokenClass::ALL
        .into_iter()
        .filter(|class| class.is_input() && classes.contains(*class))
        .map(|class| format!("COALESCE(f.tokens_{}, 0)", class.name()));
    // A bare number would name a column to group by.
    let tokens = ["0 + 0".to_owned()].into_iter().chain(sent);
    tokens.collect::<Vec<_>>().join(" + ")
}
