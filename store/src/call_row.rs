//! One row of `calls`: a fact, written once when its trace settles.

use std::sync::Arc;

use costflame_pricing::{Flag, Flags, Receipt, Usd};
use costflame_profile::{
    Attribution, Call, Claim, Identity, PathId, Rule, SettledCall, Signal, SpanId, SpanKind, Text,
    TraceId, Twin,
};
use serde::{Deserialize, Serialize};

use crate::{LandingRow, Sent, SeriesId, SeriesRow, TraceKey, clean::clean};

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Adjusted count, in thousandths, of what no sampler has thinned out.
pub const UNSAMPLED: u32 = 1000;

/// The UTC day of a time, in days since 1970.
#[must_use]
pub fn day_of(time_us: i64) -> i32 {
    i32::try_from(time_us.div_euclid(DAY_US)).expect("2^63 microseconds are fewer than 2^31 days")
}

/// A call of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// Its trace.
    pub trace: TraceKey,
    /// Its span.
    pub span_id: SpanId,
}

/// A call of the same project.
pub type Instead = (TraceId, SpanId);

/// What a call claims across traces; with the row itself it makes a [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnClaim {
    pub(crate) identity: Identity,
    pub(crate) standing: u8,
    pub(crate) twin: Option<Twin>,
}

/// A call, counted or not, with everything it is attributed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow {
    /// Project, trace and span.
    pub key: CallKey,
    /// Start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// End, microseconds since 1970 UTC.
    pub end_us: i64,
    /// The span failed.
    pub error: bool,
    /// Where its usage came from.
    pub signal: Signal,
    /// OTLP kind.
    pub span_kind: SpanKind,
    /// Adjusted count in thousandths: how many calls it stands for; [`UNSAMPLED`] = itself alone.
    pub weight_milli: u32,
    /// Operation, provider, models, response id, usage and cost.
    pub call: Call,
    /// How it came to its cost.
    pub receipt: Receipt,
    /// Fingerprints of what it sent.
    pub sent: Sent,
    /// `service.name`; empty if none.
    pub service: Text,
    /// Instrumentation scope, `name@version`.
    pub emitter: Text,
    /// Its own values and the inherited ones.
    pub attribution: Arc<Attribution>,
    /// Its call path.
    pub path: PathId,
    /// Its series.
    pub series: SeriesId,
    /// All flags: of the receipt, of settling and of the election.
    pub flags: Flags,
    /// Came after its trace was sealed.
    pub late: bool,
    /// Why it does not count within its trace, and the span that stands for it.
    pub(crate) local: Option<(Rule, SpanId)>,
    pub(crate) lost_response: Option<Instead>,
    pub(crate) lost_usage: Option<Instead>,
    pub(crate) claims: Vec<OwnClaim>,
}

impl CallRow {
    /// The row of a settled call: `place` gives place, times and status, `source` the usage.
    pub(crate) fn settled(
        place: &LandingRow,
        source: &LandingRow,
        settled: &SettledCall,
    ) -> Option<Self> {
        let span = &place.span;
        let mut call = source.span.call.clone()?;
        for text in [
            &mut call.operation,
            &mut call.provider,
            &mut call.request_model,
            &mut call.response_model,
            &mut call.response_id,
        ] {
            *text = text.take().map(clean);
        }
        let receipt = source.receipt.clone().unwrap_or_else(|| Receipt {
            usage: call.usage,
            cost: call.cost,
            ..Receipt::default()
        });
        (call.usage, call.cost) = (receipt.usage, receipt.cost);
        let mut row = Self {
            key: CallKey {
                trace: place.trace(),
                span_id: span.span_id,
            },
            start_us: span.start_us,
            end_us: span.end_us,
            error: span.error,
            signal: source.span.signal,
            span_kind: span.span_kind,
            weight_milli: settled.weight_milli,
            call,
            flags: receipt.flags.union(settled.flags),
            receipt,
            // Of two signals of one call often only one has the content.
            sent: match source.sent.request {
                Some(_) => source.sent,
                None => place.sent,
            },
            service: clean(span.service.clone()),
            emitter: clean(span.emitter.clone()),
            attribution: clean_attribution(&settled.attribution),
            path: settled.path,
            series: SeriesId([0; 16]),
            late: false,
            local: settled
                .excluded
                .map(|excluded| (excluded.rule, excluded.by)),
            lost_response: None,
            lost_usage: None,
            claims: settled.claims.iter().map(own_claim).collect(),
        };
        row.series = SeriesRow::of(&row).id(row.key.trace.project);
        Some(row)
    }

    /// What the calls it stands for cost beyond its own cost, see [`unseen_cost`].
    #[must_use]
    pub fn unseen_cost(&self) -> Option<Usd> {
        unseen_cost(self.call.cost, self.weight_milli)
    }

    /// The UTC day it starts.
    #[must_use]
    pub fn start_day(&self) -> i32 {
        day_of(self.start_us)
    }

    /// Why it does not count, and the call that counts in its stead; `None` = it counts.
    #[must_use]
    pub fn why(&self) -> Option<(Rule, Instead)> {
        let by_usage = match self.signal {
            Signal::Metric => Rule::ToldByCalls,
            Signal::Span | Signal::Log => Rule::DetachedTwin,
        };
        let elsewhere = |rule, instead: Option<Instead>| instead.map(|call| (rule, call));
        let local = self
            .local
            .map(|(rule, span)| (rule, (self.key.trace.trace_id, span)));
        local
            .or_else(|| elsewhere(Rule::SameResponseElsewhere, self.lost_response))
            .or_else(|| elsewhere(by_usage, self.lost_usage))
    }

    /// Its claims as the election reads them.
    pub(crate) fn full_claims(&self) -> impl Iterator<Item = Claim> {
        self.claims.iter().map(|own| Claim {
            identity: own.identity,
            trace_id: self.key.trace.trace_id,
            span_id: self.key.span_id,
            start_us: self.start_us,
            end_us: self.end_us,
            standing: own.standing,
            twin: own.twin.clone(),
        })
    }

    /// Takes over what an election decided.
    pub(crate) fn set_verdict(
        &mut self,
        response: Option<Instead>,
        usage: Option<Instead>,
        possible_duplicate: bool,
    ) {
        self.lost_response = response;
        self.lost_usage = usage;
        self.flags.0 &= !(1 << Flag::PossibleDuplicate as u32);
        if possible_duplicate {
            self.flags.insert(Flag::PossibleDuplicate);
        }
    }

    /// What an election decided.
    pub(crate) fn verdict(&self) -> (Option<Instead>, Option<Instead>, bool) {
        (
            self.lost_response,
            self.lost_usage,
            self.flags.contains(Flag::PossibleDuplicate),
        )
    }
}

/// A cost times an adjusted count of at least [`UNSAMPLED`] thousandths, rounded half to even, cut to what fits.
fn estimate(cost: Usd, weight_milli: u32) -> Usd {
    let product = i128::from(cost.0) * i128::from(weight_milli);
    let (whole, rest) = (product.div_euclid(1000), product.rem_euclid(1000));
    let up = rest > 500 || (rest == 500 && whole % 2 != 0);
    let rounded = whole + i128::from(up);
    let cut = rounded.clamp(i64::MIN.into(), i64::MAX.into());
    Usd(i64::try_from(cut).expect("it was cut to that"))
}

/// What a call with this adjusted count stands for beyond its own cost: nothing where that is unknown; `None` for a call that
/// stands for itself alone.
///
/// `cost × weight` is rounded half to even once and cut to what a [`Usd`] holds.
#[must_use]
pub fn unseen_cost(cost: Option<Usd>, weight_milli: u32) -> Option<Usd> {
    let cost = cost.unwrap_or_default();
    (weight_milli != UNSAMPLED).then(|| Usd(estimate(cost, weight_milli).0 - cost.0))
}

fn own_claim(claim: &Claim) -> OwnClaim {
    OwnClaim {
        identity: claim.identity,
        standing: claim.standing,
        twin: claim.twin.clone(),
    }
}

fn clean_attribution(attribution: &Arc<Attribution>) -> Arc<Attribution> {
    let has_nul = |text: &Text| text.as_bytes().contains(&0);
    let Attribution {
        environment,
        feature,
        user,
        session,
        agent,
        tool,
        prompt,
        prompt_version,
        tags,
    } = &**attribution;
    let single = [
        environment,
        feature,
        user,
        session,
        agent,
        tool,
        prompt,
        prompt_version,
    ];
    let in_tags = tags.iter().flat_map(|(key, value)| [key, value]);
    if !single.into_iter().flatten().chain(in_tags).any(has_nul) {
        return Arc::clone(attribution);
    }
    let one = |text: &Option<Text>| text.clone().map(clean);
    let mut tags: Vec<(Text, Text)> = tags
        .iter()
        .map(|(key, value)| (clean(key.clone()), clean(value.clone())))
        .collect();
    tags.sort();
    tags.dedup_by(|later, earlier| later.0 == earlier.0);
    Arc::new(Attribution {
        environment: one(environment),
        feature: one(feature),
        user: one(user),
        session: one(session),
        agent: one(agent),
        tool: one(tool),
        prompt: one(prompt),
        prompt_version: one(prompt_version),
        tags,
    })
}
