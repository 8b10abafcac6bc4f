//! Keeps every destination within its bounds, and says how far each is behind.

use std::{collections::HashSet, sync::Arc, time::Duration};

use costflame_store::{Level, Store, StoreError, Trimmed};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    config::{Destination, WhenFull},
    metrics::{Behind, ForwardMetrics},
    outgoing::Outgoing,
};
use crate::time::now_us;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looking takes at most one part in this many of the time.
const SHARE: u32 = 20;

/// Looks after the bounds of all destinations.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) store: Arc<Store>,
    pub(crate) destinations: Vec<Arc<Destination>>,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) metrics: ForwardMetrics,
}

impl Keeper {
    /// Looks until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut strangers = HashSet::new();
        while !shutdown.is_cancelled() {
            let start = Instant::now();
            match self.look().await {
                Ok(levels) => self.tell_of_strangers(&levels, &mut strangers),
                Err(error) => tracing::debug!(%error, "the outbox cannot be looked at"),
            }
            let pause = EVERY.max(start.elapsed() * SHARE);
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look(&self) -> Result<Vec<Level>, StoreError> {
        let levels = self.store.outbox_levels().await?;
        for destination in &self.destinations {
            let level = |dead: bool| {
                levels
                    .iter()
                    .find(|level| level.destination == destination.name && level.dead == dead)
            };
            if let Some(dead) = level(true) {
                self.trim(destination, dead).await?;
            }
            let mut behind = Behind {
                dead: level(true).map_or(0, |level| level.deliveries),
                ..Behind::default()
            };
            if let Some(waiting) = level(false) {
                behind.waiting = waiting.deliveries;
                behind.bytes = waiting.bytes;
                behind.oldest = age(waiting);
                behind.full = is_beyond(destination, waiting);
                if behind.full && destination.when_full == WhenFull::DropOldest {
                    self.trim(destination, waiting).await?;
                }
            }
            self.outgoing.set_full(&destination.name, behind.full);
            self.metrics.behind(&destination.name, behind);
        }
        Ok(levels)
    }

    /// Drops the oldest until the rest is within the bounds.
    async fn trim(&self, destination: &Destination, level: &Level) -> Result<(), StoreError> {
        let by_age = if level.dead { "dead_letter_age" } else { "age" };
        let by_bytes = if level.dead {
            "dead_letter_bytes"
        } else {
            "bytes"
        };
        let max_age = i64::try_from(destination.max_age.as_micros()).unwrap_or(i64::MAX);
        let before_us = now_us().saturating_sub(max_age);
        let mut bytes = level.bytes;
        if level.oldest_us < before_us {
            while let Some(gone) = self
                .trim_once(destination, level.dead, before_us, 0)
                .await?
            {
                self.count(destination, by_age, gone);
                bytes = bytes.saturating_sub(gone.bytes);
            }
        }
        while bytes > destination.max_bytes {
            let excess = bytes - destination.max_bytes;
            let Some(gone) = self
                .trim_once(destination, level.dead, i64::MIN, excess)
                .await?
            else {
                break;
            };
            self.count(destination, by_bytes, gone);
            bytes = bytes.saturating_sub(gone.bytes);
        }
        Ok(())
    }

    async fn trim_once(
        &self,
        destination: &Destination,
        dead: bool,
        before_us: i64,
        excess: u64,
    ) -> Result<Option<Trimmed>, StoreError> {
        let trim = self
            .store
            .outbox_trim(&destination.name, dead, before_us, excess);
        Ok(Some(trim.await?).filter(|gone| gone.deliveries > 0))
    }

    fn count(&self, destination: &Destination, reason: &'static str, gone: Trimmed) {
        let name = &destination.name;
        tracing::warn!(
            destination = name,
            reason,
            requests = gone.deliveries,
            items = gone.items,
            "dropped the oldest requests"
        );
        self.metrics
            .dropped(name, reason, gone.deliveries, gone.items);
    }

    /// What waits for a destination that is not configured any more waits until somebody drops it.
    fn tell_of_strangers(&self, levels: &[Level], told: &mut HashSet<String>) {
        for level in levels {
            let is_known = |destination: &Arc<Destination>| destination.name == level.destination;
            if !self.destinations.iter().any(is_known) && told.insert(level.destination.clone()) {
                tracing::warn!(
                    destination = level.destination,
                    requests = level.deliveries,
                    "requests wait for a destination that is not configured; see `costflame outbox`"
                );
            }
        }
    }
}

fn age(level: &Level) -> Duration {
    let age = now_us().saturating_sub(level.oldest_us);
    Duration::from_micros(u64::try_from(age).unwrap_or_default())
}

fn is_beyond(destination: &Destination, level: &Level) -> bool {
    level.bytes > destination.max_bytes || age(level) > destination.max_age
}
