//! Landed rows in a canonical order, and the forest their parent ids make.
//!
//! Everything after this module walks the nodes in an order computed from stored facts alone, so
//! no result can depend on how spans arrived.

use std::cmp::Reverse;

use crate::{
    Call, Role, Signal, Span, SpanId,
    join::{join_logs, knows},
    told,
};

/// One span of the trace, or a log record that joins none: the row that gives its place, and the row that gives its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) place: usize,
    pub(crate) source: usize,
}

/// What is above a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// The span has no parent id.
    Root,
    /// The parent was never seen and nothing is known to lie above, or following it would lead back here.
    Missing,
    /// A node.
    Node(usize),
}

/// The latest version of every (span, signal), ordered by start, span id and signal.
pub(crate) fn canonical<R: AsRef<Span>>(rows: Vec<R>) -> Vec<R> {
    let mut kept: Vec<usize> = (0..rows.len()).collect();
    let version = |span: &Span| (span.end_us, span.attribute_count, span.content_hash);
    kept.sort_unstable_by_key(|&row| {
        let span = rows[row].as_ref();
        (span.span_id, span.signal as u8, Reverse(version(span)))
    });
    kept.dedup_by_key(|row| {
        let span = rows[*row].as_ref();
        (span.span_id, span.signal as u8)
    });
    kept.sort_unstable_by_key(|&row| {
        let span = rows[row].as_ref();
        (span.start_us, span.span_id, span.signal as u8)
    });
    let mut rows: Vec<Option<R>> = rows.into_iter().map(Some).collect();
    kept.into_iter()
        .filter_map(|row| rows[row].take())
        .collect()
}

/// The nodes of a trace with their order and depth.
pub(crate) struct Forest {
    /// In canonical order: by start, then span id.
    pub(crate) nodes: Vec<Node>,
    pub(crate) parent: Vec<Parent>,
    /// Of a node whose parent is missing: how many of the steps it says lie above it lie above or at the node it hangs
    /// under, see [`told`]. `None` where its parent is its own.
    pub(crate) told: Vec<Option<usize>>,
    /// Every node after its parent.
    pub(crate) order: Vec<usize>,
    pub(crate) depth: Vec<usize>,
}

impl Forest {
    /// Links canonical rows; linear but for sorting by span id.
    pub(crate) fn of<R: AsRef<Span>>(rows: &[R]) -> Self {
        let span = |row: usize| rows[row].as_ref();
        let mut by_id: Vec<usize> = (0..rows.len()).collect();
        by_id.sort_unstable_by_key(|&row| (span(row).span_id, span(row).signal as u8));
        let mut nodes: Vec<Node> = by_id
            .chunk_by(|&a, &b| span(a).span_id == span(b).span_id)
            .map(|same| Node {
                place: same[0],
                source: source_of(same, |row| span(row)),
            })
            .collect();
        let start = |node: &Node| (span(node.place).start_us, span(node.place).span_id);
        nodes.sort_unstable_by_key(start);
        join_logs(rows, &mut nodes);

        let mut ids: Vec<(SpanId, usize)> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| (span(node.place).span_id, i))
            .collect();
        ids.sort_unstable();
        let mut parent: Vec<Parent> = nodes
            .iter()
            .map(|node| match span(node.place).parent_span_id {
                None => Parent::Root,
                Some(id) => match ids.binary_search_by_key(&id, |(known, _)| *known) {
                    Ok(found) => Parent::Node(ids[found].1),
                    Err(_) => Parent::Missing,
                },
            })
            .collect();
        let told = told::hang(rows, &nodes, &mut parent);
        let depth = depths(&mut parent);
        let order = by_depth(&depth);
        Self {
            nodes,
            parent,
            told,
            order,
            depth,
        }
    }

    /// Preorder number of every node and the first number after its subtree.
    pub(crate) fn intervals(&self) -> Vec<(usize, usize)> {
        let mut size = vec![1; self.nodes.len()];
        for &node in self.order.iter().rev() {
            if let Parent::Node(above) = self.parent[node] {
                size[above] += size[node];
            }
        }
        let mut free_at_top = 0;
        let mut free = vec![0; self.nodes.len()];
        let mut intervals = vec![(0, 0); self.nodes.len()];
        for &node in &self.order {
            let next = match self.parent[node] {
                Parent::Node(above) => &mut free[above],
                Parent::Root | Parent::Missing => &mut free_at_top,
            };
            let enter = *next;
            *next += size[node];
            free[node] = enter + 1;
            intervals[node] = (enter, enter + size[node]);
        }
        intervals
    }
}

/// Of the rows of one span id, the one that knows most of the call; a span before a log.
fn source_of<'a>(same: &[usize], span: impl Fn(usize) -> &'a Span) -> usize {
    same.iter()
        .copied()
        .rev()
        .max_by_key(|&row| call_of(span(row)).map(knows))
        .unwrap_or(same[0])
}

/// The call that a row reports. An aggregate that carries no usage says nothing and is none.
pub(crate) fn call_of(span: &Span) -> Option<&Call> {
    let call = span.call.as_ref()?;
    match span.role {
        Role::Plain => None,
        Role::Call => Some(call),
        Role::Aggregate => (!call.usage.is_zero()).then_some(call),
    }
}

const UNKNOWN: usize = usize::MAX;
const VISITING: usize = usize::MAX - 1;

/// Depth of every node; a cycle is cut above its first member in canonical order.
pub(crate) fn depths(parent: &mut [Parent]) -> Vec<usize> {
    let mut depth = vec![UNKNOWN; parent.len()];
    let mut chain = Vec::new();
    for start in 0..parent.len() {
        let mut at = start;
        while depth[at] == UNKNOWN {
            depth[at] = VISITING;
            chain.push(at);
            let Parent::Node(above) = parent[at] else {
                break;
            };
            if depth[above] != VISITING {
                at = above;
                continue;
            }
            let first = chain.iter().position(|node| *node == above).unwrap_or(0);
            let cut = chain[first..].iter().copied().min().unwrap_or(above);
            parent[cut] = Parent::Missing;
            // The chain from the cut on is now below it; walk it again in its new order.
            for node in chain.drain(..) {
                depth[node] = UNKNOWN;
            }
            at = start;
        }
        while let Some(node) = chain.pop() {
            depth[node] = match parent[node] {
                Parent::Node(above) => depth[above] + 1,
                Parent::Root | Parent::Missing => 0,
            };
        }
    }
    depth
}

/// Node numbers by depth, equal depths in canonical order.
fn by_depth(depth: &[usize]) -> Vec<usize> {
    let levels = depth.iter().max().map_or(0, |deepest| deepest + 1);
    let mut first = vec![0; levels + 1];
    for &level in depth {
        first[level + 1] += 1;
    }
    for level in 1..first.len() {
        first[level] += first[level - 1];
    }
    let mut order = vec![0; depth.len()];
    for (node, &level) in depth.iter().enumerate() {
        order[first[level]] = node;
        first[level] += 1;
    }
    order
}

/// The signal's number, for rows of one span id: the span comes first.
const _: () = assert!((Signal::Span as u8) < Signal::Log as u8);
