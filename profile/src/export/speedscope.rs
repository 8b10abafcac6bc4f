//! speedscope: <https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts>.
//!
//! One profile per metric, so that its reader can switch between them. Its numbers are doubles, so cost is in
//! dollars: sixteen digits of it, not all twelve decimals of a large bill.

use std::collections::HashMap;

use serde::Serialize;

use super::each_stack;
use crate::{
    metrics::{Measure, Metric},
    tree::Tree,
};

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// A file of speedscope.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: String,
    exporter: &'static str,
    active_profile_index: usize,
    shared: Shared,
    profiles: Vec<Profile>,
}

#[derive(Debug, Serialize)]
struct Shared {
    frames: Vec<SharedFrame>,
}

#[derive(Debug, Serialize)]
struct SharedFrame {
    name: String,
    /// The service.
    #[serde(skip_serializing_if = "String::is_empty")]
    file: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    unit: &'static str,
    start_value: f64,
    end_value: f64,
    /// Stacks of places in the shared frames, root first.
    samples: Vec<Vec<usize>>,
    weights: Vec<f64>,
}

/// The self values of a tree; `metric` is the one shown first.
pub fn file<M: Measure>(tree: &Tree<M>, metric: Metric, name: &str) -> File {
    let mut frames = Vec::new();
    let mut known = HashMap::new();
    let places: Vec<usize> = tree
        .nodes
        .iter()
        .map(|node| {
            *known.entry(&node.frame).or_insert_with(|| {
                frames.push(SharedFrame {
                    name: node.frame.label.to_string(),
                    file: node.frame.service.to_string(),
                });
                frames.len() - 1
            })
        })
        .collect();
    File {
        schema: SCHEMA,
        name: name.to_owned(),
        exporter: concat!("costflame ", env!("CARGO_PKG_VERSION")),
        active_profile_index: Metric::ALL
            .iter()
            .position(|known| *known == metric)
            .unwrap_or(0),
        shared: Shared { frames },
        profiles: Metric::ALL
            .map(|metric| profile(tree, &places, metric))
            .into(),
    }
}

fn profile<M: Measure>(tree: &Tree<M>, places: &[usize], metric: Metric) -> Profile {
    let (mut samples, mut weights) = (Vec::new(), Vec::new());
    each_stack(tree, |stack, node| {
        let value = node.own.value(metric);
        if value > 0 {
            samples.push(stack.iter().map(|place| places[*place]).collect());
            weights.push(number(value, metric));
        }
    });
    let (name, unit) = match metric {
        Metric::Cost => ("cost (USD)", "none"),
        Metric::Tokens => ("tokens", "none"),
        Metric::Calls => ("calls", "none"),
        Metric::Duration => ("duration", "microseconds"),
    };
    Profile {
        kind: "sampled",
        name,
        unit,
        start_value: 0.0,
        end_value: weights.iter().sum(),
        samples,
        weights,
    }
}

#[expect(clippy::cast_precision_loss, reason = "the format has doubles alone")]
fn number(value: i128, metric: Metric) -> f64 {
    match metric {
        Metric::Cost => value as f64 / 1e12,
        _ => value as f64,
    }
}
