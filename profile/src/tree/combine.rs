//! Two trees in one: their sum, or side by side.

use std::collections::HashMap;

use super::{ByPath, Entry, Tree, fixed};
use crate::metrics::{Compared, Measure, Metrics};

impl<M: Measure> Tree<M> {
    /// The sum of two trees over the union of their paths. Commutative and associative.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let mut union = Union {
            entries: self.into_entries(),
            places: ByPath::default(),
            others: HashMap::new(),
        };
        for place in 0..union.entries.len() {
            union.remember(place);
        }
        let mut moved = Vec::with_capacity(other.nodes.len());
        for mut entry in other.into_entries() {
            entry.parent = entry.parent.map(|above: usize| moved[above]);
            moved.push(union.add(entry));
        }
        Self::arrange(union.entries)
    }
}

impl Tree<Metrics> {
    /// This tree and `base` side by side over the union of their paths.
    #[must_use]
    pub fn diff(self, base: Self) -> Tree<Compared> {
        let now = self.map(|now| Compared {
            now,
            base: Metrics::default(),
        });
        now.merge(base.map(|base| Compared {
            now: Metrics::default(),
            base,
        }))
    }

    fn map(self, side: impl Fn(Metrics) -> Compared) -> Tree<Compared> {
        let node = |node: super::Node<Metrics>| super::Node {
            id: node.id,
            parent: node.parent,
            frame: node.frame,
            own: side(node.own),
            total: side(node.total),
        };
        Tree {
            nodes: self.nodes.into_iter().map(node).collect(),
        }
    }
}

struct Union<M> {
    entries: Vec<Entry<M>>,
    places: ByPath<usize>,
    /// `(other)` by its parent.
    others: HashMap<Option<usize>, usize>,
}

impl<M: Measure> Union<M> {
    fn remember(&mut self, place: usize) {
        match self.entries[place].id {
            Some(id) => self.places.insert(id, place),
            None => self.others.insert(self.entries[place].parent, place),
        };
    }

    fn add(&mut self, entry: Entry<M>) -> usize {
        let known = match entry.id {
            Some(id) => self.places.get(&id),
            None => self.others.get(&entry.parent),
        };
        let Some(&place) = known else {
            self.entries.push(entry);
            self.remember(self.entries.len() - 1);
            return self.entries.len() - 1;
        };
        let there = &mut self.entries[place];
        there.own.add(&entry.own);
        // A tree that did not know this path yields to one that does.
        if there.parent.is_none() && there.frame == fixed("(unknown path)") {
            (there.parent, there.frame) = (entry.parent, entry.frame);
        }
        place
    }
}
