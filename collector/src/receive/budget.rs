//! Bytes of request bodies in memory, counted over all requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::status::Refusal;

/// How long a body may be arriving before it has to make room for others.
const ARRIVED_BY: Duration = Duration::from_secs(1);
/// How long a request waits before a body that is still arriving has to make room for it, and then the next one.
const NEXT: Duration = Duration::from_millis(50);

/// A bound in bytes that many requests share. Waiting is first come, first served; who waits long is given the room of
/// the body that has been arriving for longest, so that slow senders cannot shut out others.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    /// Kept for small requests, which the large ones cannot shut out then.
    small: Arc<Semaphore>,
    largest_small: usize,
    arriving: Arc<Mutex<Arriving>>,
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
            small: Arc::new(Semaphore::new(0)),
            largest_small: 0,
            arriving: Arc::default(),
            total,
            wait,
            full,
        }
    }

    /// The same with an eighth of it kept for requests of at most a 64th of it.
    #[must_use]
    pub fn with_room_for_small(self) -> Self {
        Self {
            free: Arc::new(Semaphore::new(self.total - self.total / 8)),
            small: Arc::new(Semaphore::new(self.total / 8)),
            largest_small: self.total / 64,
            ..self
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
        self.total - self.free.available_permits() - self.small.available_permits()
    }

    /// A body that is arriving, until dropped; it may have to make room.
    pub(crate) fn arrival(&self) -> Arrival {
        let mut arriving = lock(&self.arriving);
        let number = arriving.next;
        arriving.next += 1;
        let makes_room = CancellationToken::new();
        arriving
            .since
            .insert(number, (Instant::now(), makes_room.clone()));
        Arrival {
            number,
            makes_room,
            arriving: self.arriving.clone(),
        }
    }

    async fn acquire(&self, from: &Arc<Semaphore>, bytes: u32) -> Option<OwnedSemaphorePermit> {
        let mut permit = Box::pin(from.clone().acquire_many_owned(bytes));
        let deadline = Instant::now() + self.wait;
        loop {
            let until = deadline.min(Instant::now() + NEXT);
            if let Ok(permit) = tokio::time::timeout_at(until, &mut permit).await {
                return permit.ok();
            }
            if until == deadline {
                return None;
            }
            lock(&self.arriving).ask_slowest();
        }
    }

    /// A reservation of nothing, to grow.
    #[must_use]
    pub fn empty(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            permit: None,
            small: None,
        }
    }

    /// Reserves bytes, at most all that is not kept for small requests: what is larger goes alone.
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
    /// Of what is kept for small requests.
    small: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        [&self.permit, &self.small]
            .into_iter()
            .flatten()
            .map(OwnedSemaphorePermit::num_permits)
            .sum()
    }

    /// Holds at least `bytes`, or all that is not kept for small requests if that is less: one request can always proceed.
    ///
    /// # Errors
    /// The budget's refusal when the bytes did not become free in time; what was held stays held.
    pub async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let budget = &self.budget;
        let most = budget.total
            - if budget.largest_small > 0 {
                budget.total / 8
            } else {
                0
            };
        let more = bytes.min(most).saturating_sub(self.bytes());
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(permit) = budget.free.clone().try_acquire_many_owned(more) {
            merge(&mut self.permit, permit);
            return Ok(());
        }
        let is_small = bytes <= budget.largest_small;
        let (from, held) = match is_small {
            true => (&budget.small, &mut self.small),
            false => (&budget.free, &mut self.permit),
        };
        let permit = budget.acquire(from, more).await;
        merge(held, permit.ok_or_else(|| budget.full.clone())?);
        Ok(())
    }

    /// Gives back what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let mut beyond = self.bytes().saturating_sub(bytes);
        for permit in [&mut self.permit, &mut self.small].into_iter().flatten() {
            let part = beyond.min(permit.num_permits());
            drop(permit.split(part));
            beyond -= part;
        }
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(more),
        empty => *empty = Some(more),
    }
}

/// Bodies that are arriving, the oldest first.
#[derive(Debug, Default)]
struct Arriving {
    since: BTreeMap<u64, (Instant, CancellationToken)>,
    next: u64,
}

impl Arriving {
    /// The oldest body makes room, if it has had its time.
    fn ask_slowest(&mut self) {
        let Some(oldest) = self.since.first_entry() else {
            return;
        };
        if oldest.get().0.elapsed() >= ARRIVED_BY {
            oldest.remove().1.cancel();
        }
    }
}

/// A body that is arriving.
#[derive(Debug)]
pub(crate) struct Arrival {
    number: u64,
    makes_room: CancellationToken,
    arriving: Arc<Mutex<Arriving>>,
}

impl Arrival {
    /// Ends when the body has to make room.
    pub(crate) async fn makes_room(&self) {
        self.makes_room.cancelled().await;
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        lock(&self.arriving).since.remove(&self.number);
    }
}

fn lock(arriving: &Mutex<Arriving>) -> MutexGuard<'_, Arriving> {
    // Whole after every line that changes it.
    arriving.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn the_body_that_arrives_for_longest_makes_room() {
        let budget = budget(100);
        let (slow, held) = (budget.arrival(), budget.reserve(60).await.unwrap());
        tokio::time::advance(ARRIVED_BY / 2).await;
        let (quick, also) = (budget.arrival(), budget.reserve(40).await.unwrap());
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(30).await.map(|held| held.bytes()) }
        });
        slow.makes_room().await;
        assert!(!quick.makes_room.is_cancelled());
        drop((slow, held));
        assert_eq!(waiting.await.unwrap(), Ok(30));
        drop(also);
    }

    #[tokio::test(start_paused = true)]
    async fn large_requests_leave_room_for_small_ones() {
        let budget = budget(6400).with_room_for_small();
        let mut large = budget.reserve(100_000).await.unwrap();
        assert_eq!((large.bytes(), budget.used()), (5600, 5600));
        assert_eq!(budget.reserve(101).await.unwrap_err(), FULL);
        let mut small = budget.reserve(60).await.unwrap();
        small.grow_to(100).await.unwrap();
        assert_eq!((small.bytes(), budget.used()), (100, 5700));
        // One that grows waits with the large ones.
        assert_eq!(small.grow_to(200).await.unwrap_err(), FULL);
        large.shrink_to(5000);
        small.grow_to(200).await.unwrap();
        small.shrink_to(150);
        assert_eq!((small.bytes(), budget.used()), (150, 5150));
        drop((small, large));
        assert_eq!(budget.used(), 0);
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
