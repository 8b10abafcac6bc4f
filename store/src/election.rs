//! The election across traces: which claims of others have to be read, and whose state changes.
//!
//! Claims are elected where they are written, under the locks of their identities: of two settlers
//! that bring the same identity at once, the later one sees the claims of the earlier.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use costflame_profile::{Claim, Identity, Rule, Verdict, elect, election::REACH_US};

use crate::{
    CallKey, StoreError, TraceKey,
    call_row::Instead,
    claim_row::{BY_RESPONSE, ClaimRow, INNER, LONGEST_US, OUTER},
    session::Session,
};

/// A stretch of claims by usage of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) project: i32,
    pub(crate) identity: Identity,
    pub(crate) sides: Vec<i16>,
    /// Claims that start from here …
    pub(crate) from_us: i64,
    /// … to here …
    pub(crate) to_us: i64,
    /// … and end here or later.
    pub(crate) ending_us: i64,
}

/// A cluster of claims by usage is not followed farther than this from the claims that are new.
const FARTHEST_US: i64 = 3_600_000_000;

/// What became of the claims of a call that can be lost: one by response id, one by usage or by session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallVerdict {
    pub(crate) lost_response: Option<Instead>,
    pub(crate) lost_usage: Option<Instead>,
    pub(crate) possible_duplicate: bool,
}

/// A verdict on one claim of a call of another trace that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) call: CallKey,
    pub(crate) start_us: i64,
    pub(crate) by_response: bool,
    pub(crate) lost: Option<Instead>,
    pub(crate) possible_duplicate: bool,
}

/// What an election decided.
#[derive(Default)]
pub(crate) struct Elected {
    /// Verdicts on the calls of the traces being settled; a call that is missing has nothing against it.
    pub(crate) own: HashMap<CallKey, CallVerdict>,
    /// Changes to calls of other traces.
    pub(crate) others: Vec<Change>,
}

/// Claims of one identity.
#[derive(Default)]
struct Group {
    /// Of the traces being settled, as they were.
    old: Vec<ClaimRow>,
    /// Of the traces being settled, as they become.
    new: Vec<ClaimRow>,
    /// Of other traces, as far as they matter.
    others: Vec<ClaimRow>,
}

type Groups = BTreeMap<(i32, Identity), Group>;

/// Elects every identity that `old` and `new` claims of the `batch` name.
pub(crate) async fn hold<S: Session>(
    session: &mut S,
    batch: &HashSet<TraceKey>,
    old: Vec<ClaimRow>,
    new: Vec<ClaimRow>,
) -> Result<Elected, StoreError> {
    let (mut responses, mut usages) = (Groups::new(), Groups::new());
    for (claims, is_new) in [(old, false), (new, true)] {
        for claim in claims {
            let groups = if claim.key.side == BY_RESPONSE {
                &mut responses
            } else {
                &mut usages
            };
            let group = groups
                .entry((claim.key.project, claim.key.identity))
                .or_default();
            if is_new {
                group.new.push(claim)
            } else {
                group.old.push(claim)
            }
        }
    }
    read_responses(session, batch, &mut responses).await?;
    read_usages(session, batch, &mut usages).await?;
    let mut elected = Elected::default();
    for group in responses.values().chain(usages.values()) {
        elected.decide(group);
    }
    Ok(elected)
}

/// Of other claims with a response id only the best one matters, unless the winner changes.
async fn read_responses<S: Session>(
    session: &mut S,
    batch: &HashSet<TraceKey>,
    groups: &mut Groups,
) -> Result<(), StoreError> {
    let wanted: Vec<(i32, Identity, i64)> = groups
        .iter()
        .map(|((project, identity), group)| (*project, *identity, group.old.len() as i64 + 1))
        .collect();
    let best = if wanted.is_empty() {
        Vec::new()
    } else {
        session.best_claims(&wanted).await?
    };
    put(groups, batch, best);
    let mut all = Vec::new();
    for (place, group) in groups.iter_mut() {
        group.others.sort_unstable_by_key(|claim| claim.key);
        group.others.truncate(1);
        let winner =
            |own: &[ClaimRow]| own.iter().chain(&group.others).map(|claim| claim.key).min();
        if !group.others.is_empty() && winner(&group.old) != winner(&group.new) {
            group.others.clear();
            all.push(*place);
        }
    }
    if !all.is_empty() {
        let claims = session.claims_of(&all).await?;
        put(groups, batch, claims);
    }
    Ok(())
}

/// Of other claims by usage those matter that are within reach, directly or through others.
async fn read_usages<S: Session>(
    session: &mut S,
    batch: &HashSet<TraceKey>,
    groups: &mut Groups,
) -> Result<(), StoreError> {
    let mut stretches: Vec<Stretch> = groups
        .iter()
        .map(|(place, group)| first_stretch(*place, group))
        .collect();
    while !stretches.is_empty() {
        for stretch in &stretches {
            if let Some(group) = groups.get_mut(&(stretch.project, stretch.identity)) {
                group.others.clear();
            }
        }
        let claims = session.claims_within(&stretches).await?;
        put(groups, batch, claims);
        stretches = stretches
            .into_iter()
            .filter_map(|stretch| {
                next_stretch(&stretch, groups.get(&(stretch.project, stretch.identity))?)
            })
            .collect();
    }
    Ok(())
}

fn put(groups: &mut Groups, batch: &HashSet<TraceKey>, claims: Vec<ClaimRow>) {
    for claim in claims {
        if batch.contains(&claim.key.call().trace) {
            continue;
        }
        if let Some(group) = groups.get_mut(&(claim.key.project, claim.key.identity)) {
            group.others.push(claim);
        }
    }
}

/// Where the first counterparts may be. Claims of one side alone cannot meet each other.
fn first_stretch((project, identity): (i32, Identity), group: &Group) -> Stretch {
    let own = || group.old.iter().chain(&group.new);
    let sides = match own().fold(0, |sides, claim| sides | claim.key.side) {
        OUTER => vec![INNER, OUTER | INNER],
        INNER => vec![OUTER, OUTER | INNER],
        _ => vec![OUTER, INNER, OUTER | INNER],
    };
    around(project, identity, sides, own())
}

fn around<'a>(
    project: i32,
    identity: Identity,
    sides: Vec<i16>,
    claims: impl Iterator<Item = &'a ClaimRow> + Clone,
) -> Stretch {
    let start = claims
        .clone()
        .map(|claim| claim.start_us)
        .min()
        .unwrap_or_default();
    let end = claims.map(|claim| claim.end_us).max().unwrap_or_default();
    let ending_us = start.saturating_sub(REACH_US);
    Stretch {
        project,
        identity,
        sides,
        from_us: ending_us.saturating_sub(LONGEST_US),
        to_us: end.saturating_add(REACH_US),
        ending_us,
    }
}

/// The larger stretch that what was found asks for, if any.
fn next_stretch(last: &Stretch, group: &Group) -> Option<Stretch> {
    if group.others.is_empty() {
        return None;
    }
    let own = group.old.iter().chain(&group.new);
    let limit = around(last.project, last.identity, Vec::new(), own.clone());
    let all = vec![OUTER, INNER, OUTER | INNER];
    let mut next = around(last.project, last.identity, all, own.chain(&group.others));
    next.from_us = next.from_us.max(limit.from_us.saturating_sub(FARTHEST_US));
    next.ending_us = next
        .ending_us
        .max(limit.ending_us.saturating_sub(FARTHEST_US));
    next.to_us = next.to_us.min(limit.to_us.saturating_add(FARTHEST_US));
    (next != *last).then_some(next)
}

impl Elected {
    fn decide(&mut self, group: &Group) {
        let after = verdicts(group.others.iter().chain(&group.new));
        for claim in &group.new {
            let call = claim.key.call();
            if let Some(verdict) = after.get(&call) {
                self.own.entry(call).or_default().take(verdict);
            }
        }
        if group.others.is_empty() {
            return;
        }
        let before = verdicts(group.others.iter().chain(&group.old));
        for claim in &group.others {
            let call = claim.key.call();
            let (was, is) = (before.get(&call), after.get(&call));
            if let Some(verdict) = is.filter(|_| was != is) {
                self.others.push(Change {
                    call,
                    start_us: claim.start_us,
                    by_response: claim.key.side == BY_RESPONSE,
                    lost: verdict.lost.map(|(_, trace, span)| (trace, span)),
                    possible_duplicate: verdict.possible_duplicate,
                });
            }
        }
    }
}

impl CallVerdict {
    fn take(&mut self, verdict: &Verdict) {
        match verdict.lost {
            Some((Rule::DetachedTwin | Rule::ToldByCalls, trace, span)) => {
                self.lost_usage = Some((trace, span));
            }
            Some((_, trace, span)) => self.lost_response = Some((trace, span)),
            None => {}
        }
        self.possible_duplicate |= verdict.possible_duplicate;
    }
}

/// Verdicts of one identity by call.
pub(crate) fn verdicts<'a>(
    claims: impl Iterator<Item = &'a ClaimRow>,
) -> HashMap<CallKey, Verdict> {
    let rows: Vec<&ClaimRow> = claims.collect();
    let Some(first) = rows.first() else {
        return HashMap::new();
    };
    let project = first.key.project;
    let claims: Vec<Claim> = rows.iter().map(|row| row.claim()).collect();
    let key = |verdict: &Verdict| CallKey {
        trace: TraceKey {
            project,
            trace_id: verdict.trace_id,
        },
        span_id: verdict.span_id,
    };
    elect(&claims)
        .into_iter()
        .map(|verdict| (key(&verdict), verdict))
        .collect()
}

/// The lanes of all identities, in the order in which they are locked.
pub(crate) fn lanes<'a>(claims: impl Iterator<Item = &'a ClaimRow>) -> BTreeSet<i16> {
    claims
        .map(|claim| crate::claim_row::identity_lane(&claim.key.identity))
        .collect()
}
