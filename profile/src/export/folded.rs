//! Folded stacks: one line per path with calls of its own, `frame;frame;frame value`.
//!
//! Read by flamegraph.pl, inferno, speedscope and others. The format knows no escapes: `;` in a label
//! becomes `,` and control characters become spaces. A frame whose service differs from its parent's
//! begins with it, `service: label`.

use std::fmt::{self, Write};

use super::each_stack;
use crate::{
    metrics::{Measure, Metric},
    tree::{Node, Tree},
};

/// Writes the self values of a tree, in its order; paths whose value is not positive have no line.
///
/// # Errors
/// Whatever `out` returns.
pub fn write<M: Measure>(tree: &Tree<M>, metric: Metric, out: &mut impl Write) -> fmt::Result {
    let frames: Vec<String> = tree.nodes.iter().map(|node| frame(tree, node)).collect();
    let mut result = Ok(());
    each_stack(tree, |stack, node| {
        let value = node.own.value(metric);
        if value > 0 && result.is_ok() {
            result = line(&frames, stack, value, out);
        }
    });
    result
}

fn line(frames: &[String], stack: &[usize], value: i128, out: &mut impl Write) -> fmt::Result {
    for (depth, place) in stack.iter().enumerate() {
        out.write_str(if depth == 0 { "" } else { ";" })?;
        out.write_str(&frames[*place])?;
    }
    writeln!(out, " {value}")
}

fn frame<M>(tree: &Tree<M>, node: &Node<M>) -> String {
    let above = node.parent.map(|above| &tree.nodes[above].frame.service);
    let name = if above == Some(&node.frame.service) {
        node.frame.label.to_string()
    } else {
        super::name(&node.frame)
    };
    name.chars().map(plain).collect()
}

fn plain(c: char) -> char {
    match c {
        ';' => ',',
        c if c.is_control() => ' ',
        c => c,
    }
}
