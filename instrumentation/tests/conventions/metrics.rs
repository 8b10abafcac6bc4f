use std::collections::BTreeSet;

use costflame_instrumentation::Conventions;

use crate::{
    operations,
    support::{Recorder, Seen},
};

const SECONDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TOKENS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0,
    16777216.0, 67108864.0,
];
const AGENT_SECONDS: &[f64] = &[
    0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
];
const WORKFLOW_SECONDS: &[f64] = &[
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];
const CALLS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// Of a counter.
const NONE: &[f64] = &[];

/// A metric, its unit and buckets, the labels every point has, and those a point may have.
type Page = (
    &'static str,
    &'static str,
    &'static [f64],
    &'static [&'static str],
    &'static [&'static str],
);

const CALL: &[&str] = &["gen_ai.operation.name", "gen_ai.provider.name"];
const CALL_MAY: &[&str] = &[
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "error.type",
];
const TYPED: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.token.type",
];
const MODAL: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.token.modality",
];

/// In every generation.
const CLIENT: &[Page] = &[
    (
        "gen_ai.client.token.usage",
        "{token}",
        TOKENS,
        TYPED,
        CALL_MAY,
    ),
    (
        "gen_ai.client.operation.duration",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.operation.time_per_output_chunk",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
];

/// In the latest and in both.
const LATEST: &[Page] = &[
    (
        "gen_ai.client.inference.duration",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.embeddings.duration",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.time_to_first_chunk",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.time_per_output_chunk",
        "s",
        SECONDS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.usage.input_tokens",
        "{token}",
        NONE,
        MODAL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.usage.output_tokens",
        "{token}",
        NONE,
        MODAL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.usage.cache_read.input_tokens",
        "{token}",
        NONE,
        MODAL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.usage.cache_write.input_tokens",
        "{token}",
        NONE,
        MODAL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.usage.reasoning.output_tokens",
        "{token}",
        NONE,
        MODAL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.operation.input_tokens",
        "{token}",
        TOKENS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.inference.operation.output_tokens",
        "{token}",
        TOKENS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.client.embeddings.operation.input_tokens",
        "{token}",
        TOKENS,
        CALL,
        CALL_MAY,
    ),
    (
        "gen_ai.invoke_agent.duration",
        "s",
        AGENT_SECONDS,
        &["gen_ai.agent.name"],
        &["gen_ai.request.model", "error.type"],
    ),
    (
        "gen_ai.invoke_agent.inference_calls",
        "{inference_call}",
        CALLS,
        &["gen_ai.agent.name"],
        &[],
    ),
    (
        "gen_ai.invoke_agent.tool_calls",
        "{tool_call}",
        CALLS,
        &["gen_ai.agent.name"],
        &[],
    ),
    (
        "gen_ai.execute_tool.duration",
        "s",
        SECONDS,
        &["gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.agent.name"],
        &["error.type"],
    ),
    (
        "gen_ai.invoke_workflow.duration",
        "s",
        WORKFLOW_SECONDS,
        &["gen_ai.workflow.name"],
        &["error.type"],
    ),
];

fn measured(generation: Conventions) -> Vec<Seen> {
    let recorder = Recorder::new();
    operations::run(&recorder.builder(generation).build());
    recorder.metrics()
}

/// The names of a label in a generation.
fn labels(label: &'static str, generation: Conventions) -> Vec<&'static str> {
    match (label, generation) {
        ("gen_ai.provider.name", Conventions::V1_36) => vec!["gen_ai.system"],
        ("gen_ai.provider.name", Conventions::Both) => vec![label, "gen_ai.system"],
        _ => vec![label],
    }
}

#[test]
fn metrics_have_the_unit_the_buckets_and_the_labels_of_their_page() {
    for generation in [Conventions::Latest, Conventions::V1_36, Conventions::Both] {
        let metrics = measured(generation);
        let latest = if generation == Conventions::V1_36 {
            &[]
        } else {
            LATEST
        };
        let pages: Vec<&Page> = CLIENT.iter().chain(latest).collect();
        let names: BTreeSet<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(
            names,
            pages.iter().map(|page| page.0).collect(),
            "{generation:?}"
        );
        for (name, unit, bounds, required, optional) in pages {
            let metric = find(&metrics, name);
            assert_eq!(
                (metric.unit.as_str(), &metric.bounds[..]),
                (*unit, *bounds),
                "{name}"
            );
            let named = |labels_of: &&'static [&'static str]| -> BTreeSet<&str> {
                labels_of
                    .iter()
                    .flat_map(|label| labels(label, generation))
                    .collect()
            };
            for point in &metric.points {
                let seen: BTreeSet<&str> =
                    point.labels.iter().map(|(key, _)| key.as_str()).collect();
                assert!(seen.is_superset(&named(required)), "{name}: {point:?}");
                let allowed: BTreeSet<&str> =
                    named(required).union(&named(optional)).copied().collect();
                assert!(seen.is_subset(&allowed), "{name}: {point:?}");
            }
        }
    }
}

#[test]
fn usage_counts_add_up_by_modality_and_the_parts_are_subsets() {
    let metrics = measured(Conventions::Latest);
    let by_modality = |name: &str| -> Vec<(String, f64)> {
        let points = find(&metrics, name).points.iter();
        let mut points: Vec<(String, f64)> = points
            .map(|point| {
                let modality = point.label("gen_ai.token.modality");
                (modality.expect("required").to_owned(), point.sum)
            })
            .collect();
        points.sort_by(|one, other| one.0.cmp(&other.0));
        points
    };
    let of = |modality: &str, sum: f64| (modality.to_owned(), sum);
    assert_eq!(
        by_modality("gen_ai.client.inference.usage.input_tokens"),
        [of("audio", 30.0), of("image", 20.0), of("text", 950.0)]
    );
    assert_eq!(
        by_modality("gen_ai.client.inference.usage.cache_read.input_tokens"),
        [of("audio", 10.0), of("unknown", 590.0)]
    );
}

#[test]
fn tokens_are_told_apart_by_type_in_the_older_metric() {
    for generation in [Conventions::Latest, Conventions::V1_36] {
        let metrics = measured(generation);
        let usage = find(&metrics, "gen_ai.client.token.usage");
        let sum = |kind: &str| -> f64 {
            let points = usage.points.iter();
            points
                .filter(|point| point.label("gen_ai.token.type") == Some(kind))
                .map(|point| point.sum)
                .sum()
        };
        assert_eq!((sum("input"), sum("output")), (1012.0, 200.0));
    }
}

#[test]
fn an_agents_calls_and_tools_are_counted_and_errors_are_labels() {
    let metrics = measured(Conventions::Latest);
    let one = |name: &str| find(&metrics, name).points[0].sum as u64;
    assert_eq!(one("gen_ai.invoke_agent.inference_calls"), 1);
    assert_eq!(one("gen_ai.invoke_agent.tool_calls"), 1);
    let duration = find(&metrics, "gen_ai.client.inference.duration");
    let errors: Vec<Option<&str>> = duration
        .points
        .iter()
        .map(|point| point.label("error.type"))
        .collect();
    assert!(
        errors.contains(&Some("429")) && errors.contains(&None),
        "{errors:?}"
    );
}

fn find<'a>(metrics: &'a [Seen], name: &str) -> &'a Seen {
    metrics
        .iter()
        .find(|metric| metric.name == name)
        .unwrap_or_else(|| panic!("{name} is missing"))
}
