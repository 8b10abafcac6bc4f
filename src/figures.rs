//! What `/api/v1/health` shows of the collector, read from the same counters as `/metrics`.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use costflame_dashboards::{Endpoints, Figures, HealthSource, Lag, Queue, Received, Refused};
use prometheus_client::{encoding::text, registry::Registry};

/// Samples of one name: labels as written, and the value.
type Samples = BTreeMap<String, Vec<(String, f64)>>;

/// Reads the figures anew at every call.
pub(crate) fn source(registry: Arc<Registry>, grpc: SocketAddr, http: SocketAddr) -> HealthSource {
    Arc::new(move || {
        let samples = samples(&registry);
        let endpoints = Endpoints {
            otlp_grpc: Some(grpc.to_string()),
            otlp_http: Some(http.to_string()),
        };
        figures(&samples, endpoints)
    })
}

fn figures(samples: &Samples, endpoints: Endpoints) -> Figures {
    let sum = |name: &str| {
        whole(
            samples
                .get(name)
                .into_iter()
                .flatten()
                .map(|sample| sample.1)
                .sum(),
        )
    };
    let mut reasons = BTreeMap::new();
    for name in [
        "costflame_requests_refused_total",
        "costflame_spans_rejected_total",
    ] {
        for (labels, value) in samples.get(name).into_iter().flatten() {
            let reason = labels.split('"').nth(1).unwrap_or("other");
            *reasons.entry(reason.to_owned()).or_insert(0) += whole(*value);
        }
    }
    let queue = |name: &str, used: &str, limit: &str| Queue {
        name: name.to_owned(),
        length: sum(used),
        limit: sum(limit),
    };
    Figures {
        endpoints,
        received: Received {
            requests: sum("costflame_requests_total"),
            spans: sum("costflame_spans_received_total"),
            calls: sum("costflame_calls_received_total"),
            bytes: sum("costflame_request_body_bytes_total"),
        },
        refused: Refused {
            requests: sum("costflame_requests_refused_total"),
            spans: sum("costflame_spans_rejected_total"),
            reasons,
        },
        lag: Lag::default(),
        queues: vec![
            queue(
                "request bodies, bytes",
                "costflame_inflight_bytes",
                "costflame_inflight_limit_bytes",
            ),
            queue(
                "commit queue, bytes",
                "costflame_queue_bytes",
                "costflame_queue_limit_bytes",
            ),
        ],
        bounds: Vec::new(),
    }
}

fn samples(registry: &Registry) -> Samples {
    let mut exposition = String::new();
    let mut samples = Samples::new();
    if text::encode(&mut exposition, registry).is_err() {
        return samples;
    }
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        if let Ok(value) = value.parse() {
            samples
                .entry(name.to_owned())
                .or_default()
                .push((labels.to_owned(), value));
        }
    }
    samples
}

/// Counters are whole and not negative; a float holds them exactly below 2⁵³.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "see above"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
