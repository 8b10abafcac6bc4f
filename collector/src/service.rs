//! The receiver as a whole: two bound ports in, committed rows out, drained at the end.

use std::sync::Arc;

use arc_swap::ArcSwap;
use costflame_access::Gate;
use costflame_pricing::Catalog;
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;

use crate::{
    commit::{self, Committer, Landing},
    forward::Outgoing,
    listen::{self, ListenMetrics, Port, Tls},
    metrics::{Levels, Metrics},
    receive::{self, Receiver, ReceiverConfig},
};

/// Bound ports of the receiver.
#[derive(Debug)]
pub struct Listeners {
    /// OTLP/gRPC, 4317 by convention.
    pub grpc: TcpListener,
    /// OTLP/HTTP, 4318 by convention.
    pub http: TcpListener,
    /// What both show to whom connects; without, they do not encrypt.
    pub tls: Option<Arc<Tls>>,
}

/// The receiver, ready to serve.
pub struct Collector {
    config: ReceiverConfig,
    receiver: Arc<Receiver>,
    committing: JoinHandle<()>,
    commits: Arc<commit::Gate>,
    gate: Gate,
    listening: ListenMetrics,
}

impl Collector {
    /// Starts group commit and registers the metrics. What is received goes on to `outgoing`. Must be called within a
    /// Tokio runtime.
    #[must_use]
    pub fn start(
        config: ReceiverConfig,
        store: Arc<impl Landing>,
        catalog: Arc<ArcSwap<Catalog>>,
        outgoing: Arc<Outgoing>,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Arc::new(Metrics::new(registry));
        let listening = ListenMetrics::new(registry);
        let (committer, committing) = Committer::start(store, &config, metrics.clone());
        let (queue, commits) = (committer.room().clone(), committer.gate().clone());
        let receiver = Arc::new(Receiver::new(
            &config, catalog, committer, outgoing, metrics,
        ));
        let levels = Levels {
            bodies: receiver.budget().clone(),
            queue,
            gate: commits.clone(),
        };
        registry.register_collector(Box::new(levels));
        Self {
            config,
            receiver,
            committing,
            commits,
            gate: Gate::open(),
            listening,
        }
    }

    /// Whether commits work.
    #[must_use]
    pub fn commits(&self) -> Arc<commit::Gate> {
        self.commits.clone()
    }

    /// Takes requests only from those whom `gate` lets in, for their projects.
    #[must_use]
    pub fn behind(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// What its ports count, for another port beside them.
    #[must_use]
    pub fn listen_metrics(&self) -> ListenMetrics {
        self.listening.clone()
    }

    /// Serves until `shutdown` is cancelled; then stops accepting, lets requests in progress finish
    /// and be answered, and returns when everything taken is committed.
    pub async fn serve(self, listeners: Listeners, shutdown: CancellationToken) {
        let Self {
            config,
            receiver,
            committing,
            gate,
            commits: _,
            listening,
        } = self;
        let Listeners { grpc, http, tls } = listeners;
        let port = |name, listener| Port {
            name,
            listener,
            tls: tls.clone(),
        };
        let (mut health, service) = tonic_health::server::health_reporter();
        let router = receive::router(&receiver, &gate, service);
        drop(receiver);
        let not_serving = async {
            shutdown.cancelled().await;
            health
                .set_service_status("", ServingStatus::NotServing)
                .await;
            // Ends the watches, which would keep their connections open.
            health.clear_service_status("").await;
        };
        let (grpc_cut, http_cut, ()) = tokio::join!(
            listen::serve(
                port("otlp_grpc", grpc),
                router.clone(),
                &config.listen,
                &listening,
                shutdown.clone()
            ),
            listen::serve(
                port("otlp_http", http),
                router,
                &config.listen,
                &listening,
                shutdown.clone()
            ),
            not_serving,
        );
        if grpc_cut + http_cut > 0 {
            tracing::warn!(
                connections = grpc_cut + http_cut,
                "cut connections that did not finish in time"
            );
        }
        // Every entrance to the queue is gone with the connections.
        let _ = committing.await;
    }
}
