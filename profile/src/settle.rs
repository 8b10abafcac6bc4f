//! Spans of one trace in, calls at their paths out.

use std::sync::Arc;

use costflame_pricing::{Flag, Flags, Usage, UsdSum};

use crate::{
    Attribution, Call, Claim, FrameKind, PathId, PathRow, Role, Rule, Span, SpanId, Text,
    counting::{State, complete, count},
    identity::claims,
    order::{Forest, Parent, canonical},
    place::place,
};

/// What one trace came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled<R> {
    /// The latest version of every (span, signal), by (start, span id, signal). Rows of older versions are dropped.
    pub rows: Vec<R>,
    /// Every call and every aggregate with usage, by (start, span id) of its span.
    pub calls: Vec<SettledCall>,
    /// The paths of the calls and all paths above them, parents first, each once.
    pub paths: Vec<PathRow>,
    /// The trace as a whole.
    pub trace: TraceSummary,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledCall {
    /// Index in [`Settled::rows`] of the row that gives place, times and status.
    pub span: usize,
    /// Index of the row whose call, and so whose receipt, counts. Another one than `span` where a log
    /// record of the same span reports more token classes.
    pub source: usize,
    /// Its call path; the last frame is its model.
    pub path: PathId,
    /// Why it does not count within its trace; `None` = it counts.
    pub excluded: Option<Excluded>,
    /// Its own values and those of everything above it.
    pub attribution: Arc<Attribution>,
    /// Adjusted count in thousandths, its own or of the nearest span above that says one; 1000 if none does.
    pub weight_milli: u32,
    /// What a reader should know besides the flags of the receipt.
    pub flags: Flags,
    /// Its claims across traces. One that does not count can still be what a detached span repeats, but never loses.
    pub claims: Vec<Claim>,
}

impl SettledCall {
    /// True when the call counts as far as its own trace can tell.
    #[must_use]
    pub fn counted(&self) -> bool {
        self.excluded.is_none()
    }
}

/// Why a call does not count, and the span that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The rule that fired.
    pub rule: Rule,
    /// The span, in the same trace, that is the reason.
    pub by: SpanId,
}

/// A trace as listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSummary {
    /// The first root; without one the first span whose parent is missing.
    pub top: Option<SpanId>,
    /// True when `top` has no parent id, so the trace's root has ended and arrived.
    pub root_seen: bool,
    /// Service of `top`.
    pub service: Text,
    /// Kind of the frame of `top`.
    pub kind: FrameKind,
    /// Label of `top`.
    pub name: Text,
    /// Earliest start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// Latest end.
    pub end_us: i64,
    /// Spans, each id once.
    pub spans: u32,
    /// Spans that failed.
    pub errors: u32,
    /// Calls that count.
    pub calls: u32,
    /// Calls that count and failed.
    pub failed_calls: u32,
    /// Calls that count and have no cost.
    pub unpriced: u32,
    /// Calls that do not count.
    pub excluded: u32,
    /// Cost of the calls that count.
    pub cost: UsdSum,
    /// Cost of the calls that do not.
    pub excluded_cost: UsdSum,
    /// Usage of the calls that count.
    pub usage: Usage,
    /// Tokens of calls that count and have no cost.
    pub unpriced_tokens: u64,
}

/// Settles one trace.
///
/// `rows` are all landed versions of all its spans in any order; of one (span, signal) the
/// version largest by (end, attribute count, content hash) stays. The result is a function of the
/// set of rows. A span is never lost: below a missing parent, in a cycle and past the depth bound
/// it still has a path. n log n in the number of rows, without recursion.
pub fn settle<R: AsRef<Span>>(project: i32, rows: Vec<R>) -> Settled<R> {
    let rows = canonical(rows);
    let mut forest = Forest::of(&rows);
    let states = count(&rows, &forest);
    complete(&rows, &mut forest, &states);
    let mut places = place(project, &rows, &forest, &states);
    let calls: Vec<SettledCall> = states
        .iter()
        .zip(&mut places.by_node)
        .enumerate()
        .filter_map(|(number, (state, place))| {
            let place = place.take()?;
            let node = forest.nodes[number];
            let (span, source) = (rows[node.place].as_ref(), rows[node.source].as_ref());
            let excluded = match state {
                State::Out { rule, by } => Some(Excluded {
                    rule: *rule,
                    by: rows[forest.nodes[*by].place].as_ref().span_id,
                }),
                State::Counts | State::Plain => None,
            };
            let mut flags = Flags::default();
            if source.role == Role::Aggregate {
                flags.insert(Flag::Aggregate);
            }
            let claims = match (&source.call, excluded.map(|why| why.rule)) {
                (None, _) | (_, Some(Rule::Aggregate)) => Vec::new(),
                (Some(call), rule) => {
                    let session = place.attribution.session.as_deref();
                    claims(project, span, call, session, rule.is_none()).collect()
                }
            };
            Some(SettledCall {
                span: node.place,
                source: node.source,
                path: place.path,
                excluded,
                attribution: place.attribution,
                weight_milli: place.weight_milli,
                flags,
                claims,
            })
        })
        .collect();
    let trace = summary(&rows, &forest, &calls);
    Settled {
        rows,
        calls,
        paths: places.paths,
        trace,
    }
}

impl AsRef<Span> for Span {
    fn as_ref(&self) -> &Span {
        self
    }
}

impl<R: AsRef<Span>> Settled<R> {
    /// The span that gives a call its place, times and status.
    #[must_use]
    pub fn span(&self, call: &SettledCall) -> &Span {
        self.rows[call.span].as_ref()
    }

    /// What a call used and cost.
    #[must_use]
    pub fn call(&self, call: &SettledCall) -> Option<&Call> {
        self.rows[call.source].as_ref().call.as_ref()
    }
}

fn summary<R: AsRef<Span>>(rows: &[R], forest: &Forest, calls: &[SettledCall]) -> TraceSummary {
    let span = |node: usize| rows[forest.nodes[node].place].as_ref();
    let first = |kind: Parent| (0..forest.nodes.len()).find(|node| forest.parent[*node] == kind);
    let root = first(Parent::Root);
    let mut trace = TraceSummary {
        root_seen: root.is_some(),
        ..TraceSummary::default()
    };
    if let Some(top) = root.or_else(|| first(Parent::Missing)).map(span) {
        trace.top = Some(top.span_id);
        trace.service = Arc::clone(&top.service);
        trace.kind = top.kind;
        trace.name = Arc::clone(&top.label);
    }
    let spans = || (0..forest.nodes.len()).map(span);
    trace.start_us = spans().map(|span| span.start_us).min().unwrap_or(0);
    trace.end_us = spans().map(|span| span.end_us).max().unwrap_or(0);
    trace.spans = number(spans().count());
    trace.errors = number(spans().filter(|span| span.error).count());
    for settled in calls {
        let Some(call) = &rows[settled.source].as_ref().call else {
            continue;
        };
        if settled.excluded.is_some() {
            trace.excluded += 1;
            trace.excluded_cost += call.cost.unwrap_or_default();
            continue;
        }
        trace.calls += 1;
        trace.failed_calls += u32::from(rows[settled.span].as_ref().error);
        trace.usage = trace.usage.plus(&call.usage);
        match call.cost {
            Some(cost) => trace.cost += cost,
            None => {
                trace.unpriced += 1;
                trace.unpriced_tokens = trace.unpriced_tokens.saturating_add(call.usage.total());
            }
        }
    }
    trace
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
