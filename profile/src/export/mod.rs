//! The cost tree in the formats of other tools.
//!
//! All of them hold self values of paths and add up totals themselves. None knows pico-dollars, services or
//! kinds of frames: a frame is named by [`name`], values keep the unit named beside them.

pub mod folded;
pub mod pprof;
pub mod speedscope;
pub mod svg;

use crate::{
    Frame,
    metrics::Measure,
    tree::{Node, Tree},
};

/// `service: label`, the label alone if there is no service.
fn name(frame: &Frame) -> String {
    if frame.service.is_empty() {
        return frame.label.to_string();
    }
    format!("{}: {}", frame.service, frame.label)
}

/// Gives every node to `each` with the places of its stack, the node itself last.
fn each_stack<M: Measure>(tree: &Tree<M>, mut each: impl FnMut(&[usize], &Node<M>)) {
    let mut stack: Vec<usize> = Vec::new();
    for (place, node) in tree.nodes.iter().enumerate() {
        while stack
            .last()
            .is_some_and(|above| Some(*above) != node.parent)
        {
            stack.pop();
        }
        stack.push(place);
        each(&stack, node);
    }
}
