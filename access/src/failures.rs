//! Logins that failed, for the audit log: the first one at once, what follows within a minute as one line, so that nobody fills it by
//! guessing.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use costflame_store::{Act, Store};
use tokio_util::sync::CancellationToken;

use crate::clock::now_us;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Failure {
    /// The user, if there is one: what else is typed there may be a password.
    pub(crate) user: Option<String>,
    /// Their project.
    pub(crate) project: Option<i32>,
    /// From where; `None` once too many come.
    pub(crate) peer: Option<IpAddr>,
    /// What is wrong.
    pub(crate) why: &'static str,
}

/// How long failures are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// Kinds of failure in a window; what comes on top is counted as one.
const MOST: usize = 1_000;

#[derive(Debug)]
struct Count {
    since: Instant,
    more: u64,
}

/// Counts failures.
#[derive(Debug)]
pub(crate) struct Failures {
    store: Store,
    counts: Mutex<HashMap<Failure, Count>>,
}

impl Failures {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            counts: Mutex::default(),
        }
    }

    /// Counts a failure, and writes it down if it is the first of its kind in a minute.
    pub(crate) async fn note(&self, failure: Failure) {
        let failure = {
            let mut counts = self.lock();
            let known = counts.contains_key(&failure);
            let failure = if known || counts.len() < MOST {
                failure
            } else {
                Failure {
                    user: None,
                    project: None,
                    peer: None,
                    why: "many failures",
                }
            };
            if let Some(count) = counts.get_mut(&failure) {
                count.more += 1;
                return;
            }
            let since = Instant::now();
            counts.insert(failure.clone(), Count { since, more: 0 });
            failure
        };
        self.write(&failure, failure.why.to_owned()).await;
    }

    /// Writes down what came on top, each minute and at the end.
    pub(crate) async fn follow(&self, shutdown: CancellationToken) {
        let tick = || tokio::time::sleep(WINDOW / 4);
        while shutdown.run_until_cancelled(tick()).await.is_some() {
            self.flush(WINDOW).await;
        }
        self.flush(Duration::ZERO).await;
    }

    async fn flush(&self, age: Duration) {
        let over: Vec<_> = {
            let mut counts = self.lock();
            counts
                .extract_if(|_, count| count.since.elapsed() >= age)
                .collect()
        };
        for (failure, count) in over.iter().filter(|(_, count)| count.more > 0) {
            let result = format!("{}, {} times more", failure.why, count.more);
            self.write(failure, result).await;
        }
    }

    async fn write(&self, failure: &Failure, result: String) {
        let act = Act {
            at_us: now_us(),
            actor: "anybody".to_owned(),
            peer: failure
                .peer
                .map_or_else(|| "several".to_owned(), |peer| peer.to_string()),
            project: failure.project,
            act: "login",
            target: failure.user.clone().unwrap_or_default(),
        };
        if let Err(error) = self.store.note(&act, &result).await {
            tracing::warn!(%error, "a failed login cannot be written down");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Failure, Count>> {
        self.counts
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use costflame_store::Options;

    use super::*;

    #[tokio::test]
    async fn guessing_writes_two_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/c.db", folder.path().display());
        let store = Store::connect(&url, &Options::default()).await;
        let store = store.expect("opens");
        let failures = Failures::new(store.clone());
        let peer = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
        let failure = |last| Failure {
            user: Some("alice".to_owned()),
            project: Some(1),
            peer: peer(last),
            why: "wrong password",
        };
        for _ in 0..50 {
            failures.note(failure(1)).await;
        }
        failures.note(failure(2)).await;
        failures.flush(Duration::from_secs(60)).await;
        let results = async || {
            let lines = store.audit(None, None, 10).await.expect("lines");
            let results = lines
                .into_iter()
                .map(|line| format!("{} {} {}", line.target, line.peer, line.result));
            results.collect::<Vec<_>>()
        };
        let first = [
            "alice 10.0.0.2 wrong password",
            "alice 10.0.0.1 wrong password",
        ];
        assert_eq!(results().await, first);
        failures.flush(Duration::ZERO).await;
        assert_eq!(
            results().await[0],
            "alice 10.0.0.1 wrong password, 49 times more"
        );
        failures.flush(Duration::ZERO).await;
        assert_eq!(results().await.len(), 3);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/c.db", folder.path().display());
        let store = Store::connect(&url, &Options::default()).await;
        let failures = Failures::new(store.expect("opens"));
        for number in 0..1_100_u32 {
            let failure = Failure {
                user: None,
                project: None,
                peer: Some(IpAddr::from(number.to_be_bytes())),
                why: "wrong password",
            };
            failures.note(failure).await;
        }
        assert!(failures.lock().len() <= MOST + 1);
    }
}
