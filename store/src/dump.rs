//! Everything settled as sorted lines, for tests that compare whole databases.

use crate::{
    CallRow, StoreError, TIERS,
    delta::{DimTable, LONGEST_TIER, first_days},
    snapshot::Snapshot,
    verify::{count_up, merge},
};

/// Dumps calls, traces, claims and rollups. Receive times and commit cursors are left out, since they
/// tell how spans arrived.
pub(crate) async fn dump<S: Snapshot>(snapshot: &mut S) -> Result<Vec<String>, StoreError> {
    let calls = all_calls(snapshot).await?;
    let mut lines: Vec<String> = calls
        .iter()
        .map(|call| format!("call {call:?} why {:?}", call.why()))
        .collect();
    let days = snapshot.days().await?;
    for (project, day) in first_days(&days) {
        let longest = snapshot.rollups_on(project, day, LONGEST_TIER).await?;
        for (key, measures) in merge(longest) {
            lines.push(format!("rollup {LONGEST_TIER} {key:?} {measures:?}"));
        }
    }
    for (project, day) in days {
        for tier in TIERS.into_iter().filter(|tier| *tier < LONGEST_TIER) {
            for (key, measures) in merge(snapshot.rollups_on(project, day, tier).await?) {
                lines.push(format!("rollup {tier} {key:?} {measures:?}"));
            }
        }
        for table in DimTable::ALL {
            for (key, measures) in merge(snapshot.dims_on(project, day, table).await?) {
                lines.push(format!("{table:?} {key:?} {measures:?}"));
            }
        }
    }
    for tier in TIERS {
        for (key, count) in count_up(snapshot.trace_counts(tier).await?) {
            lines.push(format!("traces {tier} {key:?} {count}"));
        }
    }
    traces(snapshot, &mut lines).await?;
    claims(snapshot, &mut lines).await?;
    lines.sort_unstable();
    Ok(lines)
}

/// Every call.
pub(crate) async fn all_calls<S: Snapshot>(snapshot: &mut S) -> Result<Vec<CallRow>, StoreError> {
    let mut calls = Vec::new();
    for (project, day) in snapshot.days().await? {
        let mut after = None;
        loop {
            let page = snapshot.calls_on(project, day, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            calls.extend(page);
        }
    }
    Ok(calls)
}

async fn traces<S: Snapshot>(snapshot: &mut S, lines: &mut Vec<String>) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let traces = snapshot.stored_traces(after).await?;
        let Some(last) = traces.last() else {
            return Ok(());
        };
        after = Some(last.key);
        for mut trace in traces {
            (trace.first_received_us, trace.last_received_us) = (0, 0);
            lines.push(format!("trace {trace:?}"));
        }
    }
}

async fn claims<S: Snapshot>(snapshot: &mut S, lines: &mut Vec<String>) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let claims = snapshot.claims_after(after).await?;
        let Some(last) = claims.last() else {
            return Ok(());
        };
        after = Some(last.key);
        for mut claim in claims {
            claim.landed_day = 0;
            lines.push(format!("claim {claim:?}"));
        }
    }
}
