//! Everything settled as sorted lines, for tests that compare whole databases.

use crate::{LANES, StoreError, TIERS, snapshot::Snapshot, verify::merge};

/// Dumps calls, traces, claims and rollups. Receive times and commit cursors are left out, since they
/// tell how spans arrived.
pub(crate) async fn dump<S: Snapshot>(snapshot: &mut S) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    for (project, day) in snapshot.days().await? {
        for lane in 0..LANES {
            for call in snapshot.calls_on(project, day, lane).await? {
                lines.push(format!("call {call:?} why {:?}", call.why()));
            }
        }
        for tier in TIERS {
            for (key, measures) in merge(snapshot.rollups_on(project, day, tier).await?) {
                lines.push(format!("rollup {tier} {key:?} {measures:?}"));
            }
        }
        for (key, measures) in merge(snapshot.dims_on(project, day).await?) {
            lines.push(format!("dim {key:?} {measures:?}"));
        }
    }
    for lane in 0..LANES {
        traces(snapshot, lane, &mut lines).await?;
        claims(snapshot, lane, &mut lines).await?;
    }
    lines.sort_unstable();
    Ok(lines)
}

async fn traces<S: Snapshot>(
    snapshot: &mut S,
    lane: i16,
    lines: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let traces = snapshot.stored_traces(lane, after).await?;
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

async fn claims<S: Snapshot>(
    snapshot: &mut S,
    lane: i16,
    lines: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let claims = snapshot.claims_after(lane, after).await?;
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
