//! Calls by the prompt they sent: its name and version, or the call path where it has no name.

use std::collections::HashMap;

use costflame_pricing::{TokenClass, UsdSum};
use costflame_profile::PathId;

use super::{
    ask::{Ask, By},
    breakdown::counted,
    facts::push_calls,
    filter::Filter,
    snapshot::{Row, Snapshot},
    sql::Sql,
    sums::{Sums, call_sums, read_call_sums},
};
use crate::StoreError;

/// Prompts told apart; calls of further ones are added up as rest.
const MOST: usize = 10_000;

/// What a prompt is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromptKey {
    /// Name, and version if it has one.
    Named(String, Option<String>),
    /// Calls without a prompt name, by where they are made.
    At(PathId),
}

/// One prompt.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// All its calls, without amounts by class.
    pub sums: Sums,
    /// By model.
    pub models: HashMap<Option<String>, Sums>,
    /// By part of the range, as many as were asked for.
    pub parts: Vec<Sums>,
    /// Calls beyond the first of those that sent as many tokens to the same model: no more requests than these can be
    /// identical to an earlier one.
    pub repeats: Repeats,
}

/// Calls that may have been made before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// How many.
    pub calls: u64,
    /// What they cost, if the dearest of each was the first.
    pub cost: UsdSum,
}

/// Every prompt of a range.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    /// In no order.
    pub prompts: HashMap<PromptKey, Prompt>,
    /// Of prompts beyond a bound.
    pub rest: Sums,
}

/// Prompt tokens, cached or not.
const PROMPT: [TokenClass; 8] = [
    TokenClass::Input,
    TokenClass::CacheRead,
    TokenClass::CacheWrite,
    TokenClass::CacheWrite1h,
    TokenClass::AudioIn,
    TokenClass::CacheReadAudio,
    TokenClass::ImageIn,
    TokenClass::VideoIn,
];

/// Name, version and path of the key.
const KEY: &str = "f.prompt, f.prompt_version, CASE WHEN f.prompt IS NULL THEN f.path_id END";
const MODEL: &str = "COALESCE(f.response_model, f.request_model)";

/// The prompts of a filter, with sums for each of `parts` equal parts of its range.
///
/// # Errors
/// When the database cannot be read.
pub async fn prompts(
    snapshot: &mut Snapshot,
    filter: &Filter,
    parts: usize,
) -> Result<Prompts, StoreError> {
    let filter = counted(filter);
    let mut found = Prompts::default();
    let sql = by_part(snapshot, &filter, parts);
    let each = snapshot.each(sql, |row| {
        let sums = read_call_sums(&row, 5, true)?;
        let key = key(&row)?;
        if found.prompts.len() >= MOST && !found.prompts.contains_key(&key) {
            found.rest += &sums;
            return Ok(true);
        }
        let prompt = found.prompts.entry(key).or_default();
        prompt.sums += &sums;
        *prompt.models.entry(row.maybe_text(3)?).or_default() += &sums;
        prompt.parts.resize(parts, Sums::default());
        let part = usize::try_from(row.int(4)?).unwrap_or_default();
        prompt.parts[part.min(parts - 1)] += &sums;
        Ok(true)
    });
    each.await?;
    let sql = same(snapshot, &filter, KEY);
    let each = snapshot.each(sql, |row| {
        if let Some(prompt) = found.prompts.get_mut(&key(&row)?) {
            prompt.repeats.add(&row, 3)?;
        }
        Ok(true)
    });
    each.await?;
    Ok(found)
}

/// Calls that were made again in the same trace: from the same place, with as many tokens, to the same model. Failed
/// ones are not among them.
///
/// # Errors
/// When the database cannot be read.
pub async fn repeated(snapshot: &mut Snapshot, filter: &Filter) -> Result<Repeats, StoreError> {
    let mut repeats = Repeats::default();
    let sql = same(
        snapshot,
        &counted(filter),
        "f.trace_id, f.path_id, f.operation",
    );
    let each = snapshot.each(sql, |row| {
        repeats.add(&row, 3)?;
        Ok(true)
    });
    each.await?;
    Ok(repeats)
}

impl Repeats {
    /// Adds all but the dearest of calls that are the same: their number, their cost and the dearest.
    fn add(&mut self, row: &Row, first: usize) -> Result<(), StoreError> {
        let cost = row.sum(first + 1)? - i128::from(row.maybe_int(first + 2)?.unwrap_or_default());
        self.calls += row.count(first)?.saturating_sub(1);
        self.cost += UsdSum(cost);
        Ok(())
    }
}

fn key(row: &Row) -> Result<PromptKey, StoreError> {
    Ok(match row.maybe_text(0)? {
        Some(name) => PromptKey::Named(name, row.maybe_text(1)?),
        None => PromptKey::At(PathId(row.id(2)?)),
    })
}

/// Sums by key, model and part of the range.
fn by_part(snapshot: &Snapshot, filter: &Filter, parts: usize) -> Sql {
    let range = filter.to_us.saturating_sub(filter.from_us);
    let width = (range / i64::try_from(parts).unwrap_or(i64::MAX)).max(1);
    let mut sql = snapshot.sql("SELECT ");
    sql.push(KEY).push(", ").push(MODEL);
    sql.push(", (f.start_us - ")
        .bind(filter.from_us)
        .push(") / ")
        .bind(width)
        .push(", ");
    sql.push(&call_sums(sql.dialect));
    push_calls(&mut sql, filter, Ask::by(By::Nothing));
    sql.push(" GROUP BY 1, 2, 3, 4, 5");
    sql
}

/// Calls that agree in three columns, in their model and in the number of prompt tokens, where there is more than one:
/// the columns, number, cost, and the dearest.
fn same(snapshot: &Snapshot, filter: &Filter, by: &str) -> Sql {
    let tokens = PROMPT
        .map(|class| format!("COALESCE(f.tokens_{}, 0)", class.name()))
        .join(" + ");
    let mut sql = snapshot.sql("SELECT ");
    sql.push(by).push(", COUNT(*), ");
    sql.push(&sql.dialect.sum("f.cost"));
    sql.push(", MAX(f.cost)");
    push_calls(&mut sql, filter, Ask::by(By::Nothing));
    sql.push(&format!(
        " AND NOT f.error AND {tokens} > 0 GROUP BY 1, 2, 3, f.path_id, {MODEL}, {tokens} HAVING COUNT(*) > 1"
    ));
    sql
}
