//! Recomputes everything from its source and reports what differs.
//!
//! Calls and traces from landed spans where these are still there, claims and totals from calls,
//! verdicts from claims, rollups of every tier from calls. Traces with a mark are not settled yet
//! and are left out where landing is the source.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Debug,
};

use costflame_profile::{Identity, Twin};

use crate::{
    CallKey, CallRow, ClassSet, LandingRow, Measures, StoreError, TIERS, TraceKey, TraceTotals,
    call_row::{DAY_US, day_of},
    claim_row::{BY_RESPONSE, ClaimRow},
    delta::{
        DimKey, DimTable, ESTIMATES_SINCE_DAY, LONGEST_TIER, PathKey, VALUES_SINCE_DAY, first_days,
        trace_bucket,
    },
    election,
    outcome::{Horizon, outcome},
    retention::DroppedBefore,
    settle::{days, gather},
    snapshot::Snapshot,
};

/// Differences listed; more are only counted.
const LISTED: usize = 1000;

/// One stored row that is not what its sources say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Which row.
    pub key: String,
    /// What is stored.
    pub stored: String,
    /// What it should be.
    pub computed: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The first differences, at most a thousand.
    pub differences: Vec<Difference>,
    /// All differences.
    pub count: u64,
    /// Traces recomputed from landed spans.
    pub traces: u64,
    /// Calls whose rollups were recomputed.
    pub calls: u64,
    /// Claims elected again.
    pub claims: u64,
    /// Traces left out, since they are waiting to be settled.
    pub pending: u64,
}

impl Verified {
    fn compare<T: Debug + PartialEq>(
        &mut self,
        table: &'static str,
        key: impl Debug,
        stored: &T,
        computed: &T,
    ) {
        if stored == computed {
            return;
        }
        self.count += 1;
        if self.differences.len() < LISTED {
            self.differences.push(Difference {
                table,
                key: format!("{key:?}"),
                stored: format!("{stored:?}"),
                computed: format!("{computed:?}"),
            });
        }
    }
}

/// Checks the whole database.
pub(crate) async fn verify<S: Snapshot>(
    snapshot: &mut S,
    horizon_us: i64,
) -> Result<Verified, StoreError> {
    let mut found = Verified::default();
    let horizon = Horizon {
        length_us: horizon_us,
        dropped: snapshot.dropped_before().await?,
    };
    let since = Since {
        values_day: snapshot.complete_since(VALUES_SINCE_DAY).await?,
        estimates_day: snapshot.complete_since(ESTIMATES_SINCE_DAY).await?,
        calls_day: horizon.dropped.calls_day,
    };
    check_landed(snapshot, horizon, since, &mut found).await?;
    let expected = check_traces(snapshot, horizon.dropped, since, &mut found).await?;
    let unsampled = snapshot.unsampled(since.day()).await?;
    found.compare("sampled_calls", "rows", &unsampled, &0);
    let wide = snapshot.wide().await?;
    let claims = check_claims(snapshot, horizon.dropped.claims_day, &mut found).await?;
    found.compare("claims", "rows", &claims, &expected);
    for call in snapshot.contradictory_calls().await? {
        found.compare("calls", call.key, &"counted against its elections", &"not");
    }
    // Rollups of days whose calls have been dropped are sealed.
    let mut days = snapshot.days().await?;
    days.retain(|(_, day)| *day >= horizon.dropped.calls_day);
    let mut longest: BTreeMap<PathKey, Measures> = BTreeMap::new();
    for (project, day) in &days {
        check_day(
            snapshot,
            (*project, *day),
            &mut longest,
            &mut found,
            (since, &wide),
        )
        .await?;
    }
    let whole = |day: &i32| *day >= horizon.dropped.calls_day;
    for (project, day) in first_days(&days).into_iter().filter(|(_, day)| whole(day)) {
        let stored = merge(snapshot.rollups_on(project, day, LONGEST_TIER).await?);
        let bucket_us = i64::from(day) * DAY_US;
        let is_here = |key: &PathKey| (key.project, key.bucket_us) == (project, bucket_us);
        let computed = longest.extract_if(.., |key, _| is_here(key)).collect();
        since.compare_sums(&mut found, ("rollups", day), stored, computed);
    }
    Ok(found)
}

/// Calls and traces from landed spans.
async fn check_landed<S: Snapshot>(
    snapshot: &mut S,
    horizon: Horizon,
    since: Since,
    found: &mut Verified,
) -> Result<(), StoreError> {
    let dirty = snapshot.dirty_traces().await?;
    found.pending += dirty.len() as u64;
    let mut after = None;
    loop {
        let mut keys = snapshot.landed_traces(after).await?;
        let Some(last) = keys.last().copied() else {
            return Ok(());
        };
        after = Some(last);
        keys.retain(|key| !dirty.contains(key));
        let landed = snapshot.landed(&keys).await?;
        let traces = snapshot.traces(&keys).await?;
        let kept = horizon.dropped.kept(days(&landed, &traces));
        let calls = snapshot.calls(&keys, kept).await?;
        for mut known in gather(&keys, landed, traces, calls) {
            let is_sealed =
                |row: &LandingRow| day_of(row.span.start_us) < horizon.dropped.calls_day;
            if known.landed.iter().any(is_sealed) {
                continue;
            }
            let computed = outcome(&mut known, horizon);
            let verdicts: HashMap<CallKey, &CallRow> =
                known.calls.iter().map(|call| (call.key, call)).collect();
            let mut expected: BTreeMap<CallKey, CallRow> = BTreeMap::new();
            for mut call in computed.calls {
                if let Some(stored) = verdicts.get(&call.key) {
                    let (response, usage, doubt) = stored.verdict();
                    call.set_verdict(response, usage, doubt);
                    if call.start_day() < since.estimates_day {
                        call.weight_milli = stored.weight_milli;
                    }
                }
                expected.insert(call.key, call);
            }
            let stored: BTreeMap<CallKey, CallRow> = known
                .calls
                .iter()
                .map(|call| (call.key, call.clone()))
                .collect();
            compare_maps(found, "calls", &stored, &expected);
            let mut trace = computed.trace;
            if let Some(trace) = &mut trace {
                trace.totals = TraceTotals::of(&known.calls);
            }
            found.compare("traces", known.key, &known.trace, &trace);
            found.traces += 1;
        }
    }
}

fn compare_maps<K: Debug + Ord, V: Debug + PartialEq>(
    found: &mut Verified,
    table: &'static str,
    stored: &BTreeMap<K, V>,
    computed: &BTreeMap<K, V>,
) {
    for (key, value) in stored {
        found.compare(table, key, &Some(value), &computed.get(key));
    }
    for (key, value) in computed.iter().filter(|(key, _)| !stored.contains_key(key)) {
        found.compare(table, key, &None, &Some(value));
    }
}

/// Totals of traces from their calls; returns how many claims those calls should have.
async fn check_traces<S: Snapshot>(
    snapshot: &mut S,
    dropped: DroppedBefore,
    since: Since,
    found: &mut Verified,
) -> Result<u64, StoreError> {
    let mut claims = 0;
    let mut counts: BTreeMap<(i32, i64), i64> = BTreeMap::new();
    let mut after = None;
    loop {
        let traces = snapshot.stored_traces(after).await?;
        let Some(last) = traces.last() else {
            check_trace_counts(snapshot, &counts, since, found).await?;
            return Ok(claims);
        };
        for trace in traces.iter().filter(|trace| trace.totals.calls > 0) {
            let bucket = trace_bucket(trace.key.project, trace.start_us);
            *counts.entry(bucket).or_default() += 1;
        }
        after = Some(last.key);
        let keys: Vec<TraceKey> = traces.iter().map(|trace| trace.key).collect();
        let kept = dropped.kept(days(&[], &traces));
        let calls = snapshot.calls(&keys, kept).await?;
        let mut by_trace: HashMap<TraceKey, Vec<CallRow>> = HashMap::new();
        for call in calls {
            by_trace.entry(call.key.trace).or_default().push(call);
        }
        for trace in traces {
            let calls = by_trace.remove(&trace.key).unwrap_or_default();
            if day_of(trace.start_us) >= dropped.calls_day {
                found.compare("traces", trace.key, &trace.totals, &TraceTotals::of(&calls));
            }
            if trace.landed_day() >= dropped.claims_day {
                claims += calls
                    .iter()
                    .map(|call| call.claims.len() as u64)
                    .sum::<u64>();
            }
        }
    }
}

/// How many traces there are, bucket by bucket, as far back as all of them were counted.
async fn check_trace_counts<S: Snapshot>(
    snapshot: &mut S,
    counts: &BTreeMap<(i32, i64), i64>,
    since: Since,
    found: &mut Verified,
) -> Result<(), StoreError> {
    for tier in TIERS {
        let width = i64::from(tier) * 1_000_000;
        let is_whole = |(_, bucket_us): &(i32, i64)| day_of(*bucket_us) >= since.day();
        let mut stored = count_up(snapshot.trace_counts(tier).await?);
        let in_tier = |(&(project, bucket_us), &traces): (&(i32, i64), &i64)| {
            ((project, bucket_us.div_euclid(width) * width), traces)
        };
        let mut computed = count_up(counts.iter().map(in_tier).collect());
        stored.retain(|bucket, _| is_whole(bucket));
        computed.retain(|bucket, _| is_whole(bucket));
        compare_maps(found, "trace_rollups", &stored, &computed);
    }
    Ok(())
}

/// Adds up counts of one key; nothing is no row.
pub(crate) fn count_up(rows: Vec<((i32, i64), i64)>) -> BTreeMap<(i32, i64), i64> {
    let mut counts: BTreeMap<(i32, i64), i64> = BTreeMap::new();
    for (key, count) in rows {
        *counts.entry(key).or_default() += count;
    }
    counts.retain(|_, count| *count != 0);
    counts
}

/// Claims from their calls, and verdicts from claims; returns how many claims there are.
async fn check_claims<S: Snapshot>(
    snapshot: &mut S,
    claims_from: i32,
    found: &mut Verified,
) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut after = None;
    let mut group: Vec<ClaimRow> = Vec::new();
    loop {
        let claims = snapshot.claims_after(after).await?;
        after = claims.last().map(|claim| claim.key).or(after);
        let is_last = claims.is_empty();
        for claim in claims {
            count += u64::from(claim.landed_day >= claims_from);
            let same = |first: &ClaimRow| identity_of(first) == identity_of(&claim);
            if group.first().is_some_and(|first| !same(first)) {
                check_group(snapshot, &group, found).await?;
                group.clear();
            }
            group.push(claim);
        }
        if is_last {
            check_group(snapshot, &group, found).await?;
            return Ok(count);
        }
    }
}

fn identity_of(claim: &ClaimRow) -> (i32, Identity) {
    (claim.key.project, claim.key.identity)
}

/// All claims of one identity.
async fn check_group<S: Snapshot>(
    snapshot: &mut S,
    group: &[ClaimRow],
    found: &mut Verified,
) -> Result<(), StoreError> {
    let keys: Vec<(CallKey, i32)> = group
        .iter()
        .map(|claim| (claim.key.call(), day_of(claim.start_us)))
        .collect();
    let calls = snapshot.calls_at(&keys).await?;
    let calls: HashMap<CallKey, CallRow> = calls.into_iter().map(|call| (call.key, call)).collect();
    let there: HashSet<CallKey> = group.iter().map(|claim| claim.key.call()).collect();
    let verdicts = election::verdicts(group.iter());
    for claim in group {
        found.claims += 1;
        let key = claim.key.call();
        let owned = calls
            .get(&key)
            .and_then(|call| ClaimRow::of(call, claim.landed_day).find(|own| own.key == claim.key));
        found.compare("claims", claim.key, &Some(claim), &owned.as_ref());
        if claim.twin.as_ref().is_some_and(Twin::only_tells) {
            continue;
        }
        let (Some(call), Some(verdict)) = (calls.get(&key), verdicts.get(&key)) else {
            continue;
        };
        let stored = if claim.key.side == BY_RESPONSE {
            call.lost_response
        } else {
            call.lost_usage
        };
        let computed = verdict.lost.map(|(_, trace, span)| (trace, span));
        // The winner may be one whose claim has been dropped since.
        let winner = stored.map(|(trace_id, span_id)| CallKey {
            trace: TraceKey {
                trace_id,
                ..key.trace
            },
            span_id,
        });
        if winner.is_none_or(|winner| there.contains(&winner)) {
            found.compare("calls", claim.key, &stored, &computed);
        }
    }
    Ok(())
}

/// From which UTC days on something is complete.
#[derive(Clone, Copy, Debug)]
struct Since {
    /// What [`VALUES_SINCE_DAY`] names.
    values_day: i32,
    /// What [`ESTIMATES_SINCE_DAY`] names.
    estimates_day: i32,
    /// Calls.
    calls_day: i32,
}

impl Since {
    fn day(self) -> i32 {
        self.values_day.max(self.calls_day)
    }

    /// Compares sums of buckets that begin on a day: with estimates where these are complete.
    fn compare_sums<K: Debug + Ord>(
        self,
        found: &mut Verified,
        (table, day): (&'static str, i32),
        mut stored: BTreeMap<K, Measures>,
        mut computed: BTreeMap<K, Measures>,
    ) {
        if day < self.estimates_day {
            for sums in [&mut stored, &mut computed] {
                sums.values_mut().for_each(Measures::forget_unseen);
                sums.retain(|_, measures| !measures.is_zero());
            }
        }
        compare_maps(found, table, &stored, &computed);
    }
}

/// Rollups of one day from its calls, which are added to the longest buckets.
async fn check_day<S: Snapshot>(
    snapshot: &mut S,
    (project, day): (i32, i32),
    longest: &mut BTreeMap<PathKey, Measures>,
    found: &mut Verified,
    (since, wide): (Since, &HashSet<(i32, i32, String)>),
) -> Result<(), StoreError> {
    let mut paths: BTreeMap<PathKey, Measures> = BTreeMap::new();
    let mut dims: BTreeMap<DimKey, Measures> = BTreeMap::new();
    let mut series = HashSet::new();
    let mut classes = ClassSet::default();
    let mut after = None;
    loop {
        let calls = snapshot.calls_on(project, day, after).await?;
        let Some(last) = calls.last() else { break };
        after = Some(last.key);
        for call in calls {
            found.calls += 1;
            let stored = (call.call.cost, call.call.usage);
            found.compare(
                "calls",
                call.key,
                &stored,
                &(call.receipt.cost, call.receipt.usage),
            );
            let measures = Measures::of(&call);
            paths.entry(PathKey::of(&call)).or_default().add(&measures);
            series.insert(call.series.0);
            classes = classes.union(ClassSet::of(&call));
            for key in DimKey::of(&call) {
                dims.entry(key).or_default().add(&measures);
            }
        }
    }
    let path_ids: HashSet<[u8; 16]> = paths.keys().map(|key| key.path.0).collect();
    let path_ids: Vec<_> = path_ids.into_iter().collect();
    let series: Vec<_> = series.into_iter().collect();
    let missing = snapshot.missing(project, &path_ids, &series).await?;
    found.compare("paths and series", (project, day), &missing, &Vec::new());
    let known = snapshot.classes(project).await?;
    found.compare(
        "token classes",
        (project, day),
        &known.union(classes),
        &known,
    );
    for (key, measures) in &paths {
        let key = key.in_tier(LONGEST_TIER);
        longest.entry(key).or_default().add(measures);
    }
    for tier in TIERS.into_iter().filter(|tier| *tier < LONGEST_TIER) {
        let mut computed: BTreeMap<PathKey, Measures> = BTreeMap::new();
        for (key, measures) in &paths {
            computed.entry(key.in_tier(tier)).or_default().add(measures);
        }
        let stored = merge(snapshot.rollups_on(project, day, tier).await?);
        since.compare_sums(found, ("rollups", day), stored, computed);
    }
    for table in DimTable::ALL {
        if table != DimTable::Series && day < since.values_day {
            continue;
        }
        let is_kept = |key: &DimKey| {
            let is_wide = || wide.contains(&(project, day, key.dimension.to_string()));
            table.holds(&key.dimension) && !(table == DimTable::Paths && is_wide())
        };
        let mut stored = merge(snapshot.dims_on(project, day, table).await?);
        stored.retain(|key, _| is_kept(key));
        let mut computed: BTreeMap<DimKey, Measures> = BTreeMap::new();
        for (key, measures) in dims.iter().filter(|(key, _)| is_kept(key)) {
            let sum = computed.entry(key.within(table)).or_default();
            sum.add(measures);
        }
        since.compare_sums(found, (table.name(), day), stored, computed);
    }
    Ok(())
}

/// Adds up rows of one key; a sum of nothing is no row.
pub(crate) fn merge<K: Ord>(rows: Vec<(K, Measures)>) -> BTreeMap<K, Measures> {
    let mut merged: BTreeMap<K, Measures> = BTreeMap::new();
    for (key, measures) in rows {
        merged.entry(key).or_default().add(&measures);
    }
    merged.retain(|_, measures| !measures.is_zero());
    merged
}
