//! Calls by the prompt they sent: its name and version, or where it has no name the call path and a fingerprint of its
//! system prompt.

use std::{collections::HashMap, ops::AddAssign};

use costflame_pricing::{TokenClass, UsdSum};
use costflame_profile::PathId;

use super::{
    ask::{Ask, By},
    breakdown::counted,
    facts::push_calls,
    filter::Filter,
    snapshot::{Row, Snapshot},
    sql::Sql,
    sums::{Sums, Wanted, call_sums, read_call_sums},
};
use crate::{ClassSet, StoreError};

/// Prompts told apart; calls of further ones are added up as rest.
const MOST: usize = 10_000;

/// System prompts told apart at one call path. Where there are more, they have parts that change with the request.
const MOST_SYSTEMS: usize = 20;

/// What a prompt is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromptKey {
    /// Name, and version if it has one.
    Named(String, Option<String>),
    /// Calls without a prompt name, by where they are made and the fingerprint of their system prompt. `None` where it was
    /// not on the wire, or differs from call to call.
    At(PathId, Option<i64>),
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
    /// Calls whose request was on the wire, so that identical ones are known.
    pub fingerprinted: u64,
    /// Its system prompt differs from call to call.
    pub varies: bool,
    /// Calls beyond the first of those that sent the same request to the same model.
    pub identical: Repeats,
    /// Among calls whose request was not on the wire, those beyond the first that sent as many tokens to the same model:
    /// no more than these can be identical to an earlier one.
    pub as_long: Repeats,
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

/// Name, version, path, and one of so many groups of system prompts: a path has no more, however many prompts it sends.
const KEY: &str = "f.prompt, f.prompt_version, CASE WHEN f.prompt IS NULL THEN f.path_id END, \
                   CASE WHEN f.prompt IS NULL THEN f.sent_system & 1023 END";
/// A group mostly has one system prompt.
const SYSTEM: &str = "MIN(f.sent_system), MAX(f.sent_system)";
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
    let classes = Wanted::read(snapshot, filter.project, false).await?.classes;
    let sql = by_part(snapshot, &filter, parts, classes);
    let each = snapshot.each(sql, |row| {
        let sums = read_call_sums(&row, 9, true, classes)?;
        let key = key(&row, 6)?;
        if found.prompts.len() >= MOST && !found.prompts.contains_key(&key) {
            found.rest += &sums;
            return Ok(true);
        }
        let prompt = found.prompts.entry(key).or_default();
        prompt.sums += &sums;
        prompt.fingerprinted += row.count(8)?;
        *prompt.models.entry(row.maybe_text(4)?).or_default() += &sums;
        prompt.parts.resize(parts, Sums::default());
        let part = usize::try_from(row.int(5)?).unwrap_or_default();
        prompt.parts[part.min(parts - 1)] += &sums;
        Ok(true)
    });
    each.await?;
    let sql = same(snapshot, &filter, KEY, classes);
    let each = snapshot.each(sql, |row| {
        let Some(prompt) = found.prompts.get_mut(&key(&row, 4)?) else {
            return Ok(true);
        };
        let repeats = match row.maybe_int(6)? {
            Some(_) => &mut prompt.identical,
            None => &mut prompt.as_long,
        };
        repeats.add(&row, 7)?;
        Ok(true)
    });
    each.await?;
    found.fold_systems();
    Ok(found)
}

/// Calls that were made again in the same trace: from the same place, with the same request, to the same model; with as
/// many tokens where the request was not on the wire. Failed ones are not among them.
///
/// # Errors
/// When the database cannot be read.
pub async fn repeated(snapshot: &mut Snapshot, filter: &Filter) -> Result<Repeats, StoreError> {
    let mut repeats = Repeats::default();
    let classes = Wanted::read(snapshot, filter.project, false).await?.classes;
    let sql = same(
        snapshot,
        &counted(filter),
        "f.trace_id, f.path_id, f.operation, NULL",
        classes,
    );
    let each = snapshot.each(sql, |row| {
        repeats.add(&row, 7)?;
        Ok(true)
    });
    each.await?;
    Ok(repeats)
}

impl Prompts {
    /// Where one place sends more system prompts than can be told apart by eye, they are one prompt.
    fn fold_systems(&mut self) {
        let mut systems: HashMap<PathId, usize> = HashMap::new();
        for key in self.prompts.keys() {
            if let PromptKey::At(path, Some(_)) = key {
                *systems.entry(*path).or_default() += 1;
            }
        }
        systems.retain(|_, systems| *systems > MOST_SYSTEMS);
        for path in systems.into_keys() {
            let of_path = |key: &PromptKey| matches!(key, PromptKey::At(at, _) if *at == path);
            let mut whole = Prompt::default();
            for (_, prompt) in self.prompts.extract_if(|key, _| of_path(key)) {
                whole.add(&prompt);
            }
            whole.varies = true;
            self.prompts.insert(PromptKey::At(path, None), whole);
        }
    }
}

impl Prompt {
    fn add(&mut self, other: &Self) {
        self.sums += &other.sums;
        for (model, sums) in &other.models {
            *self.models.entry(model.clone()).or_default() += sums;
        }
        self.parts
            .resize(self.parts.len().max(other.parts.len()), Sums::default());
        for (part, sums) in self.parts.iter_mut().zip(&other.parts) {
            *part += sums;
        }
        self.fingerprinted += other.fingerprinted;
        self.identical += other.identical;
        self.as_long += other.as_long;
    }
}

impl AddAssign for Repeats {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.cost += other.cost;
    }
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
    let sent = TokenClass::ALL
        .into_iter()
        .filter(|class| class.is_input() && classes.contains(*class))
        .map(|class| format!("COALESCE(f.tokens_{}, 0)", class.name()));
    // A bare number would name a column to group by.
    let tokens = ["0 + 0".to_owned()].into_iter().chain(sent);
    let tokens = tokens.collect::<Vec<_>>().join(" + ");
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
