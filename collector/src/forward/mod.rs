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
mod cut;
mod encode;
mod enrich;
mod keeper;
mod metrics;
mod outgoing;
mod report;
mod splice;
mod table;

pub use config::{ConfigError, Destination};
pub use cut::{CutError, Doomed, Left};
pub use outgoing::Outgoing;
pub use table::{ForwardTable, destinations};

use std::{sync::Arc, time::Duration};

use costflame_profile::Signal;
use costflame_store::Store;
use prometheus_client::registry::Registry;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    client::Client, courier::Courier, enrich::Enricher, keeper::Keeper, metrics::ForwardMetrics,
    report::Reporter,
};
use crate::{pem::TlsError, settle::Spend};

/// Everything that forwards, ready to start.
#[derive(Debug)]
pub struct Forwarder {
    couriers: Vec<Courier>,
    keeper: Keeper,
    hold: Duration,
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
        Ok(Self {
            couriers,
            keeper,
            hold,
        })
    }

    /// One for each destination that wants costflame's own counters.
    fn reporters(&self, spend: &Spend) -> Vec<Reporter> {
        let Keeper {
            store,
            destinations,
            ..
        } = &self.keeper;
        let instance = format!("{:016x}", rand::random::<u64>());
        let reporter = |destination: &Arc<Destination>| {
            let every = destination.cost_metrics?;
            destination.takes(Signal::Metric).then(|| Reporter {
                store: store.clone(),
                outgoing: Outgoing::new(std::slice::from_ref(destination), self.hold),
                spend: spend.clone(),
                every,
                instance: instance.clone(),
            })
        };
        destinations.iter().filter_map(reporter).collect()
    }

    /// What the receiver needs.
    #[must_use]
    pub fn outgoing(&self) -> Arc<Outgoing> {
        self.keeper.outgoing.clone()
    }

    /// Starts delivering, and reporting what `spend` counts; ends soon after `shutdown`.
    #[must_use]
    pub fn start(self, spend: &Spend, shutdown: CancellationToken) -> JoinHandle<()> {
        let mut tasks = JoinSet::new();
        for reporter in self.reporters(spend) {
            tasks.spawn(reporter.run(shutdown.clone()));
        }
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
