//! Pricing the past again: explicit, trace by trace, by differences.
//!
//! A step takes some traces of one lane, keeps everybody else from settling them, prices what has landed of them and their
//! calls again, and changes calls, traces and rollups by the difference; who counts stays. How far a repricing has come is
//! written in the same transaction, so a second one goes on where the first ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use costflame_pricing::{Catalog, CatalogId, Flags, PriceRequest, Receipt, Usd, UsdSum};
use costflame_profile::{Call, TraceId};

use crate::{
    CallKey, CallRow, LandingRow, SeriesRow, Store, StoreError, TraceKey,
    claim_row::ClaimRow,
    correction, day_of, election,
    outcome::{Horizon, Known, outcome},
    plan::Writes,
    session::Session,
    settle::{days, gather},
    store::{Backend, dispatch},
};

/// Traces of one step.
pub(crate) const TRACES: i64 = 100;

/// Calls read at once for totals.
pub(crate) const CALLS: i64 = 1_000;

/// The calls of a project that start in a range, to be priced by a catalog.
#[derive(Clone, Copy, Debug)]
pub struct Repricing<'c> {
    /// The project.
    pub project: i32,
    /// First start, microseconds since 1970 UTC.
    pub from_us: i64,
    /// First start that is not in the range any more.
    pub to_us: i64,
    /// The prices.
    pub catalog: &'c Catalog,
}

/// How far a repricing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepricingState {
    pub(crate) id: i64,
    pub(crate) lane: i16,
    pub(crate) after: Option<TraceId>,
    /// Calls looked at.
    pub seen: u64,
    /// Calls whose receipt became another.
    pub changed: u64,
    /// Nothing is left to do.
    pub is_done: bool,
}

/// What the calls of one model cost, and would cost. Only calls that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelTotals {
    /// Calls.
    pub calls: u64,
    /// Calls whose cost changes.
    pub changed: u64,
    /// Calls without a cost.
    pub unpriced_before: u64,
    /// Calls without a cost by the new prices.
    pub unpriced_after: u64,
    /// Cost as stored.
    pub before: UsdSum,
    /// Cost by the new prices.
    pub after: UsdSum,
}

/// Totals by provider and model.
pub type Totals = BTreeMap<(String, String), ModelTotals>;

impl Repricing<'_> {
    /// Days on which the calls start, first to last.
    pub(crate) fn days(&self) -> (i32, i32) {
        (day_of(self.from_us), day_of(self.to_us.saturating_sub(1)))
    }

    pub(crate) fn concerns(&self, start_us: i64) -> bool {
        (self.from_us..self.to_us).contains(&start_us)
    }

    /// The new receipt of a call; `None` if only the snapshot would be another.
    fn receipt(&self, receipt: &Receipt, call: &Call, place: &Place<'_>) -> Option<Receipt> {
        if !self.concerns(place.start_us) {
            return None;
        }
        let request = PriceRequest {
            provider: call.provider.as_deref(),
            response_model: call.response_model.as_deref(),
            request_model: call.request_model.as_deref(),
            at_us: place.start_us,
            service: Some(place.service),
            environment: place.environment,
            ..PriceRequest::default()
        };
        let again = self.catalog.reprice(receipt, &request);
        let is_same = Receipt {
            catalog: receipt.catalog,
            ..again.clone()
        } == *receipt;
        (!is_same).then_some(again)
    }

    /// True when a landed span got another receipt.
    fn change_landed(&self, row: &mut LandingRow) -> bool {
        let span = &mut row.span;
        let (Some(receipt), Some(call)) = (&row.receipt, &mut span.call) else {
            return false;
        };
        let place = Place {
            start_us: span.start_us,
            service: &span.service,
            environment: span.attribution.environment.as_deref(),
        };
        let Some(again) = self.receipt(receipt, call, &place) else {
            return false;
        };
        take_over(call, &again);
        row.receipt = Some(again);
        true
    }

    /// True when a call got another receipt.
    fn change_call(&self, row: &mut CallRow) -> bool {
        let place = Place {
            start_us: row.start_us,
            service: &row.service,
            environment: row.attribution.environment.as_deref(),
        };
        let Some(again) = self.receipt(&row.receipt, &row.call, &place) else {
            return false;
        };
        take_over(&mut row.call, &again);
        row.flags = row.flags.without(Flags::of_pricing()).union(again.flags);
        row.receipt = again;
        row.series = SeriesRow::of(row).id(row.key.trace.project);
        true
    }

    /// Adds what a call costs and would cost.
    pub(crate) fn total(&self, row: &CallRow, totals: &mut Totals) {
        if row.why().is_some() || !self.concerns(row.start_us) {
            return;
        }
        let mut again = row.clone();
        self.change_call(&mut again);
        let (before, after) = (row.call.cost, again.call.cost);
        let model = row
            .call
            .response_model
            .as_ref()
            .or(row.call.request_model.as_ref());
        let name = |text: Option<&costflame_profile::Text>| {
            text.map_or_else(String::new, |text| text.to_string())
        };
        let own = totals
            .entry((name(again.call.provider.as_ref()), name(model)))
            .or_default();
        let pico = |cost: Option<Usd>| UsdSum(cost.map_or(0, |cost| i128::from(cost.0)));
        own.calls += 1;
        own.changed += u64::from(before != after);
        own.unpriced_before += u64::from(before.is_none());
        own.unpriced_after += u64::from(after.is_none());
        own.before.0 += pico(before).0;
        own.after.0 += pico(after).0;
    }
}

/// What a price depends on beside the call.
struct Place<'a> {
    start_us: i64,
    service: &'a str,
    environment: Option<&'a str>,
}

/// As at landing: the cost is the receipt's, the provider is named as in the catalog where that knows it.
fn take_over(call: &mut Call, receipt: &Receipt) {
    call.cost = receipt.cost;
    if let Some(price) = &receipt.price {
        call.provider = Some(price.provider.as_str().into());
    } else if let Some(asked) = &receipt.asked {
        let named = asked
            .provider
            .as_deref()
            .filter(|_| !asked.provider_guessed);
        call.provider = named.map(Into::into);
    }
}

/// What becomes of one trace.
#[derive(Default)]
struct Change {
    /// Calls as they were and as they become; verdicts stay.
    calls: Vec<(CallRow, CallRow)>,
    /// The prices decide which span gives the usage, and that has changed: the trace is to be settled again.
    again: bool,
}

impl Store {
    /// Begins to price a range again, or goes on with the same work that has not ended. Nothing is priced yet.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin_repricing(
        &self,
        work: &Repricing<'_>,
        now_us: i64,
    ) -> Result<RepricingState, StoreError> {
        dispatch!(self, begin_repricing(work, now_us))
    }

    /// Prices some traces again, or finds that nothing is left. Spans land and traces settle meanwhile; a trace for which
    /// prices decide what is settled is marked and settled by whoever settles.
    ///
    /// # Errors
    /// When the database cannot be written; the same step may be tried again.
    pub async fn reprice(
        &self,
        work: &Repricing<'_>,
        state: RepricingState,
        now_us: i64,
    ) -> Result<RepricingState, StoreError> {
        dispatch!(self, reprice(work, state, self.keep.horizon_us, now_us))
    }
}

/// Prices traces of one lane again in a session that nobody else settles in, and notes that this is done.
pub(crate) async fn step<S: Session>(
    mut session: S,
    work: &Repricing<'_>,
    traces: &[TraceId],
    mut state: RepricingState,
    horizon_us: i64,
    now_us: i64,
) -> Result<RepricingState, StoreError> {
    let key = |&trace_id: &TraceId| TraceKey {
        project: work.project,
        trace_id,
    };
    let keys: Vec<TraceKey> = traces.iter().map(key).collect();
    // On SQLite the transaction of the only writer begins here.
    session.lock(&BTreeSet::new()).await?;
    let dropped = session.dropped_before().await?;
    let horizon = Horizon {
        length_us: horizon_us,
        dropped,
    };
    let landed = session.landed(&keys).await?;
    let traces = session.traces(&keys).await?;
    let days = dropped.kept(days(&landed, &traces));
    let mut calls = session.calls(&keys, days).await?;
    let claims: Vec<ClaimRow> = calls
        .iter()
        .flat_map(|call| ClaimRow::of(call, 0))
        .collect();
    if !S::LOCKS_LATE && !claims.is_empty() {
        // Elections held from other lanes may change them until the locks are ours.
        session.lock(&election::lanes(claims.iter())).await?;
        calls = session.calls(&keys, days).await?;
    }

    let mut writes = Writes::default();
    let mut rewritten = Vec::new();
    let mut again = Vec::new();
    for known in gather(&keys, landed, traces, calls) {
        let key = known.key;
        let starts = known.calls.iter().map(|call| call.start_us);
        state.seen += starts.filter(|start_us| work.concerns(*start_us)).count() as u64;
        let change = work.change(known, horizon, &mut rewritten);
        if change.again {
            again.push(key);
        }
        state.changed += change.calls.len() as u64;
        for (before, after) in change.calls {
            writes.replace(&before, after);
        }
    }
    writes.settle_replaced();
    let changes = writes.deltas.by_series();
    session.write(&mut writes).await?;
    correction::note(&mut session, &changes).await?;
    session.rewrite_landed(&rewritten).await?;
    session.mark(&again, now_us).await?;
    session.note_repricing(&state).await?;
    session.commit().await?;
    Ok(state)
}

impl Repricing<'_> {
    /// Prices a trace again: what has landed of it, and its calls as that says or, where it has been dropped, as they stand.
    fn change(
        &self,
        mut known: Known,
        horizon: Horizon,
        rewritten: &mut Vec<LandingRow>,
    ) -> Change {
        let stored = known.calls.clone();
        let first_changed = rewritten.len();
        for row in &mut known.landed {
            if self.change_landed(row) {
                rewritten.push(row.clone());
            }
        }
        let has_landed = rewritten.len() > first_changed;
        for call in &mut known.calls {
            self.change_call(call);
        }
        let by_key = |calls: Vec<CallRow>| -> HashMap<CallKey, CallRow> {
            calls.into_iter().map(|call| (call.key, call)).collect()
        };
        let mut alone = by_key(known.calls.clone());
        let mut settled = if has_landed {
            by_key(outcome(&mut known, horizon).calls)
        } else {
            HashMap::new()
        };
        let mut change = Change::default();
        for before in stored {
            let own = alone.remove(&before.key);
            let from_landing = settled.remove(&before.key);
            let is_same = |call: &CallRow| {
                (&call.claims, call.local, call.receipt.usage)
                    == (&before.claims, before.local, before.receipt.usage)
            };
            change.again |= has_landed && !from_landing.as_ref().is_some_and(is_same);
            let Some(mut after) = from_landing.filter(is_same).or(own) else {
                continue;
            };
            let (response, usage, possible_duplicate) = before.verdict();
            after.set_verdict(response, usage, possible_duplicate);
            if after != before {
                change.calls.push((before, after));
            }
        }
        change.again |= !settled.is_empty();
        change
    }
}

/// The first traces of two sorted lists, each of which ended at the limit or knows all.
pub(crate) fn first_of(some: Vec<TraceId>, others: Vec<TraceId>) -> Vec<TraceId> {
    let end = |list: &[TraceId]| {
        (list.len() as i64 >= TRACES)
            .then(|| list.last().copied())
            .flatten()
    };
    let end = [end(&some), end(&others)].into_iter().flatten().min();
    let all: BTreeSet<TraceId> = some.into_iter().chain(others).collect();
    all.into_iter()
        .filter(|trace| end.is_none_or(|end| *trace <= end))
        .collect()
}

/// The row of a repricing that goes on.
pub(crate) fn resumed(
    (id, lane, trace, seen, changed): (i64, i16, Vec<u8>, i64, i64),
) -> Result<RepricingState, StoreError> {
    let after = (!trace.is_empty()).then(|| crate::landing::trace_id(&trace));
    Ok(RepricingState {
        id,
        lane,
        after: after.transpose()?,
        seen: seen.cast_unsigned(),
        changed: changed.cast_unsigned(),
        is_done: false,
    })
}

/// Who counts and by which snapshot, as a repricing is found again by.
pub(crate) fn terms(catalog: &Catalog) -> (CatalogId, i16) {
    (catalog.id(), catalog.counted() as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_lists_only_what_both_know_is_taken() {
        let ids =
            |numbers: std::ops::Range<u8>| numbers.map(|n| TraceId([n; 16])).collect::<Vec<_>>();
        assert_eq!(first_of(ids(1..4), ids(2..6)), ids(1..6));
        assert_eq!(first_of(ids(0..100), ids(50..120)), ids(0..100));
        assert_eq!(first_of(ids(0..100), ids(0..100)), ids(0..100));
        assert_eq!(first_of(Vec::new(), Vec::new()), Vec::new());
    }
}
