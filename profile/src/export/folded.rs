//! Folded stacks: one line per path with calls of its own, `frame;frame;frame value`.
//!
//! Read by flamegraph.pl, inferno, speedscope and others. The format knows no escapes: `;` in a label
//! becomes `,` and control characters become spaces. A frame whose service differs from its parent's
//! begins with it, `service: label`.

use std::fmt::{self, Write};

use crate::{
    metrics::{Metric, Metrics},
    tree::Tree,
};

/// Writes the self values of a tree, in its order; paths whose value is not positive have no line.
///
/// # Errors
/// Whatever `out` returns.
pub fn write(tree: &Tree<Metrics>, metric: Metric, out: &mut impl Write) -> fmt::Result {
    // The stack of the node before, and where each of its frames begins.
    let mut line = String::new();
    let mut begins: Vec<(usize, usize)> = Vec::new();
    for (place, node) in tree.nodes.iter().enumerate() {
        while begins
            .last()
            .is_some_and(|(above, _)| Some(*above) != node.parent)
        {
            line.truncate(begins.pop().map_or(0, |(_, begin)| begin));
        }
        begins.push((place, line.len()));
        if node.parent.is_some() {
            line.push(';');
        }
        let service = &node.frame.service;
        if !service.is_empty()
            && node
                .parent
                .is_none_or(|above| tree.nodes[above].frame.service != *service)
        {
            line.extend(service.chars().map(plain));
            line.push_str(": ");
        }
        line.extend(node.frame.label.chars().map(plain));
        let value = node.own.get(metric);
        if value > 0 {
            writeln!(out, "{line} {value}")?;
        }
    }
    Ok(())
}

fn plain(c: char) -> char {
    match c {
        ';' => ',',
        c if c.is_control() => ' ',
        c => c,
    }
}
