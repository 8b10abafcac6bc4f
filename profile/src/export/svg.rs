//! A flamegraph as one SVG file that can be searched and zoomed in any browser, drawn by inferno.

use std::io;

use inferno::flamegraph::{self, Options};

use super::folded;
use crate::{
    metrics::{Measure, Metric},
    tree::Tree,
};

/// Pico-dollars of a micro-dollar: the smallest amount written on a frame.
const MICRO: f64 = 1e-6;

/// Draws the self values of a tree.
///
/// # Errors
/// When no path has a value.
pub fn draw<M: Measure>(tree: &Tree<M>, metric: Metric, title: &str) -> io::Result<Vec<u8>> {
    let mut text = String::new();
    folded::write(tree, metric, &mut text).expect("writing to a string");
    let mut options = Options::default();
    options.title = title.to_owned();
    options.deterministic = true;
    (options.count_name, options.factor) = match metric {
        Metric::Cost => ("micro-dollars".to_owned(), MICRO),
        _ => (metric.unit().to_owned(), 1.0),
    };
    let mut picture = Vec::new();
    flamegraph::from_lines(&mut options, text.lines(), &mut picture)?;
    Ok(picture)
}
