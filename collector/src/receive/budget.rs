//! Bytes of request bodies in memory, counted over all requests.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::status::Refusal;

/// A bound in bytes that many requests share. Waiting is first come, first served.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    total: usize,
    wait: Duration,
    full: Refusal,
}

impl Budget {
    /// A budget of `total` bytes (at most 4 GiB); a request waits at most `wait` and hears `full` then.
    #[must_use]
    pub fn new(total: usize, wait: Duration, full: Refusal) -> Self {
        let total = total.min(u32::MAX as usize);
        Self {
            free: Arc::new(Semaphore::new(total)),
            total,
            wait,
            full,
        }
    }

    /// The bound, in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Bytes reserved now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.total - self.free.available_permits()
    }

    /// A reservation of nothing, to grow.
    #[must_use]
    pub fn empty(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            permit: None,
        }
    }

    /// Reserves bytes, at most the whole budget: what is larger goes alone.
    ///
    /// # Errors
    /// The budget's refusal when the bytes did not become free in time.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, Refusal> {
        let mut reservation = self.empty();
        reservation.grow_to(bytes).await?;
        Ok(reservation)
    }
}

/// Bytes reserved until dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.permit
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Holds at least `bytes`, or the whole budget if that is less: one request can always proceed.
    ///
    /// # Errors
    /// The budget's refusal when the bytes did not become free in time; what was held stays held.
    pub async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let Budget {
            free,
            total,
            wait,
            full,
        } = &self.budget;
        let more = bytes.min(*total).saturating_sub(self.bytes());
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let granted = tokio::time::timeout(*wait, free.clone().acquire_many_owned(more)).await;
        let Ok(Ok(permit)) = granted else {
            return Err(full.clone());
        };
        match &mut self.permit {
            Some(held) => held.merge(permit),
            empty => *empty = Some(permit),
        }
        Ok(())
    }

    /// Gives back what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let beyond = self.bytes().saturating_sub(bytes);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(beyond));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Refusal = Refusal::Busy {
        reason: "full",
        what: "it",
        retry_after: Duration::from_secs(1),
    };

    fn budget(total: usize) -> Budget {
        Budget::new(total, Duration::from_secs(2), FULL)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_then_refuses_with_a_delay() {
        let budget = budget(100);
        let held = budget.reserve(80).await.unwrap();
        assert_eq!(budget.reserve(30).await.unwrap_err(), FULL);
        drop(held);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.reserve(30).await.unwrap().bytes(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn takes_its_turn_when_bytes_become_free() {
        let budget = budget(100);
        let mut held = budget.reserve(80).await.unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(30).await.map(|held| held.bytes()) }
        });
        tokio::task::yield_now().await;
        held.shrink_to(70);
        assert_eq!(waiting.await.unwrap(), Ok(30));
        assert_eq!(budget.used(), 70);
    }

    #[tokio::test]
    async fn more_than_everything_takes_everything() {
        let budget = budget(100);
        let mut held = budget.reserve(70).await.unwrap();
        held.grow_to(140).await.unwrap();
        assert_eq!((held.bytes(), budget.used()), (100, 100));
        held.grow_to(200).await.unwrap();
    }
}
