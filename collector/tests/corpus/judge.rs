//! Calls that count against calls that were billed.

use std::collections::{BTreeMap, BTreeSet};

use costflame_pricing::{TokenClass, Usage};
use costflame_store::CallRow;

use crate::{
    replay::Replayed,
    truth::{Scenario, TrueCall},
};

/// How well a scenario was read.
pub(crate) struct Judged {
    pub(crate) name: String,
    /// Calls billed.
    pub(crate) calls: usize,
    /// Those of them that count.
    pub(crate) found: usize,
    /// Counted calls beyond those that are one of the billed.
    pub(crate) twice: usize,
    /// Found calls of which every token class is right.
    pub(crate) tokens: usize,
    /// Found calls of which the cost is right.
    pub(crate) cost: usize,
    /// What is not right, and why, with how often.
    pub(crate) reasons: BTreeMap<String, usize>,
}

impl Judged {
    /// Everything is right.
    pub(crate) fn is_perfect(&self) -> bool {
        self.reasons.is_empty() && self.cost == self.calls && self.tokens == self.calls
    }
}

/// Ways in which a counted call may be a billed one, the surest first.
const WAYS: [fn(&TrueCall, &CallRow) -> bool; 4] = [
    |truth, call| {
        truth.response_id.is_some()
            && truth.response_id.as_deref() == call.call.response_id.as_deref()
    },
    |truth, call| {
        let (billed, said) = (truth.usage(), &call.call.usage);
        billed.total_input() == said.total_input() && billed.total_output() == said.total_output()
    },
    |truth, call| truth.usage().total_input() == call.call.usage.total_input(),
    |truth, call| {
        let output = truth.usage().total_output();
        output > 0 && output == call.call.usage.total_output()
    },
];

pub(crate) fn judge(scenario: &Scenario, replayed: &Replayed) -> Judged {
    let billed = scenario.billed();
    let counts = |call: &&CallRow| call.why().is_none() && !call.call.usage.is_zero();
    let mut counted: Vec<&CallRow> = replayed.calls.iter().filter(counts).collect();
    let mut left = billed.clone();
    let mut found = Vec::new();
    for way in WAYS {
        counted.retain(|call| {
            let Some(place) = left.iter().position(|truth| way(truth, call)) else {
                return true;
            };
            found.push((left.remove(place), *call));
            false
        });
    }
    let is_twice = |call: &&&CallRow| {
        WAYS[..2]
            .iter()
            .any(|way| billed.iter().any(|truth| way(truth, call)))
    };
    let mut judged = Judged {
        name: scenario.name.clone(),
        calls: billed.len(),
        found: found.len(),
        twice: counted.iter().filter(is_twice).count(),
        tokens: 0,
        cost: 0,
        reasons: BTreeMap::new(),
    };
    for (truth, call) in found {
        let tokens = tokens(truth, call, replayed);
        judged.tokens += usize::from(tokens.is_none());
        let cost = cost(truth, call);
        judged.cost += usize::from(cost.is_none());
        // Where tokens are missing the cost is wrong for that reason.
        judged.note(tokens.or(cost));
    }
    for truth in left {
        let why = if truth.was_sent(&replayed.numbers) {
            "not found: its numbers are only in text that is not known to be a call"
        } else {
            "not found: nothing of its usage was sent"
        };
        judged.note(Some(why.to_owned()));
    }
    for call in &counted {
        judged.note(Some(format!(
            "none of the billed: {}",
            classes(&call.call.usage)
        )));
    }
    judged
}

impl Judged {
    fn note(&mut self, reason: Option<String>) {
        if let Some(reason) = reason {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }
}

/// Lifetimes of cache writes and fees are not told apart: few conventions can.
pub(crate) fn comparable(usage: &Usage) -> [u64; TokenClass::ALL.len()] {
    let mut tokens = usage.tokens;
    tokens[TokenClass::CacheWrite as usize] += tokens[TokenClass::CacheWrite1h as usize];
    tokens[TokenClass::CacheWrite1h as usize] = 0;
    tokens
}

/// What is wrong with the tokens, and whether the wire is to blame.
fn tokens(truth: &TrueCall, call: &CallRow, replayed: &Replayed) -> Option<String> {
    let (billed, said) = (comparable(&truth.usage()), comparable(&call.call.usage));
    let differing: Vec<_> = TokenClass::ALL
        .into_iter()
        .filter(|class| billed[*class as usize] != said[*class as usize])
        .collect();
    if differing.is_empty() {
        return None;
    }
    // Input and output are what remains when their parts are taken off.
    let remains = |class: &TokenClass| matches!(class, TokenClass::Input | TokenClass::Output);
    let lost_in = |numbers: &BTreeSet<u64>| {
        let is_lost = |class: &TokenClass| {
            let (billed, said) = (billed[*class as usize], said[*class as usize]);
            said < billed && !numbers.contains(&billed) && !numbers.contains(&(billed - said))
        };
        let lost: Vec<_> = differing.iter().filter(|class| is_lost(class)).collect();
        let rest = |class: &TokenClass| is_lost(class) || remains(class);
        let explains = !lost.is_empty() && differing.iter().all(rest);
        let names: Vec<_> = lost.iter().map(|class| class.name()).collect();
        explains.then(|| names.join(", "))
    };
    if let Some(lost) = lost_in(&replayed.numbers) {
        return Some(format!("not sent: {lost}"));
    }
    // Another span may have the number by chance, or repeat what a call returned.
    let own = replayed.own.get(&call.key.span_id);
    if let Some(lost) = own.and_then(lost_in) {
        return Some(format!("not on its span: {lost}"));
    }
    Some(format!(
        "read {} instead of {}",
        classes(&call.call.usage),
        classes(&truth.usage())
    ))
}

fn cost(truth: &TrueCall, call: &CallRow) -> Option<String> {
    let right = truth.costs();
    if right.contains(&call.call.cost) {
        return None;
    }
    let model = call.call.model().map_or("no model", |model| model);
    let Some(cost) = call.call.cost else {
        let why = call.receipt.unpriced.map_or("", |why| why.name());
        return Some(format!("{model} has no price: {why}"));
    };
    let (mine, theirs) = (&call.call.usage, truth.usage());
    let fees = theirs.counters != mine.counters;
    let lifetimes = theirs.get(TokenClass::CacheWrite1h) != mine.get(TokenClass::CacheWrite1h);
    if fees || lifetimes {
        let lost = [
            (fees, "fees of tools"),
            (lifetimes, "lifetimes of cache writes"),
        ];
        let lost: Vec<_> = lost
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| *what)
            .collect();
        return Some(format!("not sent: {}", lost.join(", ")));
    }
    let flags: Vec<_> = call.flags.iter().map(|flag| flag.name()).collect();
    let truth = truth.expected.cost.as_deref().unwrap_or("unknown");
    Some(format!(
        "{model} costs {cost} instead of {truth} ({})",
        flags.join(", ")
    ))
}

fn classes(usage: &Usage) -> String {
    let used = TokenClass::ALL
        .into_iter()
        .filter(|class| usage.get(*class) > 0);
    let texts: Vec<_> = used
        .map(|class| format!("{} {}", class.name(), usage.get(class)))
        .collect();
    texts.join(", ")
}
