//! Few calls, read one by one and grouped in memory.

use std::{collections::HashMap, hash::Hash};

use costflame_pricing::UsdSum;
use costflame_profile::PathId;

use super::{
    Cell, PromptKey, Prompts, Repeats, Same,
    many::{MODEL, sent_tokens},
};
use crate::{
    ClassSet, StoreError,
    query::{
        ask::{Ask, By},
        facts::push_calls,
        filter::Filter,
        snapshot::Snapshot,
        sums::{Sums, call_columns_alone, read_call_alone},
    },
};

/// What tells prompts apart while calls are read.
#[derive(PartialEq, Eq, Hash)]
enum Place {
    Named(String, Option<String>),
    /// A path, and one of so many groups of system prompts: it has no more, however many prompts it sends.
    At(PathId, Option<i64>),
}

const SYSTEMS: i64 = 1024;

/// Least and greatest system prompt of a place.
type Systems = Option<(i64, i64)>;

/// Numbers for values that are met again and again.
struct Numbers<K>(HashMap<K, u32>);

impl<K: Eq + Hash> Numbers<K> {
    fn of(&mut self, key: K) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(key).or_insert(next)
    }

    /// The values in the order of their numbers.
    fn values(self) -> Vec<K> {
        let mut all: Vec<_> = self.0.into_iter().collect();
        all.sort_unstable_by_key(|(_, number)| *number);
        all.into_iter().map(|(key, _)| key).collect()
    }
}

/// Adds the calls of a filter to what was found.
pub(super) async fn add(
    snapshot: &mut Snapshot,
    filter: &Filter,
    found: &mut Prompts,
    parts: usize,
    classes: ClassSet,
) -> Result<(), StoreError> {
    let range = filter.to_us.saturating_sub(filter.from_us);
    let width = (range / i64::try_from(parts).unwrap_or(i64::MAX)).max(1);
    let mut places = Numbers(HashMap::new());
    let mut models = Numbers(HashMap::new());
    let mut systems: Vec<Systems> = Vec::new();
    let mut cells: HashMap<(u32, u32, i64), (u64, Sums)> = HashMap::new();
    let mut same: HashMap<_, Same> = HashMap::new();

    let mut sql = snapshot.sql("SELECT ");
    sql.push(&format!(
        "{MODEL}, f.path_id, f.sent_request, f.sent_system, f.prompt, f.prompt_version, f.start_us, {}",
        call_columns_alone(classes)
    ));
    push_calls(&mut sql, filter, Ask::by(By::Nothing));
    let each = snapshot.each(sql, |row| {
        let sums = read_call_alone(&row, 7, classes)?;
        let model = models.of(row.maybe_text(0)?);
        let path = PathId(row.id(1)?);
        let request = row.maybe_int(2)?;
        let system = row.maybe_int(3)?;
        let place = places.of(match row.maybe_text(4)? {
            Some(name) => Place::Named(name, row.maybe_text(5)?),
            None => Place::At(path, system.map(|system| system & (SYSTEMS - 1))),
        });
        let at = place as usize;
        systems.resize(systems.len().max(at + 1), None);
        if let Some(system) = system {
            let (least, most) = systems[at].unwrap_or((system, system));
            systems[at] = Some((least.min(system), most.max(system)));
        }
        let part = (row.int(6)? - filter.from_us) / width;
        let (fingerprinted, cell) = cells.entry((place, model, part)).or_default();
        *fingerprinted += u64::from(request.is_some());
        *cell += &sums;
        let tokens = sums.input_tokens();
        if sums.errors == 0 && tokens > 0 {
            let key = (place, path, model, tokens, request);
            same.entry(key).or_default().add(sums.cost);
        }
        Ok(true)
    });
    each.await?;

    let places = places.values().into_iter().zip(systems);
    let keys: Vec<PromptKey> = places.map(|(place, systems)| key(place, systems)).collect();
    let models = models.values();
    for ((place, model, part), (fingerprinted, sums)) in cells {
        let cell = Cell {
            key: keys[place as usize].clone(),
            model: models[model as usize].clone(),
            part: usize::try_from(part).unwrap_or_default(),
            fingerprinted,
            sums,
        };
        found.add_cell(cell, parts);
    }
    for ((place, _, _, _, request), same) in same {
        found.add_repeats(&keys[place as usize], request.is_some(), same.repeats());
    }
    Ok(())
}

/// Calls that one trace made again.
pub(super) async fn repeated(
    snapshot: &mut Snapshot,
    filter: &Filter,
    classes: ClassSet,
) -> Result<Repeats, StoreError> {
    let mut names = Numbers(HashMap::new());
    let mut same: HashMap<_, Same> = HashMap::new();
    let tokens = sent_tokens(classes);
    let mut sql = snapshot.sql("SELECT ");
    sql.push(&format!(
        "{MODEL}, f.operation, f.trace_id, f.path_id, {tokens}, f.sent_request, f.cost"
    ));
    push_calls(&mut sql, filter, Ask::by(By::Nothing));
    sql.push(&format!(" AND NOT f.error AND {tokens} > 0"));
    let each = snapshot.each(sql, |row| {
        let name = names.of((row.maybe_text(0)?, row.maybe_text(1)?));
        let (trace, path) = (row.id::<16>(2)?, row.id::<16>(3)?);
        let key = (trace, path, name, row.int(4)?, row.maybe_int(5)?);
        let cost = row.maybe_int(6)?.unwrap_or_default();
        same.entry(key).or_default().add(UsdSum(cost.into()));
        Ok(true)
    });
    each.await?;
    let mut all = Repeats::default();
    for same in same.into_values() {
        all += same.repeats();
    }
    Ok(all)
}

/// What a prompt is known by, once all its system prompts have been met.
fn key(place: Place, systems: Systems) -> PromptKey {
    match place {
        Place::Named(name, version) => PromptKey::Named(name, version),
        Place::At(path, _) => {
            let only = systems.filter(|(least, most)| least == most);
            PromptKey::At(path, only.map(|(one, _)| one))
        }
    }
}
