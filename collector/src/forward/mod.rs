//! OTLP out: received requests to other backends, with what each model call cost.
//!
//! The receiver packs a request for the outbox ([`Outgoing`]), where it is committed with its spans. One courier per
//! destination ([`config`]) claims deliveries, waits for the cost where it is wanted (`enrich`), adds it to the bytes of
//! the spans (`splice`, `attributes`), sends them (`encode`, `client`) and acts on the [answer](answer). A keeper holds every
//! destination within its bounds. Every request is delivered at least once; what is refused for good is a dead letter.

mod answer;
mod attributes;
mod backoff;
mod client;
pub mod config;
mod courier;
mod encode;
mod enrich;
mod keeper;
mod metrics;
mod outgoing;
mod splice;

pub use client::TlsError;
pub use config::{ConfigError, Destination, ForwardTable, destinations};
pub use outgoing::Outgoing;

use std::{sync::Arc, time::Duration};

use costflame_store::Store;
use prometheus_client::registry::Registry;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    client::Client, courier::Courier, enrich::Enricher, keeper::Keeper, metrics::ForwardMetrics,
};

/// Everything that forwards, ready to start.
#[derive(Debug)]
pub struct Forwarder {
    couriers: Vec<Courier>,
    keeper: Keeper,
}

/// A destination that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("forward `{destination}`: {source}")]
pub struct ForwardError {
    /// Its name.
    pub destination: String,
    /// Why.
    pub source: TlsError,
}

impl Forwarder {
    /// Prepares the destinations. No trace settles before `hold` after it was received, so nothing is looked at before.
    ///
    /// # Errors
    /// A file for TLS cannot be used.
    pub fn new(
        store: Arc<Store>,
        destinations: Vec<Destination>,
        hold: Duration,
        registry: &mut Registry,
    ) -> Result<Self, ForwardError> {
        let destinations: Vec<_> = destinations.into_iter().map(Arc::new).collect();
        let metrics = match destinations.is_empty() {
            true => ForwardMetrics::default(),
            false => ForwardMetrics::new(registry),
        };
        let enricher = Arc::new(Enricher::new(store.clone()));
        let mut couriers = Vec::new();
        for destination in &destinations {
            let client = Client::new(destination.clone()).map_err(|source| ForwardError {
                destination: destination.name.clone(),
                source,
            })?;
            couriers.push(Courier {
                destination: destination.clone(),
                client,
                store: store.clone(),
                enricher: enricher.clone(),
                metrics: metrics.clone(),
                memory: Courier::memory(),
                failures: 0,
            });
        }
        let outgoing = Arc::new(Outgoing::new(&destinations, hold));
        let keeper = Keeper {
            store,
            destinations,
            outgoing,
            metrics,
        };
        Ok(Self { couriers, keeper })
    }

    /// What the receiver needs.
    #[must_use]
    pub fn outgoing(&self) -> Arc<Outgoing> {
        self.keeper.outgoing.clone()
    }

    /// Starts delivering; ends soon after `shutdown`.
    #[must_use]
    pub fn start(self, shutdown: CancellationToken) -> JoinHandle<()> {
        let mut tasks = JoinSet::new();
        if !self.couriers.is_empty() {
            tasks.spawn(self.keeper.run(shutdown.clone()));
        }
        for courier in self.couriers {
            tasks.spawn(courier.run(shutdown.clone()));
        }
        tokio::spawn(async move {
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a part of forwarding ended badly");
                }
            }
        })
    }
}
