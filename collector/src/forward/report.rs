//! What costflame itself has counted, as OTLP metrics for the destinations that ask for it.

use std::{io, sync::Arc, time::Duration};

use costflame_pricing::TokenClass;
use costflame_profile::Signal;
use costflame_store::{DEFAULT_PROJECT, Store};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
        metric::Data, number_data_point::Value as Number,
    },
    resource::v1::Resource,
};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::Outgoing;
use crate::{
    settle::spend::{Amounts, Labels, Spend, Totals, dollars},
    time::now_us,
};

/// Attributes of a point, in the order of the labels.
const KEYS: [&str; 5] = [
    "gen_ai.provider.name",
    "gen_ai.response.model",
    "service.name",
    "deployment.environment.name",
    "costflame.feature",
];

/// Puts the counters into the outbox at intervals.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) store: Arc<Store>,
    pub(crate) outgoing: Outgoing,
    pub(crate) spend: Spend,
    pub(crate) every: Duration,
    /// Names this process among the sources of the same counters.
    pub(crate) instance: String,
}

impl Reporter {
    /// Reports until `shutdown`, and a last time then.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let start_us = now_us();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.every) => {}
            }
            if let Err(error) = self.report(start_us).await {
                // Counters are cumulative: the next report says the same and more.
                tracing::warn!(%error, "the cost metrics were not reported");
            }
            if shutdown.is_cancelled() {
                return;
            }
        }
    }

    async fn report(&self, start_us: i64) -> io::Result<()> {
        let now = now_us();
        let metrics = metrics(&self.spend, start_us, now);
        if metrics.is_empty() {
            return Ok(());
        }
        let points = metrics.iter().map(points).sum();
        let request = request(metrics, &self.instance).encode_to_vec();
        let row = self
            .outgoing
            .pack(DEFAULT_PROJECT, Signal::Metric, &request, points, now)?;
        let committed = self.store.commit(&[], &[row]).await;
        committed.map_err(io::Error::other)
    }
}

fn points(metric: &Metric) -> u64 {
    match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.len() as u64,
        _ => 0,
    }
}

fn request(metrics: Vec<Metric>, instance: &str) -> ExportMetricsServiceRequest {
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "costflame"),
            attribute("service.instance.id", instance),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "costflame".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

/// The same counters as for Prometheus; none before anything has settled.
fn metrics(spend: &Spend, start_us: i64, now_us: i64) -> Vec<Metric> {
    let series = spend.read();
    if series.is_empty() {
        return Vec::new();
    }
    let nanos = |us: i64| us.cast_unsigned().saturating_mul(1000);
    let point = |labels: &Labels, class: Option<TokenClass>, value: Number| NumberDataPoint {
        attributes: attributes(labels, class),
        start_time_unix_nano: nanos(start_us),
        time_unix_nano: nanos(now_us),
        value: Some(value),
        ..NumberDataPoint::default()
    };
    type Side = fn(&Totals) -> &Amounts;
    let sides: [(&str, Side); 2] = [
        ("", |totals| &totals.added),
        (".corrections", |totals| &totals.taken),
    ];
    let mut metrics = Vec::new();
    for (suffix, side) in sides {
        let (mut cost, mut calls, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for (labels, totals) in &series {
            let amounts = side(totals);
            cost.push(point(labels, None, Number::AsDouble(dollars(amounts.cost))));
            calls.push(point(labels, None, count(amounts.calls)));
            for class in TokenClass::ALL {
                let number = amounts.tokens[class as usize];
                if number > 0 {
                    tokens.push(point(labels, Some(class), count(number)));
                }
            }
        }
        for (name, unit, points) in [
            ("costflame.cost", "USD", cost),
            ("costflame.calls", "{call}", calls),
            ("costflame.tokens", "{token}", tokens),
        ] {
            metrics.push(counter(format!("{name}{suffix}"), unit, points));
        }
    }
    metrics
}

fn counter(name: String, unit: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric {
        name,
        unit: unit.to_owned(),
        data: Some(Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        })),
        ..Metric::default()
    }
}

fn count(number: u64) -> Number {
    Number::AsInt(i64::try_from(number).unwrap_or(i64::MAX))
}

fn attributes(labels: &Labels, class: Option<TokenClass>) -> Vec<KeyValue> {
    let known = KEYS
        .iter()
        .zip(labels)
        .filter(|(_, value)| !value.is_empty());
    let class = class.map(|class| attribute("costflame.token.class", class.name()));
    known
        .map(|(key, value)| attribute(key, value))
        .chain(class)
        .collect()
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}
