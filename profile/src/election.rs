//! Which of the claims to one identity counts, decided from the claims alone.

use std::{cmp::Reverse, collections::HashSet};

use crate::{
    Claim, Identity, Rule, SpanId, TraceId, Twin,
    pairs::{PAIRS, Pair, SUM},
    usage_match::{repeats, same},
};

/// Claims by usage farther apart than this never meet: a bucket may be elected in parts that lie
/// farther apart, with the same verdicts.
pub const REACH_US: i64 = 10_000_000;

/// What became of one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The claim: its identity, trace and span.
    pub identity: Identity,
    /// See `identity`.
    pub trace_id: TraceId,
    /// See `identity`.
    pub span_id: SpanId,
    /// Why the call does not count, and the call that stands for it; `None` = nothing against it here.
    pub lost: Option<(Rule, TraceId, SpanId)>,
    /// May be the same call as another one, and nothing says it is not; both count.
    pub possible_duplicate: bool,
}

/// Decides claims, of one identity or of many; the verdicts are ordered by (identity, trace, span).
///
/// A pure function of the set of claims: neither their order nor repetitions matter. A call with two claims is
/// out as soon as one of its verdicts says so, and is a possible duplicate as soon as one says that.
/// Of the calls that are one call exactly one stays: by response id the rest yield to a single
/// winner, by usage the outer emitter of a pair always yields to the inner one.
#[must_use]
pub fn elect(claims: &[Claim]) -> Vec<Verdict> {
    let mut claims: Vec<&Claim> = claims.iter().collect();
    claims.sort_unstable_by_key(|claim| (claim.identity, claim.trace_id, claim.span_id));
    claims.dedup_by_key(|claim| (claim.identity, claim.trace_id, claim.span_id));
    let mut verdicts: Vec<Verdict> = claims
        .iter()
        .map(|claim| Verdict {
            identity: claim.identity,
            trace_id: claim.trace_id,
            span_id: claim.span_id,
            lost: None,
            possible_duplicate: false,
        })
        .collect();
    let mut done = 0;
    for same in claims.chunk_by(|a, b| a.identity == b.identity) {
        let verdicts = &mut verdicts[done..done + same.len()];
        by_response(same, verdicts);
        by_usage(same, verdicts);
        done += same.len();
    }
    verdicts
}

/// One response id, one call: the best standing, then the smallest ids.
fn by_response(claims: &[&Claim], verdicts: &mut [Verdict]) {
    let rank = |claim: &Claim| {
        (
            claim.standing,
            Reverse(claim.trace_id),
            Reverse(claim.span_id),
        )
    };
    let candidates = claims.iter().filter(|claim| claim.twin.is_none());
    let Some(winner) = candidates.max_by_key(|claim| rank(claim)) else {
        return;
    };
    for (claim, verdict) in claims.iter().zip(verdicts) {
        if claim.twin.is_none() && rank(claim) != rank(winner) {
            verdict.lost = Some((Rule::SameResponseElsewhere, winner.trace_id, winner.span_id));
        }
    }
}

/// One claim by usage and where its verdict is.
struct Candidate<'a> {
    claim: &'a Claim,
    twin: &'a Twin,
    place: usize,
}

/// Matches outer and inner claims of every listed pair one to one in start order, so that k equal
/// calls seen by two emitters stay k calls.
fn by_usage(claims: &[&Claim], verdicts: &mut [Verdict]) {
    let mut candidates: Vec<Candidate> = claims
        .iter()
        .enumerate()
        .filter_map(|(place, claim)| {
            Some(Candidate {
                claim,
                twin: claim.twin.as_ref()?,
                place,
            })
        })
        .collect();
    if candidates.len() < 2 {
        return;
    }
    candidates.sort_unstable_by_key(|Candidate { claim, .. }| {
        (claim.start_us, claim.end_us, claim.trace_id, claim.span_id)
    });
    sums(&candidates, verdicts);
    let mut left = Vec::new();
    for pair in &PAIRS {
        let side = |is: fn(&Pair, &str) -> bool| -> Vec<&Candidate> {
            candidates
                .iter()
                .filter(|candidate| is(pair, &candidate.twin.scope))
                .collect()
        };
        let (mut outer, mut inner) = (side(Pair::is_outer), side(Pair::is_inner));
        if outer.is_empty() || inner.is_empty() {
            continue;
        }
        leave_to_response_ids(&mut outer, &mut inner);
        if outer.is_empty() {
            continue;
        }
        for (left_out, stands) in matches(pair, &mut outer, &mut inner, Likeness::Same) {
            let lost = (
                Rule::DetachedTwin,
                stands.claim.trace_id,
                stands.claim.span_id,
            );
            verdicts[left_out.place].lost.get_or_insert(lost);
        }
        left.push((pair, outer, inner));
    }
    for (pair, mut outer, mut inner) in left {
        outer.retain(|candidate| verdicts[candidate.place].lost.is_none());
        inner.retain(|candidate| verdicts[candidate.place].lost.is_none());
        for (one, other) in matches(pair, &mut outer, &mut inner, Likeness::Doubtful) {
            verdicts[one.place].possible_duplicate = true;
            verdicts[other.place].possible_duplicate = true;
        }
    }
}

/// A metric's sum does not count where a call of its session, by a model that may be the same, ended while it was summed.
fn sums(candidates: &[Candidate], verdicts: &mut [Verdict]) {
    let mut told: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| candidate.twin.only_tells())
        .collect();
    told.sort_by_key(|candidate| candidate.claim.end_us);
    let summed = candidates
        .iter()
        .filter(|candidate| candidate.twin.scope.starts_with(SUM));
    for sum in summed {
        let from = sum.claim.start_us.saturating_sub(REACH_US);
        let until = sum.claim.end_us.saturating_add(REACH_US);
        let first = told.partition_point(|call| call.claim.end_us < from);
        let call = told[first..]
            .iter()
            .take_while(|call| call.claim.end_us <= until)
            .find(|call| model(sum.twin, call.twin) != Some(false));
        if let Some(call) = call {
            let lost = (Rule::ToldByCalls, call.claim.trace_id, call.claim.span_id);
            verdicts[sum.place].lost.get_or_insert(lost);
        }
    }
}

/// Whether the models of two claims agree; `None` = one is not known.
fn model(a: &Twin, b: &Twin) -> Option<bool> {
    let known = |twin: &Twin| twin.models.into_iter().filter(|model| *model != 0);
    known(a).next().zip(known(b).next())?;
    Some(known(a).any(|mine| known(b).any(|theirs| mine == theirs)))
}

/// An outer span with a response id is joined by that, and so never loses here to a call that it may win against there. The
/// inner spans it is joined to stand for no other; those with one id are one call and stand for one outer span.
fn leave_to_response_ids(outer: &mut Vec<&Candidate>, inner: &mut Vec<&Candidate>) {
    let mut joined: HashSet<u64> = outer
        .iter()
        .filter_map(|candidate| candidate.twin.response)
        .collect();
    outer.retain(|candidate| candidate.twin.response.is_none());
    inner.retain(|candidate| candidate.twin.response.is_none_or(|id| joined.insert(id)));
}

/// Takes every outer claim in start order together with the first inner one that is as alike as asked.
fn matches<'a>(
    pair: &Pair,
    outer: &mut Vec<&'a Candidate<'a>>,
    inner: &mut Vec<&'a Candidate<'a>>,
    wanted: Likeness,
) -> Vec<(&'a Candidate<'a>, &'a Candidate<'a>)> {
    let mut found = Vec::new();
    let mut free = Free((0..=inner.len()).collect());
    // Inner claims before this one ended too early for every outer claim to come.
    let mut first = 0;
    outer.retain(|out| {
        while first < inner.len() && ended_before(pair, inner[first], out) {
            first += 1;
        }
        let latest = out.claim.end_us.saturating_add(pair.gap_us);
        let mut at = free.from(first);
        while at < inner.len() && inner[at].claim.start_us <= latest {
            if !ended_before(pair, inner[at], out) && likeness(pair, out, inner[at]) == wanted {
                free.take(at);
                found.push((*out, inner[at]));
                return false;
            }
            at = free.from(at + 1);
        }
        true
    });
    let mut place = 0..;
    inner.retain(|_| place.next().is_some_and(|place| free.0[place] == place));
    found
}

/// Which places are free: each entry leads to the next free place at or after its own.
struct Free(Vec<usize>);

impl Free {
    fn take(&mut self, place: usize) {
        self.0[place] = place + 1;
    }

    fn from(&mut self, place: usize) -> usize {
        let mut at = place;
        while self.0[at] != at {
            at = self.0[at];
        }
        // What was walked now leads straight to the end of the walk.
        let mut walked = place;
        while walked != at {
            walked = std::mem::replace(&mut self.0[walked], at);
        }
        at
    }
}

fn ended_before(pair: &Pair, inner: &Candidate, outer: &Candidate) -> bool {
    inner.claim.end_us.saturating_add(pair.gap_us) < outer.claim.start_us
}

/// How sure it is that two spans are one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    /// Everything asked for is known and agrees.
    Same,
    /// Nothing contradicts, but something is not known.
    Doubtful,
    /// Two calls.
    Different,
}

fn likeness(pair: &Pair, outer: &Candidate, inner: &Candidate) -> Likeness {
    let (a, b) = (outer.twin, inner.twin);
    let lacks_parts =
        || pair.session && (repeats(&a.usage, &b.usage) || repeats(&b.usage, &a.usage));
    if !same(&a.usage, &b.usage) && !lacks_parts() {
        return Likeness::Different;
    }
    let model = model(a, b);
    let operation = a
        .operation
        .zip(b.operation)
        .map(|(mine, theirs)| mine == theirs);
    let linked = outer.claim.trace_id == inner.claim.trace_id
        || a.links.contains(&inner.claim.trace_id)
        || b.links.contains(&outer.claim.trace_id);
    let process = (linked || (a.process_known && b.process_known)).then_some(true);
    // What a log record or its span leaves out of a call of one session contradicts nothing.
    let silence = pair.session.then_some(true);
    match [model.or(silence), operation.or(silence), process] {
        [Some(true), Some(true), Some(true)] => Likeness::Same,
        known if known.contains(&Some(false)) => Likeness::Different,
        _ => Likeness::Doubtful,
    }
}
