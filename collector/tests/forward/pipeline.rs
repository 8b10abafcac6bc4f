//! Everything between a sender and its backends, in one process.

use std::{sync::Arc, time::Duration};

use costflame_collector::{
    ReceiverConfig,
    forward::{Destination, ForwardTable, Forwarder, destinations},
    settle::{SettleConfig, SettleMetrics, SettleTimes, Settler},
};
use costflame_store::{Options, Selection, Store, testing};
use prometheus_client::registry::Registry;
use serde::Deserialize;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::common::{Rig, start_with};

/// How long a trace is left alone before it is settled.
const QUIET: Duration = Duration::from_millis(30);

pub struct Pipeline {
    pub rig: Rig<Store>,
    pub store: Arc<Store>,
    pub url: String,
    stop: CancellationToken,
    _folder: Option<TempDir>,
}

/// Destinations as a user writes them.
pub fn configured(text: &str) -> Vec<Destination> {
    #[derive(Deserialize)]
    struct File {
        forward: Vec<ForwardTable>,
    }
    destinations(
        toml::from_str::<File>(text).unwrap().forward,
        &|_| None,
        &|_| None,
    )
    .unwrap()
}

/// One destination named `name`, with more settings.
pub fn to(name: &str, endpoint: &str, more: &str) -> String {
    format!("[[forward]]\nname = \"{name}\"\nendpoint = \"{endpoint}\"\n{more}\n")
}

impl Pipeline {
    /// On SQLite.
    pub async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self::on(url, Some(folder), text, true).await
    }

    /// On SQLite, where nothing ever settles.
    pub async fn unsettled(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self::on(url, Some(folder), text, false).await
    }

    /// On a Postgres of its own.
    pub async fn on_postgres(text: &str) -> Self {
        Self::on(testing::postgres_database().await, None, text, true).await
    }

    pub async fn on(url: String, folder: Option<TempDir>, text: &str, settles: bool) -> Self {
        let store = Arc::new(Store::connect(&url, &Options::default()).await.unwrap());
        let mut registry = Registry::with_prefix("costflame");
        let stop = CancellationToken::new();
        let forwarder =
            Forwarder::new(store.clone(), configured(text), QUIET, &mut registry).unwrap();
        let outgoing = forwarder.outgoing();
        let metrics = SettleMetrics::new(&mut registry);
        drop(forwarder.start(&metrics.spend(), stop.clone()));
        if settles {
            let config = SettleConfig {
                times: SettleTimes {
                    after_root: QUIET,
                    after_quiet: QUIET,
                    at_most: QUIET,
                },
                owner: format!("test-{url}-{:p}", Arc::as_ptr(&store)),
            };
            drop(Settler::start(store.clone(), config, metrics, stop.clone()));
        }
        let rig = start_with(store.clone(), ReceiverConfig::default(), outgoing, registry).await;
        Self {
            rig,
            store,
            url,
            stop,
            _folder: folder,
        }
    }

    /// A second collector on the same database.
    pub async fn another(&self, text: &str) -> Self {
        Self::on(self.url.clone(), None, text, true).await
    }

    pub async fn post(&self, signal: &str, body: Vec<u8>) -> u16 {
        self.post_as(signal, "application/x-protobuf", body).await
    }

    pub async fn post_as(&self, signal: &str, content_type: &str, body: Vec<u8>) -> u16 {
        let request = reqwest::Client::new()
            .post(self.rig.url(&format!("/v1/{signal}")))
            .header("content-type", content_type)
            .body(body);
        request.send().await.unwrap().status().as_u16()
    }

    /// Deliveries left, waiting and dead.
    pub async fn left(&self) -> (usize, usize) {
        let of = |dead| {
            let selection = Selection {
                dead: Some(dead),
                ..Selection::default()
            };
            async move {
                self.store
                    .outbox_list(&selection, 0, 10_000)
                    .await
                    .unwrap()
                    .len()
            }
        };
        (of(false).await, of(true).await)
    }

    /// Polls until so many deliveries are left.
    pub async fn until_left(&self, expected: (usize, usize)) {
        while self.left().await != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.stop.cancel();
        self.rig.shutdown.cancel();
    }
}
