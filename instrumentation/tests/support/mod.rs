//! A program's telemetry, kept in memory.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

use std::sync::OnceLock;

use costflame_instrumentation::{Conventions, GenAi, GenAiBuilder};
use opentelemetry::{Value, trace::TracerProvider};
use opentelemetry_sdk::{
    metrics::{
        InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
        data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics},
    },
    trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData},
};

pub struct Recorder {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    genai: OnceLock<GenAi>,
    spans_alone: OnceLock<GenAi>,
    pub tracers: SdkTracerProvider,
    pub meters: SdkMeterProvider,
}

/// One metric, its points flattened.
#[derive(Debug)]
pub struct Seen {
    pub name: String,
    pub unit: String,
    pub bounds: Vec<f64>,
    pub points: Vec<Point>,
}

#[derive(Debug)]
pub struct Point {
    pub labels: Vec<(String, String)>,
    pub count: u64,
    pub sum: f64,
}

impl Point {
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

impl Recorder {
    pub fn new() -> Self {
        let spans = InMemorySpanExporter::default();
        let metrics = InMemoryMetricExporter::default();
        Self {
            tracers: SdkTracerProvider::builder()
                .with_simple_exporter(spans.clone())
                .build(),
            meters: SdkMeterProvider::builder()
                .with_reader(PeriodicReader::builder(metrics.clone()).build())
                .build(),
            spans,
            metrics,
            genai: OnceLock::new(),
            spans_alone: OnceLock::new(),
        }
    }

    pub fn builder(&self, conventions: Conventions) -> GenAiBuilder {
        GenAi::builder()
            .conventions(conventions)
            .tracer_provider(&self.tracers)
            .meter_provider(self.meters.clone())
            .capture_content(false)
    }

    pub fn genai(&self) -> GenAi {
        self.genai
            .get_or_init(|| self.builder(Conventions::Latest).build())
            .clone()
    }

    /// Without metrics, for what is run by the thousand.
    pub fn spans_alone(&self) -> GenAi {
        let genai = GenAi::builder().conventions(Conventions::Latest);
        let build = || genai.tracer_provider(&self.tracers).build();
        self.spans_alone.get_or_init(build).clone()
    }

    pub fn tracer(&self) -> SdkTracer {
        self.tracers.tracer("test")
    }

    pub fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().unwrap()
    }

    /// The only span so far.
    pub fn span(&self) -> SpanData {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }

    pub fn clear(&self) {
        self.spans.reset();
        self.metrics.reset();
    }

    pub fn metrics(&self) -> Vec<Seen> {
        self.meters.force_flush().unwrap();
        let exported = self.metrics.get_finished_metrics().unwrap();
        let last = exported.last().map(metrics_of).unwrap_or_default();
        last.into_iter().map(seen).collect()
    }

    pub fn metric(&self, name: &str) -> Option<Seen> {
        self.metrics()
            .into_iter()
            .find(|metric| metric.name == name)
    }
}

fn metrics_of(resource: &ResourceMetrics) -> Vec<&Metric> {
    resource
        .scope_metrics()
        .flat_map(|scope| scope.metrics())
        .collect()
}

fn seen(metric: &Metric) -> Seen {
    let mut seen = Seen {
        name: metric.name().to_owned(),
        unit: metric.unit().to_owned(),
        bounds: Vec::new(),
        points: Vec::new(),
    };
    macro_rules! histogram {
        ($data:expr) => {
            for point in $data.data_points() {
                seen.bounds = point.bounds().collect();
                seen.points.push(Point {
                    labels: labels(point.attributes()),
                    count: point.count(),
                    sum: point.sum() as f64,
                });
            }
        };
    }
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Histogram(data)) => histogram!(data),
        AggregatedMetrics::F64(MetricData::Histogram(data)) => histogram!(data),
        AggregatedMetrics::U64(MetricData::Sum(data)) => {
            assert!(data.is_monotonic());
            for point in data.data_points() {
                seen.points.push(Point {
                    labels: labels(point.attributes()),
                    count: 1,
                    sum: point.value() as f64,
                });
            }
        }
        other => panic!("{other:?}"),
    }
    seen
}

fn labels<'a>(
    attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>,
) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = attributes
        .map(|label| (label.key.to_string(), label.value.to_string()))
        .collect();
    labels.sort();
    labels
}

/// The value of an attribute. An attribute written twice fails the test.
pub fn value(span: &SpanData, key: &str) -> Option<Value> {
    let values: Vec<&Value> = span
        .attributes
        .iter()
        .filter(|attribute| attribute.key.as_str() == key)
        .map(|attribute| &attribute.value)
        .collect();
    assert!(values.len() < 2, "{key} is written {} times", values.len());
    values.first().map(|value| (*value).clone())
}

pub fn text(span: &SpanData, key: &str) -> Option<String> {
    value(span, key).map(|value| value.to_string())
}

pub fn int(span: &SpanData, key: &str) -> Option<i64> {
    match value(span, key)? {
        Value::I64(int) => Some(int),
        other => panic!("{key} is not an integer: {other:?}"),
    }
}
