//! Calls as rows: the list, newest first.

use std::collections::{HashMap, HashSet};

use costflame_pricing::{CatalogId, Flags, TokenClass, Unpriced, Usd};
use costflame_profile::{Attribution, PathId, Rule, Signal, SpanId, Text, TraceId};

use super::{
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses},
    facts::{push_call_range, push_days},
    filter::Filter,
    snapshot::{Row, Snapshot},
    sql::Sql,
};
use crate::{StoreError, UNSAMPLED, landing, lane};

/// A span of a trace.
pub type CallId = (TraceId, SpanId);

/// One settled call, counted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its span.
    pub span_id: SpanId,
    /// Start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// End, microseconds since 1970 UTC.
    pub end_us: i64,
    /// `None` = unknown, see `unpriced`.
    pub cost: Option<Usd>,
    /// Set exactly when `cost` is `None`.
    pub unpriced: Option<Unpriced>,
    /// Thousandths of calls it stands for, itself included; [`UNSAMPLED`] = itself alone.
    pub weight_milli: u32,
    /// What those beside itself cost, estimated; `None` where it stands for itself alone.
    pub unseen_cost: Option<Usd>,
    /// What the emitter said it cost.
    pub reported: Option<Usd>,
    /// The span ended with an error.
    pub error: bool,
    /// Why it does not count; `None` = it counts.
    pub why: Option<Why>,
    /// Flags of the receipt and of settling.
    pub flags: Flags,
    /// Tokens by [`TokenClass`].
    pub tokens: [u64; TokenClass::ALL.len()],
    /// Provider.
    pub provider: Option<String>,
    /// Model that was asked for.
    pub request_model: Option<String>,
    /// Model that served.
    pub response_model: Option<String>,
    /// Operation.
    pub operation: Option<String>,
    /// The provider's id of the response.
    pub response_id: Option<String>,
    /// `service.name`; empty if none.
    pub service: String,
    /// Instrumentation scope, `name@version`; empty if none.
    pub emitter: String,
    /// Own and inherited values.
    pub attribution: Attribution,
    /// Call path.
    pub path: PathId,
    /// Where it was read from.
    pub signal: Signal,
    /// The price snapshot.
    pub catalog: CatalogId,
}

impl CallRecord {
    /// The model to show: the one that served, else the one asked for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.response_model
            .as_deref()
            .or(self.request_model.as_deref())
    }

    /// Identity.
    #[must_use]
    pub const fn id(&self) -> CallId {
        (self.trace_id, self.span_id)
    }
}

/// Why a call does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// The rule that left it out.
    pub rule: Rule,
    /// The call that counts in its stead, or the nearest of them.
    pub by: Option<CallId>,
}

/// Calls of a filter behind `after` (start, trace, span), newest first, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn calls(
    snapshot: &mut Snapshot,
    filter: &Filter,
    after: Option<(i64, CallId)>,
    limit: usize,
) -> Result<Vec<CallRecord>, StoreError> {
    let mut sql = select(snapshot);
    if needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.project_id = ").bind(filter.project);
    // The key is also a bound of the range, which an index serves in every plan.
    let to_us = after.map_or(filter.to_us, |(start_us, _)| {
        filter.to_us.min(start_us.saturating_add(1))
    });
    push_call_range(&mut sql, (filter.from_us, to_us));
    push_clauses(&mut sql, filter, Source::Calls);
    if let Some((start_us, (trace, span))) = after {
        sql.push(" AND (f.start_us, f.trace_id, f.span_id) < (")
            .bind(start_us);
        sql.push(", ")
            .bind(&trace.0[..])
            .push(", ")
            .bind(&span.0[..])
            .push(")");
    }
    sql.push(" ORDER BY f.start_us DESC, f.trace_id DESC, f.span_id DESC LIMIT ")
        .bind(limit);
    snapshot.all(sql, read).await
}

/// All calls of a trace, by start.
///
/// # Errors
/// When the database cannot be read.
pub(crate) async fn calls_of_trace(
    snapshot: &mut Snapshot,
    project: i32,
    trace: TraceId,
) -> Result<Vec<CallRecord>, StoreError> {
    let Some(extent) = extent_of_trace(snapshot, project, trace).await? else {
        return Ok(Vec::new());
    };
    let mut sql = select(snapshot);
    sql.push(" WHERE f.project_id = ").bind(project);
    sql.push(" AND f.lane = ").bind(i64::from(lane(&trace)));
    sql.push(" AND f.trace_id = ").bind(&trace.0[..]);
    push_days(&mut sql, extent);
    sql.push(" ORDER BY f.start_us, f.span_id");
    snapshot.all(sql, read).await
}

/// Start and end of a trace; `None` for one without a row, which has no calls either.
async fn extent_of_trace(
    snapshot: &mut Snapshot,
    project: i32,
    trace: TraceId,
) -> Result<Option<(i64, i64)>, StoreError> {
    let mut sql = snapshot.sql("SELECT start_us, end_us FROM traces WHERE project_id = ");
    sql.bind(project);
    sql.push(" AND lane = ").bind(i64::from(lane(&trace)));
    sql.push(" AND trace_id = ").bind(&trace.0[..]);
    snapshot
        .first(sql, |row| Ok((row.int(0)?, row.int(1)?)))
        .await
}

/// For calls that repeat those below them (an aggregate, a wrapper): how many counted calls are
/// below. Only of traces whose spans are still kept.
///
/// # Errors
/// When the database cannot be read.
pub async fn stand_ins(
    snapshot: &mut Snapshot,
    project: i32,
    calls: &[CallRecord],
) -> Result<HashMap<CallId, usize>, StoreError> {
    let repeats = |call: &&CallRecord| {
        matches!(
            call.why,
            Some(Why {
                rule: Rule::Aggregate | Rule::Wrapper,
                ..
            })
        )
    };
    let traces: HashSet<TraceId> = calls
        .iter()
        .filter(repeats)
        .map(|call| call.trace_id)
        .collect();
    if traces.is_empty() {
        return Ok(HashMap::new());
    }
    let mut parents: HashMap<CallId, SpanId> = HashMap::new();
    let mut sql = snapshot.sql("SELECT f.trace_id, f.span_id, f.parent_span_id FROM ");
    push_rows_of(snapshot, &mut sql, "landing", project, &traces, None);
    sql.push(" WHERE f.parent_span_id IS NOT NULL");
    snapshot
        .each(sql, |row| {
            parents.insert(
                (TraceId(row.id(0)?), SpanId(row.id(1)?)),
                SpanId(row.id(2)?),
            );
            Ok(true)
        })
        .await?;
    let mut sql = snapshot.sql("SELECT f.trace_id, f.span_id FROM ");
    push_rows_of(snapshot, &mut sql, "calls", project, &traces, None);
    sql.push(" WHERE f.why = 0");
    let counted = snapshot
        .all(sql, |row| Ok((TraceId(row.id(0)?), SpanId(row.id(1)?))))
        .await?;
    Ok(count_below(&parents, &counted))
}

/// How many of `counted` are below each span.
fn count_below(parents: &HashMap<CallId, SpanId>, counted: &[CallId]) -> HashMap<CallId, usize> {
    let mut below = HashMap::new();
    for &(trace, span) in counted {
        let mut at = span;
        // A cycle of parents ends when it comes back to where it began; a longer one at the bound.
        for _ in 0..parents.len() {
            match parents.get(&(trace, at)) {
                Some(parent) if *parent != span => at = *parent,
                _ => break,
            }
            *below.entry((trace, at)).or_default() += 1;
        }
    }
    below
}

/// Appends the rows that a table with `project_id`, `lane` and `trace_id` has of some traces, as `f`; where `days` are given,
/// only those that start on them: the first and the last, in days since 1970.
pub(crate) fn push_rows_of<'a>(
    snapshot: &Snapshot,
    sql: &mut Sql,
    table: &str,
    project: i32,
    traces: impl IntoIterator<Item = &'a TraceId>,
    days: Option<(i32, i32)>,
) {
    // Postgres looks up trace by trace this way, whatever the statistics of today's partition say.
    let one_by_one = snapshot.looks_up_one_by_one();
    sql.push(&match one_by_one {
        true => "(VALUES ".to_owned(),
        false => format!("(SELECT * FROM {table} WHERE (lane, trace_id) IN (VALUES "),
    });
    for (number, trace) in traces.into_iter().enumerate() {
        sql.push(if number == 0 { "(CAST(" } else { ", (CAST(" });
        sql.bind(i64::from(lane(trace)))
            .push(" AS smallint), ")
            .bind(&trace.0[..])
            .push(")");
    }
    sql.push(&match one_by_one {
        true => format!(
            ") AS k (k_lane, k_trace_id) CROSS JOIN LATERAL \
             (SELECT * FROM {table} WHERE lane = k_lane AND trace_id = k_trace_id"
        ),
        false => ")".to_owned(),
    });
    sql.push(" AND project_id = ").bind(project);
    if let Some((first, last)) = days {
        sql.push(" AND start_day >= ").bind(first);
        sql.push(" AND start_day <= ").bind(last);
    }
    sql.push(if one_by_one { " OFFSET 0) f" } else { ") f" });
}

fn select(snapshot: &Snapshot) -> Sql {
    select_with(snapshot, "")
}

/// What [`read`] reads, and `more` columns behind it, from all calls.
pub(crate) fn select_with(snapshot: &Snapshot, more: &str) -> Sql {
    let tokens = TokenClass::ALL
        .map(|class| format!("f.tokens_{}", class.name()))
        .join(", ");
    let mut sql = snapshot.sql("SELECT ");
    sql.push(COLUMNS)
        .push(", CAST(f.tags AS text), ")
        .push(&tokens)
        .push(more)
        .push(" FROM calls f");
    sql
}

const COLUMNS: &str = "f.trace_id, f.span_id, f.start_us, f.end_us, f.cost, f.unpriced, f.reported, f.error, f.why, \
     f.instead_trace_id, f.instead_span_id, f.flags, f.provider, f.request_model, f.response_model, f.operation, \
     f.response_id, f.service, f.emitter, f.path_id, f.signal, f.catalog, f.environment, f.feature, f.user_id, \
     f.session_id, f.agent, f.tool, f.prompt, f.prompt_version, f.weight_milli, f.unseen_cost";

/// Number of [`COLUMNS`]; the tags and then the tokens follow.
const TAGS: usize = 32;

/// The first column behind what [`read`] reads.
pub(crate) const BEHIND: usize = TAGS + 1 + TokenClass::ALL.len();

pub(crate) fn read(row: &Row) -> Result<CallRecord, StoreError> {
    let mut tokens = [0; TokenClass::ALL.len()];
    for (class, tokens) in tokens.iter_mut().enumerate() {
        *tokens = row
            .maybe_int(TAGS + 1 + class)?
            .unwrap_or_default()
            .cast_unsigned();
    }
    let by = row.maybe_id(9)?.zip(row.maybe_id(10)?);
    let by = by.map(|(trace, span)| (TraceId(trace), SpanId(span)));
    let signal =
        i16::try_from(row.int(20)?).map_err(|error| StoreError::corrupt("signal", error))?;
    let unseen_cost = row.maybe_int(31)?.map(Usd);
    let flags = u32::try_from(row.int(11)?).map_err(|error| StoreError::corrupt("flags", error))?;
    Ok(CallRecord {
        trace_id: TraceId(row.id(0)?),
        span_id: SpanId(row.id(1)?),
        start_us: row.int(2)?,
        end_us: row.int(3)?,
        cost: row.maybe_int(4)?.map(Usd),
        unpriced: row.maybe_int(5)?.map(unpriced).transpose()?,
        weight_milli: match unseen_cost {
            Some(_) => u32::try_from(row.int(30)?)
                .map_err(|error| StoreError::corrupt("adjusted count", error))?,
            None => UNSAMPLED,
        },
        unseen_cost,
        reported: row.maybe_int(6)?.map(Usd),
        error: row.flag(7)?,
        why: rule(row.int(8)?)?.map(|rule| Why { rule, by }),
        flags: Flags(flags),
        tokens,
        provider: row.maybe_text(12)?,
        request_model: row.maybe_text(13)?,
        response_model: row.maybe_text(14)?,
        operation: row.maybe_text(15)?,
        response_id: row.maybe_text(16)?,
        service: row.text(17)?,
        emitter: row.text(18)?,
        attribution: attribution(row, 22)?,
        path: PathId(row.id(19)?),
        signal: landing::signal(signal)?,
        catalog: CatalogId(row.id(21)?),
    })
}

fn attribution(row: &Row, first: usize) -> Result<Attribution, StoreError> {
    let text = |column: usize| Ok::<_, StoreError>(row.maybe_text(first + column)?.map(Text::from));
    Ok(Attribution {
        environment: text(0)?,
        feature: text(1)?,
        user: text(2)?,
        session: text(3)?,
        agent: text(4)?,
        tool: text(5)?,
        prompt: text(6)?,
        prompt_version: text(7)?,
        tags: tags(row.maybe_text(TAGS)?)?,
    })
}

/// Tags are a JSON object of texts; sorted by key here, since the databases keep orders of their own.
fn tags(json: Option<String>) -> Result<Vec<(Text, Text)>, StoreError> {
    let Some(json) = json else {
        return Ok(Vec::new());
    };
    let tags: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&json).map_err(|error| StoreError::corrupt("tags", error))?;
    Ok(tags
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect())
}

pub(super) fn rule(stored: i64) -> Result<Option<Rule>, StoreError> {
    let Some(place) = stored.checked_sub(1).filter(|place| *place >= 0) else {
        return Ok(None);
    };
    let rule = usize::try_from(place)
        .ok()
        .and_then(|place| Rule::ALL.get(place).copied());
    rule.map(Some)
        .ok_or_else(|| StoreError::corrupt("rule", stored))
}

/// The reason of a stored number.
pub(super) fn unpriced(stored: i64) -> Result<Unpriced, StoreError> {
    [
        Unpriced::NoUsage,
        Unpriced::NoModel,
        Unpriced::UnknownModel,
        Unpriced::NoRate,
        Unpriced::Overflow,
    ]
    .into_iter()
    .find(|reason| super::clauses::unpriced_code(*reason) == stored)
    .ok_or_else(|| StoreError::corrupt("reason for a missing price", stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: u8) -> SpanId {
        SpanId([id; 8])
    }

    #[test]
    fn counts_calls_below_each_span() {
        let trace = TraceId([1; 16]);
        // 1 above 2 and 3, 3 above 4; 5 and 6 in a cycle.
        let parents = [(2, 1), (3, 1), (4, 3), (5, 6), (6, 5)];
        let parents: HashMap<CallId, SpanId> = parents
            .into_iter()
            .map(|(child, parent)| ((trace, span(child)), span(parent)))
            .collect();
        let counted = [2, 4, 5].map(|id| (trace, span(id)));
        let below = count_below(&parents, &counted);
        let of = |id| below.get(&(trace, span(id))).copied().unwrap_or_default();
        assert_eq!([of(1), of(2), of(3), of(4), of(6)], [2, 0, 1, 0, 1]);
    }
}
