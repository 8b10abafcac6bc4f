//! pprof: <https://github.com/google/pprof/blob/main/proto/profile.proto>, uncompressed.
//!
//! Every metric is a sample type, so one file answers for all of them. Values are 64 bits: a cost that does not
//! fit in pico-dollars is written in micro-dollars, and its unit says so.

use std::collections::HashMap;

use prost::Message;

use super::{each_stack, name};
use crate::{
    metrics::{Measure, Metric},
    tree::Tree,
};

/// Writes the self values of a tree over a range of microseconds since 1970; `metric` is the one shown first.
pub fn write<M: Measure>(tree: &Tree<M>, metric: Metric, (from_us, to_us): (i64, i64)) -> Vec<u8> {
    let mut names = Strings::default();
    let scales = Metric::ALL.map(|metric| Scale::of(tree, metric));
    let sample_types = Metric::ALL.into_iter().zip(&scales);
    let sample_types = sample_types
        .map(|(metric, scale)| ValueType {
            kind: names.place(metric.name()),
            unit: names.place(scale.unit),
        })
        .collect();
    let (mut functions, mut known) = (Vec::new(), HashMap::new());
    let mut ids = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let name = names.place(&name(&node.frame));
        let id = *known.entry(name).or_insert(functions.len() as u64 + 1);
        if id > functions.len() as u64 {
            functions.push(Function {
                id,
                name,
                system_name: name,
                filename: names.place(&node.frame.service),
            });
        }
        ids.push(id);
    }
    let mut samples = Vec::new();
    each_stack(tree, |stack, node| {
        let values = Metric::ALL.map(|metric| node.own.value(metric));
        if values.iter().any(|value| *value != 0) {
            let value = values
                .iter()
                .zip(&scales)
                .map(|(value, scale)| scale.scaled(*value));
            samples.push(Sample {
                location_ids: stack.iter().rev().map(|place| ids[*place]).collect(),
                values: value.collect(),
            });
        }
    });
    let locations = functions.iter().map(|function| Location {
        id: function.id,
        lines: vec![Line {
            function_id: function.id,
        }],
    });
    let profile = Profile {
        sample_types,
        samples,
        locations: locations.collect(),
        default_sample_type: names.place(metric.name()),
        functions,
        time_nanos: from_us.saturating_mul(1000),
        duration_nanos: to_us.saturating_sub(from_us).saturating_mul(1000),
        strings: names.texts,
    };
    profile.encode_to_vec()
}

/// How values of a metric fit into 64 bits.
struct Scale {
    unit: &'static str,
    divisor: i128,
}

impl Scale {
    fn of<M: Measure>(tree: &Tree<M>, metric: Metric) -> Self {
        let total = tree.total().value(metric);
        if metric == Metric::Cost && i64::try_from(total).is_err() {
            return Self {
                unit: "microusd",
                divisor: 1_000_000,
            };
        }
        Self {
            unit: metric.unit(),
            divisor: 1,
        }
    }

    fn scaled(&self, value: i128) -> i64 {
        i64::try_from(value / self.divisor).unwrap_or(i64::MAX)
    }
}

/// Every text once; the first is empty, as the format wants it.
struct Strings {
    texts: Vec<String>,
    places: HashMap<String, i64>,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            texts: vec![String::new()],
            places: HashMap::from([(String::new(), 0)]),
        }
    }
}

impl Strings {
    fn place(&mut self, text: &str) -> i64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.texts.len() as i64;
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_types: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    locations: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    strings: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Sample {
    /// Leaf first.
    #[prost(uint64, repeated, tag = "1")]
    location_ids: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}
