//! The cost tree: call paths with what their calls add up to.
//!
//! Only *self* values are given; totals are sums over the subtree, computed here. Σ self over all
//! nodes = Σ total over the top nodes, whatever is merged, pruned or compared.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::{Frame, FrameKind, PathId, PathRow, Text, metrics::Measure, order};

mod combine;
mod prune;

pub use prune::Pruned;

/// One frame of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<M> {
    /// Its path; `None` = `(other)`, what was pruned below its parent.
    pub id: Option<PathId>,
    /// Index of the parent, smaller than the node's own; `None` = at the top.
    pub parent: Option<usize>,
    /// Service, kind and label.
    pub frame: Frame,
    /// Self: of the calls that end here.
    pub own: M,
    /// Total: self and everything below.
    pub total: M,
}

/// Nodes in preorder; siblings by (service, kind, label, path), `(other)` last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree<M> {
    /// Parents before children.
    pub nodes: Vec<Node<M>>,
}

/// A node before it has a position and a total.
#[derive(Clone, Debug)]
struct Entry<M> {
    id: Option<PathId>,
    parent: Option<usize>,
    frame: Frame,
    own: M,
}

/// Path ids are uniform hashes already.
#[derive(Default)]
struct PathHasher(u64);

impl Hasher for PathHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

type ByPath<V> = HashMap<PathId, V, BuildHasherDefault<PathHasher>>;

impl<M: Measure> Tree<M> {
    /// Builds a tree from path rows and self values, both in any order; values of one path add up.
    ///
    /// Paths without calls in or below them are left out. A value whose path is unknown, or whose parents
    /// are, is kept at the top or below `(unknown path)`: nothing is lost.
    pub fn from_rows(
        paths: impl IntoIterator<Item = PathRow>,
        own: impl IntoIterator<Item = (PathId, M)>,
    ) -> Self {
        let rows: ByPath<(Option<PathId>, Frame)> = paths
            .into_iter()
            .map(|row| (row.id, (row.parent, row.frame)))
            .collect();
        let mut entries: Vec<Entry<M>> = Vec::new();
        let mut places: ByPath<usize> = ByPath::default();
        for (path, value) in own {
            let place = *places.entry(path).or_insert(entries.len());
            if place == entries.len() {
                entries.push(entry_of(&rows, path));
            }
            entries[place].own.add(&value);
        }
        let mut at = 0;
        while at < entries.len() {
            let above = entries[at].id.and_then(|id| rows.get(&id)?.0);
            entries[at].parent = above.map(|path| {
                let place = *places.entry(path).or_insert(entries.len());
                if place == entries.len() {
                    entries.push(entry_of(&rows, path));
                }
                place
            });
            at += 1;
        }
        let mut parents: Vec<order::Parent> = entries
            .iter()
            .map(|entry| {
                entry
                    .parent
                    .map_or(order::Parent::Root, order::Parent::Node)
            })
            .collect();
        order::depths(&mut parents);
        for (entry, parent) in entries.iter_mut().zip(parents) {
            if parent == order::Parent::Missing {
                entry.parent = None;
            }
        }
        Self::arrange(entries)
    }

    /// Sum over the whole tree.
    #[must_use]
    pub fn total(&self) -> M {
        let mut total = M::default();
        for node in self.nodes.iter().filter(|node| node.parent.is_none()) {
            total.add(&node.total);
        }
        total
    }

    /// Gives every entry its position in preorder and its total. Parents must not form cycles.
    fn arrange(entries: Vec<Entry<M>>) -> Self {
        let children = Children::of(
            entries.len(),
            |i| entries[i].parent,
            |siblings| {
                siblings.sort_unstable_by(|a, b| {
                    let key =
                        |i: &usize| (entries[*i].id.is_none(), &entries[*i].frame, entries[*i].id);
                    key(a).cmp(&key(b))
                });
            },
        );
        let mut order = Vec::with_capacity(entries.len());
        let mut stack: Vec<usize> = children.tops().iter().rev().copied().collect();
        while let Some(entry) = stack.pop() {
            order.push(entry);
            stack.extend(children.of_node(entry).iter().rev());
        }
        let mut position = vec![0; entries.len()];
        for (place, &entry) in order.iter().enumerate() {
            position[entry] = place;
        }
        let mut entries: Vec<Option<Entry<M>>> = entries.into_iter().map(Some).collect();
        let mut nodes: Vec<Node<M>> = order
            .into_iter()
            .filter_map(|entry| entries[entry].take())
            .map(
                |Entry {
                     id,
                     parent,
                     frame,
                     own,
                 }| {
                    let total = own.clone();
                    Node {
                        id,
                        parent: parent.map(|above| position[above]),
                        frame,
                        own,
                        total,
                    }
                },
            )
            .collect();
        for place in (0..nodes.len()).rev() {
            if let Some(above) = nodes[place].parent {
                let (before, from) = nodes.split_at_mut(place);
                before[above].total.add(&from[0].total);
            }
        }
        Self { nodes }
    }

    fn into_entries(self) -> Vec<Entry<M>> {
        let entry = |Node {
                         id,
                         parent,
                         frame,
                         own,
                         ..
                     }: Node<M>| Entry {
            id,
            parent,
            frame,
            own,
        };
        self.nodes.into_iter().map(entry).collect()
    }
}

fn entry_of<M: Measure>(rows: &ByPath<(Option<PathId>, Frame)>, path: PathId) -> Entry<M> {
    let frame = rows
        .get(&path)
        .map_or_else(|| fixed("(unknown path)"), |(_, frame)| frame.clone());
    Entry {
        id: Some(path),
        parent: None,
        frame,
        own: M::default(),
    }
}

fn fixed(label: &str) -> Frame {
    Frame {
        service: Text::from(""),
        kind: FrameKind::Step,
        label: label.into(),
    }
}

/// Children of every node in one vector.
struct Children {
    /// `first[node]..first[node + 1]` are a node's children; the last range holds the tops.
    first: Vec<usize>,
    all: Vec<usize>,
}

impl Children {
    fn of(
        nodes: usize,
        parent: impl Fn(usize) -> Option<usize>,
        mut sort: impl FnMut(&mut [usize]),
    ) -> Self {
        let slot = |node| parent(node).unwrap_or(nodes);
        let mut first = vec![0; nodes + 2];
        for node in 0..nodes {
            first[slot(node) + 1] += 1;
        }
        for slot in 1..first.len() {
            first[slot] += first[slot - 1];
        }
        let mut free = first.clone();
        let mut all = vec![0; nodes];
        for node in 0..nodes {
            let place = &mut free[slot(node)];
            all[*place] = node;
            *place += 1;
        }
        for slot in 0..=nodes {
            sort(&mut all[first[slot]..first[slot + 1]]);
        }
        Self { first, all }
    }

    fn of_node(&self, node: usize) -> &[usize] {
        &self.all[self.first[node]..self.first[node + 1]]
    }

    fn tops(&self) -> &[usize] {
        self.of_node(self.first.len() - 2)
    }
}
