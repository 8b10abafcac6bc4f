//! Every recorded body of every library is read without a refusal.

use std::{
    fs,
    path::{Path, PathBuf},
};

use costflame_collector::decode::{Encoding, Limits, count_records, inflate, json_to_protobuf};
use costflame_profile::Signal;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use prost::Message;

use crate::seen;

/// A recorded body as protobuf.
pub(crate) struct Recorded {
    pub(crate) path: PathBuf,
    pub(crate) signal: Signal,
    pub(crate) protobuf: Vec<u8>,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the corpus is in the repository") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}

fn signal_of(name: &str) -> Option<Signal> {
    [
        ("traces", Signal::Span),
        ("logs", Signal::Log),
        ("metrics", Signal::Metric),
    ]
    .into_iter()
    .find(|(kind, _)| {
        name.ends_with(&format!("{kind}.pb")) || name.ends_with(&format!("{kind}.json"))
    })
    .map(|(_, signal)| signal)
}

fn recorded(path: PathBuf) -> Option<Recorded> {
    let name = path.file_name()?.to_str()?;
    let signal = signal_of(name)?;
    let headers = path.with_file_name(format!("{}.headers.json", name.split('.').next()?));
    let headers: serde_json::Value = serde_json::from_slice(&fs::read(headers).ok()?).ok()?;
    let encoding = Encoding::from_header(headers["content-encoding"].as_str().unwrap_or_default())?;
    let limits = Limits::default();
    let sent = fs::read(&path).ok()?;
    let body = inflate(encoding, &sent, limits.max_request_bytes).expect("an honest body");
    let protobuf = if name.ends_with(".json") {
        json_to_protobuf(signal, &body, &limits)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    } else {
        body.into_owned()
    };
    Some(Recorded {
        path,
        signal,
        protobuf,
    })
}

/// All bodies, in the order of their paths.
pub(crate) fn bodies() -> impl Iterator<Item = Recorded> {
    let mut paths = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus"),
        &mut paths,
    );
    paths.sort();
    paths.into_iter().filter_map(recorded)
}

/// Spans, log records or data points as prost counts them.
fn count_with_prost(signal: Signal, body: &[u8]) -> usize {
    match signal {
        Signal::Span => {
            let request = ExportTraceServiceRequest::decode(body).expect("a recorded body");
            let scopes = request
                .resource_spans
                .iter()
                .flat_map(|resource| &resource.scope_spans);
            scopes.map(|scope| scope.spans.len()).sum()
        }
        Signal::Log => {
            let request = ExportLogsServiceRequest::decode(body).expect("a recorded body");
            let scopes = request
                .resource_logs
                .iter()
                .flat_map(|resource| &resource.scope_logs);
            scopes.map(|scope| scope.log_records.len()).sum()
        }
        Signal::Metric => {
            use opentelemetry_proto::tonic::metrics::v1::metric::Data;
            let request = ExportMetricsServiceRequest::decode(body).expect("a recorded body");
            let scopes = request
                .resource_metrics
                .iter()
                .flat_map(|resource| &resource.scope_metrics);
            let points = |data: &Data| match data {
                Data::Gauge(gauge) => gauge.data_points.len(),
                Data::Sum(sum) => sum.data_points.len(),
                Data::Histogram(histogram) => histogram.data_points.len(),
                Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
                Data::Summary(summary) => summary.data_points.len(),
            };
            scopes
                .flat_map(|scope| &scope.metrics)
                .filter_map(|metric| metric.data.as_ref())
                .map(points)
                .sum()
        }
    }
}

#[test]
fn every_recorded_body_is_read() {
    let (mut spans, mut logs, mut points) = (0, 0, 0);
    for Recorded {
        path,
        signal,
        protobuf,
    } in bodies()
    {
        let count = count_records(signal, &protobuf, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            count,
            count_with_prost(signal, &protobuf),
            "{}",
            path.display()
        );
        match signal {
            Signal::Log => logs += count,
            Signal::Metric => points += count,
            Signal::Span => {
                spans += count;
                let (outcome, seen) = seen::walk(&protobuf).unwrap();
                assert_eq!(outcome.partial_success(), None, "{}", path.display());
                assert_eq!((outcome.accepted as usize, seen.len()), (count, count));
            }
        }
    }
    assert!(
        spans > 2000 && logs > 300 && points > 1000,
        "{spans} spans, {logs} log records, {points} points"
    );
}
