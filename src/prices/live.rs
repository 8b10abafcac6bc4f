//! The prices of a running server: read at the start, again when others were fetched, and on SIGHUP.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use costflame_pricing::Catalog;
use costflame_store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::source::{PriceSettings, Prices};

/// How often the database is asked for newer prices: one number is read.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The prices in force, swapped whole.
pub(crate) struct LivePrices {
    store: Arc<Store>,
    settings: PriceSettings,
    catalog: Arc<ArcSwap<Catalog>>,
    /// Of the database when the catalog was read.
    version: i64,
}

impl LivePrices {
    /// Reads the prices in force and keeps their snapshot.
    pub(crate) async fn start(store: Arc<Store>, settings: PriceSettings) -> Result<Self> {
        let version = version(&store).await?;
        let prices = read(&store, &settings).await?;
        Ok(Self {
            store,
            settings,
            catalog: Arc::new(ArcSwap::new(prices.catalog)),
            version,
        })
    }

    /// What calls are priced by, now and after every change.
    pub(crate) fn catalog(&self) -> Arc<ArcSwap<Catalog>> {
        Arc::clone(&self.catalog)
    }

    /// Follows what is fetched into the database, and the overrides on SIGHUP, until the end. Listens for the signal from now on.
    pub(crate) fn follow(
        mut self,
        end: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send> {
        let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        Ok(async move {
            loop {
                let is_told = tokio::select! {
                    () = end.cancelled() => return,
                    _ = hangup.recv() => true,
                    () = tokio::time::sleep(LOOK_EVERY) => false,
                };
                // What cannot be read leaves the prices as they are, also those with a mistake in them.
                if let Err(error) = self.look(is_told).await {
                    tracing::error!("prices stay as they are: {error:#}");
                }
            }
        })
    }

    async fn look(&mut self, is_told: bool) -> Result<()> {
        let version = version(&self.store).await?;
        if !is_told && version == self.version {
            return Ok(());
        }
        // A mistake is reported once, not every time.
        self.version = version;
        let prices = read(&self.store, &self.settings).await?;
        if prices.catalog.id() != self.catalog.load().id() {
            tracing::info!("new calls are priced {}", prices.origin());
            self.catalog.store(prices.catalog);
        }
        Ok(())
    }
}

async fn version(store: &Store) -> Result<i64> {
    let version = store.prices_version().await;
    version.context("cannot read the prices in the database")
}

/// The snapshot is kept before a call refers to it.
async fn read(store: &Store, settings: &PriceSettings) -> Result<Prices> {
    let prices = Prices::in_force(Some(store), settings).await?;
    let kept = store.put_catalog(&prices.row).await;
    kept.context("cannot keep the price catalog")?;
    Ok(prices)
}
