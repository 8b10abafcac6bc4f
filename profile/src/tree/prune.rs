//! A tree small enough to draw, with the same totals.

use std::cmp::Reverse;

use super::{Children, Entry, Tree, fixed};
use crate::metrics::{Measure, Metric};

/// A pruned tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned<M> {
    /// At most as many nodes as asked for, `(other)` included.
    pub tree: Tree<M>,
    /// Frames that are now part of an `(other)`.
    pub folded: usize,
}

impl<M: Measure> Tree<M> {
    /// Keeps the `max_nodes` (at least 1) largest totals by `metric` and folds the rest of each node's children into one
    /// `(other)`, so that every total of a kept node stays. n log n.
    #[must_use]
    pub fn prune(self, max_nodes: usize, metric: Metric) -> Pruned<M> {
        if self.nodes.len() <= max_nodes.max(1) {
            return Pruned {
                tree: self,
                folded: 0,
            };
        }
        let keep = self.choose(max_nodes.max(1), metric);
        let folded = (0..keep.len())
            .filter(|node| !keep[*node] && self.nodes[*node].id.is_some())
            .count();
        let mut place = Vec::with_capacity(keep.len());
        let mut other = vec![None; keep.len() + 1];
        let mut entries: Vec<Entry<M>> = Vec::new();
        for (node, mut entry) in self.into_entries().into_iter().enumerate() {
            let above = entry.parent;
            if keep[node] {
                entry.parent = above.map(|above: usize| place[above]);
                place.push(entries.len());
                entries.push(entry);
                continue;
            }
            if let Some(above) = above.filter(|above| !keep[*above]) {
                place.push(place[above]);
                entries[place[above]].own.add(&entry.own);
                continue;
            }
            let rest = *other[above.map_or(0, |above| above + 1)].get_or_insert_with(|| {
                let parent = above.map(|above| place[above]);
                entries.push(Entry {
                    id: None,
                    parent,
                    frame: fixed("(other)"),
                    own: M::default(),
                });
                entries.len() - 1
            });
            place.push(rest);
            entries[rest].own.add(&entry.own);
        }
        Pruned {
            tree: Self::arrange(entries),
            folded,
        }
    }

    /// Which nodes stay. A parent is never smaller than its children, so taking nodes by size takes parents first; taking one
    /// more never needs less room, since a node that is taken adds itself and at most spares its parent's `(other)`.
    fn choose(&self, max_nodes: usize, metric: Metric) -> Vec<bool> {
        let mut weight: Vec<u128> = self
            .nodes
            .iter()
            .map(|node| node.own.weight(metric))
            .collect();
        for node in (0..weight.len()).rev() {
            if let Some(above) = self.nodes[node].parent {
                weight[above] = weight[above].saturating_add(weight[node]);
            }
        }
        let children = Children::of(self.nodes.len(), |node| self.nodes[node].parent, |_| ());
        let mut by_size: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].id.is_some())
            .collect();
        by_size.sort_unstable_by_key(|&node| (Reverse(weight[node]), node));

        let mut keep = vec![false; self.nodes.len()];
        let mut out: Vec<usize> = (0..self.nodes.len())
            .map(|node| children.of_node(node).len())
            .collect();
        let mut tops_out = children.tops().len();
        let mut room = 1;
        for node in by_size {
            let siblings_out = self.nodes[node]
                .parent
                .map_or(&mut tops_out, |above| &mut out[above]);
            let spared = usize::from(*siblings_out == 1);
            let needed = room + 1 - spared + usize::from(!children.of_node(node).is_empty());
            if needed > max_nodes {
                break;
            }
            *siblings_out -= 1;
            room = needed;
            keep[node] = true;
        }
        // An `(other)` that would stand for one leaf is no smaller than the leaf.
        for node in 0..keep.len() {
            let above = self.nodes[node].parent;
            let alone = above.map_or(tops_out, |above| out[above]) == 1;
            let placed = above.is_none_or(|above| keep[above]);
            if alone && placed && self.nodes[node].id.is_some() && children.of_node(node).is_empty()
            {
                keep[node] = true;
            }
        }
        keep
    }
}
