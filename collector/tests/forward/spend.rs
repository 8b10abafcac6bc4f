//! The counters of cost say what the API sums up.

use std::time::Duration;

use costflame_pricing::{Usd, UsdSum};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::any_value::Value,
    metrics::v1::{Metric, metric::Data, number_data_point},
};
use prost::Message as _;

use crate::{
    backend::Backend,
    common::{attribute, request, text},
    cost::call,
    pipeline::{Pipeline, to},
};

/// The sum of a counter over its labels.
fn sum(pipeline: &Pipeline, name: &str) -> f64 {
    let lines = pipeline.rig.exposition();
    let values = lines.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (_, value) = rest.strip_prefix('{')?.rsplit_once(' ')?;
        Some(value.parse::<f64>().unwrap())
    });
    values.sum()
}

/// What `/summary` says: every counted call.
async fn summary(pipeline: &Pipeline) -> (UsdSum, usize) {
    let calls = pipeline.store.all_calls().await.unwrap();
    let counted: Vec<_> = calls.iter().filter(|call| call.why().is_none()).collect();
    let cost: UsdSum = counted.iter().filter_map(|call| call.call.cost).sum();
    (cost, counted.len())
}

fn total(metrics: &[Metric], name: &str) -> f64 {
    let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
    let Some(Data::Sum(sum)) = &metric.data else {
        panic!("a sum");
    };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
    let points = sum.data_points.iter().map(|point| match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => value as f64,
        None => 0.0,
    });
    points.sum()
}

#[tokio::test]
async fn added_minus_corrected_is_what_the_database_sums_up() {
    let backend = Backend::start().await;
    let more = "signals = [\"metrics\"]\ncost_metrics = \"1s\"";
    let pipeline = Pipeline::start(&to("a", &backend.url(), more)).await;
    let mut agent = call(0, None);
    agent.attributes[0] = attribute("gen_ai.operation.name", text("invoke_agent"));
    let body = request(vec![agent]).encode_to_vec();
    assert_eq!(pipeline.post("traces", body).await, 200);
    let added = "costflame_cost_usd_total";
    while sum(&pipeline, added) == 0.0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!((sum(&pipeline, added) - 0.029_002_5).abs() < 1e-12);

    // The call below comes late, with another model: now it counts, and the agent does not.
    let mut late = call(1, Some(0));
    late.attributes[2] = attribute("gen_ai.response.model", text("gpt-4o-mini-2024-07-18"));
    let hostile = "a\"} 9\nx{b=\"\\";
    late.attributes
        .push(attribute("costflame.feature", text(hostile)));
    let body = request(vec![late]).encode_to_vec();
    assert_eq!(pipeline.post("traces", body).await, 200);
    let corrected = "costflame_cost_corrections_usd_total";
    while sum(&pipeline, corrected) == 0.0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (cost, calls) = summary(&pipeline).await;
    let expected: f64 = cost.to_string().parse().unwrap();
    let net = |added: &str, corrected: &str| sum(&pipeline, added) - sum(&pipeline, corrected);
    assert!((net(added, corrected) - expected).abs() < 1e-12);
    assert!(cost.0 > 0 && cost.0 < i128::from(Usd(29_002_500_000).0));
    let counted = net(
        "costflame_calls_counted_total",
        "costflame_calls_corrections_total",
    );
    assert!((counted - calls as f64).abs() < 0.5);
    let tokens = net(
        "costflame_tokens_total",
        "costflame_tokens_corrections_total",
    );
    assert!((tokens - (7205.0 + 1099.0)).abs() < 0.5);
    let lines = pipeline.rig.exposition();
    assert!(!lines.lines().any(|line| line.starts_with("x{")), "{lines}");

    let reported = loop {
        let taken = backend.has(1).await;
        let last = ExportMetricsServiceRequest::decode(&*taken.last().unwrap().body).unwrap();
        let metrics = last.resource_metrics[0].scope_metrics[0].metrics.clone();
        if total(&metrics, "costflame.cost.corrections") > 0.0 {
            break metrics;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let net = total(&reported, "costflame.cost") - total(&reported, "costflame.cost.corrections");
    assert!((net - expected).abs() < 1e-12);
    let of_model = |model: &str| {
        reported.iter().any(|metric| match &metric.data {
            Some(Data::Sum(sum)) => sum.data_points.iter().any(|point| {
                point.attributes.contains(&attribute(
                    "gen_ai.response.model",
                    Value::StringValue(model.into()),
                ))
            }),
            _ => false,
        })
    };
    assert!(of_model("gpt-4o-mini-2024-07-18"));
}
