//! Every span of a settled trace in the order in which a reader goes through it.

use crate::{
    PathId, Settled, Span,
    counting::count,
    order::{Forest, Parent},
    place::frame_paths,
};

/// One span id of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlineSpan {
    /// Index in [`Settled::rows`] of the row that gives place, times and status.
    pub row: usize,
    /// Index of its parent in the outline, smaller than its own.
    pub parent: Option<usize>,
    /// It names a parent that has not been seen, or that lies below it. `parent` is then what it is known to lie below.
    pub missing_parent: bool,
    /// The path of its frame. A call of an agent or a workflow has a call path one frame longer.
    pub path: PathId,
    /// Index in [`Settled::calls`].
    pub call: Option<usize>,
}

/// Every span once: parents before children, depth first, siblings by (start, span id).
#[must_use]
pub fn outline<R: AsRef<Span>>(project: i32, settled: &Settled<R>) -> Vec<OutlineSpan> {
    let rows = &settled.rows;
    let forest = Forest::of(rows);
    let paths = frame_paths(project, rows, &forest, &count(rows, &forest));
    let position: Vec<usize> = forest
        .intervals()
        .into_iter()
        .map(|(enter, _)| enter)
        .collect();
    let mut call_of_row = vec![None; rows.len()];
    for (number, call) in settled.calls.iter().enumerate() {
        call_of_row[call.span] = Some(number);
    }
    let mut order: Vec<usize> = (0..forest.nodes.len()).collect();
    order.sort_unstable_by_key(|node| position[*node]);
    let outlined = |node: usize| {
        let row = forest.nodes[node].place;
        let (parent, missing_parent) = match forest.parent[node] {
            Parent::Node(above) => (Some(position[above]), forest.told[node].is_some()),
            Parent::Missing => (None, true),
            Parent::Root => (None, false),
        };
        OutlineSpan {
            row,
            parent,
            missing_parent,
            path: paths[node],
            call: call_of_row[row],
        }
    };
    order.into_iter().map(outlined).collect()
}
