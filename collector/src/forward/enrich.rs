//! What is known about the calls of a request is added to their spans, and spans nobody asked for are left out.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use costflame_profile::TraceId;
use costflame_store::{
    Delivery, Store, StoreError, day_of,
    query::{CallId, Verdict},
};
use tokio::{sync::Mutex, time::Instant};

use super::{
    attributes,
    config::{Destination, Enrich, Filter},
    splice::{Edit, edit_spans, visit_spans},
};
use crate::decode::wire::WireError;

/// Traces waiting to be settled that are looked through; with more of them every trace counts as waiting.
const MAX_PENDING: usize = 1_000_000;

/// Traces of a project that wait to be settled.
type Pending = HashSet<(i32, TraceId)>;

/// Knows the verdicts; shared by all destinations.
#[derive(Debug)]
pub(crate) struct Enricher {
    store: Arc<Store>,
    /// As read last, and when.
    pending: Mutex<Option<(Instant, Arc<Pending>)>>,
}

/// A request of spans on its way.
#[derive(Debug)]
pub(crate) enum Readiness {
    /// Traces of it have not settled.
    Wait,
    /// What is known now; `provisional` if it may change.
    Ready {
        verdicts: HashMap<CallId, Verdict>,
        provisional: bool,
    },
}

/// The traces of a request, and the days its spans start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    traces: BTreeSet<TraceId>,
    days: (i32, i32),
}

/// Looks through a request.
///
/// # Errors
/// It is not a request of spans.
pub(crate) fn contents(request: &[u8]) -> Result<Contents, WireError> {
    let mut traces = BTreeSet::new();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    visit_spans(request, |span| {
        let Some((trace, _)) = span.id else { return };
        traces.insert(trace);
        let start_us = (span.start / 1000).cast_signed();
        (first, last) = (first.min(start_us), last.max(start_us));
    })?;
    let days = match traces.is_empty() {
        true => (0, 0),
        // Of a span in several versions, another one may start a little earlier or later.
        false => (day_of(first) - 1, day_of(last) + 1),
    };
    Ok(Contents { traces, days })
}

/// The request as a destination wants it; `None` when nothing of it is left.
///
/// # Errors
/// It is not a request of spans.
pub(crate) fn edit(
    destination: &Destination,
    request: &[u8],
    verdicts: &HashMap<CallId, Verdict>,
) -> Result<Option<Vec<u8>>, WireError> {
    let with_calls: HashSet<TraceId> = verdicts.keys().map(|(trace, _)| *trace).collect();
    edit_spans(request, |span| {
        let verdict = span.id.and_then(|id| verdicts.get(&id));
        let wanted = match destination.filter {
            Filter::All => true,
            Filter::TracesWithCalls => span
                .id
                .is_some_and(|(trace, _)| with_calls.contains(&trace)),
            Filter::CallsOnly => verdict.is_some(),
        };
        match verdict {
            _ if !wanted => Edit::Drop,
            Some(verdict) if destination.enrich != Enrich::Off => {
                Edit::Append(attributes::encode(span, verdict))
            }
            _ => Edit::Keep,
        }
    })
}

impl Enricher {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            pending: Mutex::default(),
        }
    }

    /// What is known about the calls of a request that was there at `since`; with `patient` it waits for them to settle.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn ask(
        &self,
        delivery: &Delivery,
        contents: &Contents,
        since: Instant,
        patient: bool,
    ) -> Result<Readiness, StoreError> {
        let pending = self.pending(since).await?;
        let is_pending = |trace: &&TraceId| {
            pending.len() >= MAX_PENDING || pending.contains(&(delivery.project, **trace))
        };
        let (pending, settled): (Vec<TraceId>, Vec<TraceId>) =
            contents.traces.iter().partition(is_pending);
        if patient && !pending.is_empty() {
            return Ok(Readiness::Wait);
        }
        let verdicts = self
            .store
            .verdicts(delivery.project, &settled, &pending, contents.days)
            .await?;
        Ok(Readiness::Ready {
            verdicts,
            provisional: !pending.is_empty(),
        })
    }

    /// Traces that wait to be settled, as of `since` or later. Read once for all who ask at the same time.
    async fn pending(&self, since: Instant) -> Result<Arc<Pending>, StoreError> {
        let mut known = self.pending.lock().await;
        if let Some((at, pending)) = &*known
            && *at >= since
        {
            return Ok(pending.clone());
        }
        let at = Instant::now();
        let pending = Arc::new(self.store.pending_traces(MAX_PENDING).await?);
        *known = Some((at, pending.clone()));
        Ok(pending)
    }
}
