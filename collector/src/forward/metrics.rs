//! What forwarding counts, by destination.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct To {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Attempt {
    destination: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Dropped {
    destination: String,
    reason: &'static str,
}

/// Counters of forwarding; cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForwardMetrics {
    attempts: Family<Attempt, Counter>,
    items: Family<To, Counter>,
    rejected: Family<To, Counter>,
    provisional: Family<To, Counter>,
    dropped: Family<Dropped, Counter>,
    dropped_items: Family<Dropped, Counter>,
    waiting: Family<To, Gauge>,
    waiting_bytes: Family<To, Gauge>,
    oldest: Family<To, Gauge<f64, AtomicU64>>,
    dead: Family<To, Gauge>,
    full: Family<To, Gauge>,
}

/// How far a destination is behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behind {
    pub(crate) waiting: u64,
    pub(crate) bytes: u64,
    pub(crate) oldest: Duration,
    pub(crate) dead: u64,
    pub(crate) full: bool,
}

impl ForwardMetrics {
    /// Registers them.
    pub(crate) fn new(to: &mut Registry) -> Self {
        let metrics = Self::default();
        to.register(
            "forward_requests",
            "Attempts to deliver a request, by what became of them: delivered, failed, refused",
            metrics.attempts.clone(),
        );
        to.register(
            "forward_items",
            "Spans, log records and points in delivered requests, as received",
            metrics.items.clone(),
        );
        to.register(
            "forward_rejected_items",
            "Spans, log records and points of delivered requests that the destination rejected",
            metrics.rejected.clone(),
        );
        to.register(
            "forward_provisional",
            "Requests sent before all their traces had settled",
            metrics.provisional.clone(),
        );
        to.register(
            "forward_dropped_requests",
            "Requests deleted to keep a destination within its bounds",
            metrics.dropped.clone(),
        );
        to.register(
            "forward_dropped_items",
            "Spans, log records and points in dropped requests",
            metrics.dropped_items.clone(),
        );
        to.register(
            "forward_waiting",
            "Requests that wait to be delivered",
            metrics.waiting.clone(),
        );
        to.register_with_unit(
            "forward_waiting",
            "Compressed bytes that wait to be delivered",
            Unit::Bytes,
            metrics.waiting_bytes.clone(),
        );
        to.register_with_unit(
            "forward_oldest",
            "How long ago the oldest request that waits was received",
            Unit::Seconds,
            metrics.oldest.clone(),
        );
        to.register("forward_dead", "Dead letters", metrics.dead.clone());
        to.register(
            "forward_full",
            "1 while a destination is beyond its bounds",
            metrics.full.clone(),
        );
        metrics
    }

    pub(crate) fn tried(&self, destination: &str, result: &'static str) {
        let destination = destination.to_owned();
        self.attempts
            .get_or_create(&Attempt {
                destination,
                result,
            })
            .inc();
    }

    pub(crate) fn delivered(&self, destination: &str, items: u32, rejected: u64) {
        self.tried(destination, "delivered");
        self.items
            .get_or_create(&to(destination))
            .inc_by(items.into());
        self.rejected
            .get_or_create(&to(destination))
            .inc_by(rejected);
    }

    pub(crate) fn provisional(&self, destination: &str) {
        self.provisional.get_or_create(&to(destination)).inc();
    }

    pub(crate) fn dropped(
        &self,
        destination: &str,
        reason: &'static str,
        requests: u64,
        items: u64,
    ) {
        let label = Dropped {
            destination: destination.to_owned(),
            reason,
        };
        self.dropped.get_or_create(&label).inc_by(requests);
        self.dropped_items.get_or_create(&label).inc_by(items);
    }

    pub(crate) fn behind(&self, destination: &str, behind: Behind) {
        let to = to(destination);
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.get_or_create(&to).set(number(behind.waiting));
        self.waiting_bytes
            .get_or_create(&to)
            .set(number(behind.bytes));
        self.oldest
            .get_or_create(&to)
            .set(behind.oldest.as_secs_f64());
        self.dead.get_or_create(&to).set(number(behind.dead));
        self.full.get_or_create(&to).set(behind.full.into());
    }
}

fn to(destination: &str) -> To {
    To {
        destination: destination.to_owned(),
    }
}
