//! Forgetting traces: as if their spans had never landed.

use std::collections::BTreeSet;

use crate::{
    StoreError, TraceKey, correction,
    outcome::Outcome,
    plan::Batch,
    session::Session,
    settle::{apply, days, gather},
};

/// What [`crate::Store::forget`] deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Traces that were asked for and known.
    pub traces: u64,
    /// Their calls, counted or not.
    pub calls: u64,
}

/// Deletes traces in an open session that nobody else settles in. What lost to one of their calls
/// is elected again. Of calls past their retention the sealed sums stay.
pub(crate) async fn forget<S: Session>(
    mut session: S,
    keys: &BTreeSet<TraceKey>,
    why: &str,
    now_us: i64,
) -> Result<Forgotten, StoreError> {
    let keys: Vec<TraceKey> = keys.iter().copied().collect();
    // On SQLite the transaction of the only writer begins here.
    session.lock(&BTreeSet::new()).await?;
    let dropped = session.dropped_before().await?;
    let traces = session.traces(&keys).await?;
    let days = dropped.kept(days(&[], &traces));
    let calls = session.calls(&keys, days).await?;
    let known = gather(&keys, Vec::new(), traces, calls);
    let gone = |landed_day| Outcome {
        calls: Vec::new(),
        paths: Vec::new(),
        trace: None,
        landed_day,
    };
    let landed_day = |trace: &crate::TraceRow| trace.landed_day();
    let outcomes = known
        .iter()
        .map(|known| gone(known.trace.as_ref().map_or(0, landed_day)))
        .collect();
    let batch = Batch { known, outcomes };
    let mut writes = apply(&mut session, &keys, batch, dropped, Some(days)).await?;
    let forgotten = Forgotten {
        traces: writes.old_traces.len() as u64,
        calls: writes.old_calls.len() as u64,
    };
    let changes = writes.deltas.by_series();
    session.write(&mut writes).await?;
    correction::note(&mut session, &changes).await?;
    session.delete_landed(&keys).await?;
    session.note_deletion(why, forgotten, now_us).await?;
    session.commit().await?;
    Ok(forgotten)
}
