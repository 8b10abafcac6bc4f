//! What the ports count.

use std::sync::atomic::AtomicI64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    port: &'static str,
}

/// Counters of all ports; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct ListenMetrics {
    open: Family<Label, Gauge<i64, AtomicI64>>,
    made_room: Family<Label, Counter>,
    untaken: Family<Label, Counter>,
    refused: Family<Label, Counter>,
    handshakes: Family<Label, Counter>,
}

impl ListenMetrics {
    /// Registers them.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("connections", "Open connections.", metrics.open.clone());
        registry.register(
            "connections_made_room",
            "Connections without a request that had to leave for others.",
            metrics.made_room.clone(),
        );
        registry.register(
            "connections_untaken",
            "Connections cut because their peer took no answers.",
            metrics.untaken.clone(),
        );
        registry.register(
            "streams_refused",
            "HTTP/2 requests refused untouched, because too many were open on all connections together.",
            metrics.refused.clone(),
        );
        registry.register(
            "tls_handshakes_failed",
            "Connections that ended in their TLS handshake.",
            metrics.handshakes.clone(),
        );
        metrics
    }

    pub(super) fn of(&self, port: &'static str) -> PortMetrics {
        let label = Label { port };
        PortMetrics {
            open: self.open.get_or_create_owned(&label),
            made_room: self.made_room.get_or_create_owned(&label),
            untaken: self.untaken.get_or_create_owned(&label),
            refused: self.refused.get_or_create_owned(&label),
            handshakes: self.handshakes.get_or_create_owned(&label),
        }
    }
}

/// Counters of one port.
#[derive(Clone, Debug)]
pub(super) struct PortMetrics {
    open: Gauge<i64, AtomicI64>,
    made_room: Counter,
    untaken: Counter,
    refused: Counter,
    handshakes: Counter,
}

impl PortMetrics {
    /// A connection is open until this is dropped.
    pub(super) fn opened(&self) -> Open {
        self.open.inc();
        Open(self.open.clone())
    }

    pub(super) fn made_room(&self) {
        self.made_room.inc();
    }

    pub(super) fn untaken(&self) {
        self.untaken.inc();
    }

    pub(super) fn request_refused(&self) {
        self.refused.inc();
    }

    pub(super) fn handshake_failed(&self) {
        self.handshakes.inc();
    }
}

/// An open connection.
pub(super) struct Open(Gauge<i64, AtomicI64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
