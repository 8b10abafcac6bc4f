//! Calls by the prompt they sent: its name and version, or where it has no name the call path and a fingerprint of its
//! system prompt.

use std::{collections::HashMap, ops::AddAssign};

use costflame_pricing::UsdSum;
use costflame_profile::PathId;

use super::{
    breakdown::counted,
    facts::{push_call_range, push_range},
    filter::Filter,
    snapshot::Snapshot,
    sql::Dialect,
    sums::{Sums, Wanted},
};
use crate::StoreError;

mod few;
mod many;

/// As many calls are grouped in memory: a database sorts them into groups, which takes longer than reading them. Of more
/// it would take too much memory.
const FEW: usize = 100_000;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompts {
    /// In no order.
    pub prompts: HashMap<PromptKey, Prompt>,
    /// Of prompts beyond a bound.
    pub rest: Sums,
}

/// The prompts of a filter, with sums for each of `parts` equal parts of its range.
///
/// # Errors
/// When the database cannot be read.
pub async fn prompts(
    snapshot: &mut Snapshot,
    filter: &Filter,
    parts: usize,
) -> Result<Prompts, StoreError> {
    let few = is_few(snapshot, filter).await?;
    prompts_grouped(snapshot, filter, parts, few).await
}

/// The same, grouped in memory or by the database.
///
/// # Errors
/// When the database cannot be read.
#[doc(hidden)]
pub async fn prompts_grouped(
    snapshot: &mut Snapshot,
    filter: &Filter,
    parts: usize,
    few: bool,
) -> Result<Prompts, StoreError> {
    let filter = counted(filter);
    let mut found = Prompts::default();
    let classes = Wanted::read(snapshot, filter.project, false).await?.classes;
    if few {
        few::add(snapshot, &filter, &mut found, parts, classes).await?;
    } else {
        many::add(snapshot, &filter, &mut found, parts, classes).await?;
    }
    found.fold_systems();
    Ok(found)
}

/// Calls that were made again in the same trace: from the same place, with the same request, to the same model; with as
/// many tokens where the request was not on the wire. Failed ones are not among them.
///
/// # Errors
/// When the database cannot be read.
pub async fn repeated(snapshot: &mut Snapshot, filter: &Filter) -> Result<Repeats, StoreError> {
    let few = is_few(snapshot, filter).await?;
    repeated_grouped(snapshot, filter, few).await
}

/// The same, grouped in memory or by the database.
///
/// # Errors
/// When the database cannot be read.
#[doc(hidden)]
pub async fn repeated_grouped(
    snapshot: &mut Snapshot,
    filter: &Filter,
    few: bool,
) -> Result<Repeats, StoreError> {
    let filter = &counted(filter);
    let classes = Wanted::read(snapshot, filter.project, false).await?.classes;
    match few {
        true => few::repeated(snapshot, filter, classes).await,
        false => many::repeated(snapshot, filter, classes).await,
    }
}

/// True when no more than [`FEW`] calls start in the range, whatever else they are.
async fn is_few(snapshot: &mut Snapshot, filter: &Filter) -> Result<bool, StoreError> {
    let mut sql = snapshot.sql("SELECT COUNT(*) FROM (SELECT 1 FROM calls f WHERE f.project_id = ");
    sql.bind(filter.project);
    let range = (filter.from_us, filter.to_us);
    // SQLite has no partitions, and the index of starts has no days.
    match sql.dialect {
        Dialect::Postgres => push_call_range(&mut sql, range),
        Dialect::Sqlite => push_range(&mut sql, "f.start_us", range),
    }
    sql.push(" LIMIT ").bind(FEW + 1).push(") few");
    let calls = snapshot.first(sql, |row| row.count(0)).await?;
    Ok(calls.unwrap_or_default() <= FEW as u64)
}

/// Some calls of one prompt.
struct Cell {
    key: PromptKey,
    model: Option<String>,
    part: usize,
    fingerprinted: u64,
    sums: Sums,
}

/// Calls that sent the same.
#[derive(Clone, Copy, Debug, Default)]
struct Same {
    calls: u64,
    cost: UsdSum,
    dearest: UsdSum,
}

impl Same {
    /// One more of them.
    fn add(&mut self, cost: UsdSum) {
        self.calls += 1;
        self.cost += cost;
        self.dearest = self.dearest.max(cost);
    }

    /// All but the dearest of them.
    fn repeats(self) -> Repeats {
        Repeats {
            calls: self.calls.saturating_sub(1),
            cost: self.cost - self.dearest,
        }
    }
}

impl Prompts {
    fn add_cell(&mut self, cell: Cell, parts: usize) {
        let sums = &cell.sums;
        if self.prompts.len() >= MOST && !self.prompts.contains_key(&cell.key) {
            self.rest += sums;
            return;
        }
        let prompt = self.prompts.entry(cell.key).or_default();
        prompt.sums += sums;
        prompt.fingerprinted += cell.fingerprinted;
        *prompt.models.entry(cell.model).or_default() += sums;
        prompt.parts.resize(parts, Sums::default());
        prompt.parts[cell.part.min(parts - 1)] += sums;
    }

    /// `known`: their requests were on the wire.
    fn add_repeats(&mut self, key: &PromptKey, known: bool, repeats: Repeats) {
        let Some(prompt) = self.prompts.get_mut(key) else {
            return;
        };
        match known {
            true => prompt.identical += repeats,
            false => prompt.as_long += repeats,
        }
    }

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
