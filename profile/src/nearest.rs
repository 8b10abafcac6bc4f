//! The counted calls nearest below a node, with their sum, searchable by usage.

use std::collections::HashMap;

use costflame_pricing::Usage;

use crate::usage_match::keys;

/// Below this many members a scan beats an index.
const SCAN: usize = 32;

/// Members compared for one key; more with equal totals but unequal parts do not occur.
const TRIES: usize = 64;

/// A set of nodes; merging puts the smaller into the larger, so all merges of a trace are n log n.
pub(crate) struct Nearest {
    members: Vec<usize>,
    sum: Usage,
    index: HashMap<(u64, u64), Vec<usize>>,
}

impl Nearest {
    pub(crate) fn of(node: usize, usage: &Usage) -> Self {
        Self {
            members: vec![node],
            sum: *usage,
            index: HashMap::new(),
        }
    }

    /// Both sets together.
    pub(crate) fn with(self, other: Self, usage: impl Fn(usize) -> Usage) -> Self {
        let (mut large, small) = if self.members.len() < other.members.len() {
            (other, self)
        } else {
            (self, other)
        };
        large.sum = large.sum.plus(&small.sum);
        let indexed = if large.index.is_empty() {
            0
        } else {
            large.members.len()
        };
        large.members.extend(small.members);
        if large.members.len() > SCAN {
            for &node in &large.members[indexed..] {
                let mut keys = keys(&usage(node));
                keys.sort_unstable();
                let repeated = |i: usize| i > 0 && keys[i] == keys[i - 1];
                for key in (0..keys.len()).filter(|i| !repeated(*i)).map(|i| keys[i]) {
                    large.index.entry(key).or_default().push(node);
                }
            }
        }
        large
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn sum(&self) -> &Usage {
        &self.sum
    }

    /// The first member in canonical order.
    pub(crate) fn first(&self) -> usize {
        self.members.iter().copied().min().unwrap_or(0)
    }

    /// Members that `outer` may repeat, in canonical order.
    pub(crate) fn like(
        &self,
        outer: &Usage,
        usage: impl Fn(usize) -> Usage,
    ) -> impl Iterator<Item = usize> {
        let key = (outer.total_input(), outer.total_output());
        let mut found: Vec<usize> = if self.index.is_empty() {
            self.members
                .iter()
                .copied()
                .filter(|node| keys(&usage(*node)).contains(&key))
                .collect()
        } else {
            self.index.get(&key).cloned().unwrap_or_default()
        };
        found.sort_unstable();
        found.truncate(TRIES);
        found.into_iter()
    }
}
