//! What `/api/v1/health` shows of the collector, read from the same counters as `/metrics`.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use costflame_collector::decode::Limits;
use costflame_dashboards::{
    Bound, Endpoints, Figures, HealthSource, Lag, Queue, Received, Refused,
};
use prometheus_client::{encoding::text, registry::Registry};

/// Samples of one name: labels as written, and the value.
type Samples = BTreeMap<String, Vec<(String, f64)>>;

/// Counters whose label `reason` says which bound was hit.
const REFUSALS: [&str; 3] = [
    "costflame_requests_refused_total",
    "costflame_spans_rejected_total",
    "costflame_adjustments_total",
];

/// Reads the figures anew at every call. `outboxes`: each destination and how many bytes may wait for it;
/// `listeners`: gRPC and HTTP.
pub(crate) fn source(
    registry: Arc<Registry>,
    limits: Limits,
    outboxes: Vec<(String, u64)>,
    (grpc, http): (SocketAddr, SocketAddr),
) -> HealthSource {
    Arc::new(move || {
        let samples = samples(&registry);
        let endpoints = Endpoints {
            otlp_grpc: Some(grpc.to_string()),
            otlp_http: Some(http.to_string()),
        };
        let mut figures = figures(&samples, &limits, endpoints);
        figures.queues.extend(outbox_queues(&samples, &outboxes));
        figures
    })
}

fn figures(samples: &Samples, limits: &Limits, endpoints: Endpoints) -> Figures {
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
    for name in &REFUSALS[..2] {
        for (labels, value) in samples.get(*name).into_iter().flatten() {
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
        lag: Lag {
            settle_ms: milliseconds(samples, "costflame_settle_lag_seconds"),
            fold_ms: milliseconds(samples, "costflame_fold_lag_seconds"),
        },
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
        bounds: bounds(samples, limits),
    }
}

/// What waits for each destination.
fn outbox_queues(samples: &Samples, outboxes: &[(String, u64)]) -> Vec<Queue> {
    let waiting = samples.get("costflame_forward_waiting_bytes");
    let queue = |(name, limit): &(String, u64)| {
        let label = format!("destination=\"{name}\"");
        let mine = waiting
            .into_iter()
            .flatten()
            .filter(|(labels, _)| labels.contains(&label));
        Queue {
            name: format!("outbox to {name}, bytes"),
            length: whole(mine.map(|sample| sample.1).sum()),
            limit: *limit,
        }
    };
    outboxes.iter().map(queue).collect()
}

/// Every bound of a request, and how often telemetry hit it.
fn bounds(samples: &Samples, limits: &Limits) -> Vec<Bound> {
    let hits = |reason: &str| {
        let label = format!("\"{reason}\"");
        let samples = REFUSALS.iter().filter_map(|name| samples.get(*name));
        let hits = samples
            .flatten()
            .filter(|(labels, _)| labels.contains(&label));
        whole(hits.map(|sample| sample.1).sum())
    };
    let bound = |name: &str, limit: usize, reason: &str| Bound {
        name: name.to_owned(),
        limit: limit as u64,
        hits: hits(reason),
    };
    vec![
        bound("bytes of a request", limits.max_request_bytes, "too_large"),
        bound(
            "spans of a request",
            limits.max_spans_per_request,
            "too_many_spans",
        ),
        bound(
            "attributes of a span",
            limits.max_attributes_per_span,
            "too_many_attributes",
        ),
        bound(
            "nesting of an attribute",
            limits.max_attribute_depth,
            "nested_too_deeply",
        ),
        bound("bytes of a name", limits.max_name_bytes, "long_name"),
        bound(
            "attributes of a resource",
            limits.max_attributes_per_envelope,
            "envelope_attribute_unread",
        ),
        bound(
            "events of a span",
            limits.max_events_per_span,
            "event_unread",
        ),
        bound("links of a span", limits.max_links_per_span, "link_unread"),
    ]
}

fn milliseconds(samples: &Samples, name: &str) -> Option<u64> {
    let (_, seconds) = samples.get(name)?.first()?;
    Some(whole(seconds * 1e3))
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
