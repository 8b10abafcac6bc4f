//! Everything settled as sorted lines, for tests that compare whole databases.

use crate::{StoreError, TIERS, snapshot::Snapshot, verify::merge};

/// Dumps calls, traces, claims and rollups. Receive times and commit cursors are left out, since they
/// tell how spans arrived.
pub(crate) async fn dump<S: Snapshot>(snapshot: &mut S) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    for (project, day) in snapshot.days().await? {
        calls(snapshot, (project, day), &mut lines).await?;
        for tier in TIERS {
            for (key, measures) in merge(snapshot.rollups_on(project, day, tier).await?) {
                lines.push(format!("rollup {tier} {key:?} {measures:?}"));
            }
        }
        for (key, measures) in merge(snapshot.dims_on(project, day).await?) {
            lines.push(format!("dim {key:?} {measures:?}"));
        }
    }
    traces(snapshot, &mut lines).await?;
    claims(snapshot, &mut lines).await?;
    lines.sort_unstable();
    Ok(lines)
}

async fn calls<S: Snapshot>(
    snapshot: &mut S,
    (project, day): (i32, i32),
    lines: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let calls = snapshot.calls_on(project, day, after).await?;
        let Some(last) = calls.last() else {
            return Ok(());
        };
        after = Some(last.key);
        lines.extend(
            calls
                .iter()
                .map(|call| format!("call {call:?} why {:?}", call.why())),
        );
    }
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
