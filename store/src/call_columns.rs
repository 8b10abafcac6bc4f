//! The columns of `calls` between a [`CallRow`] and a database.

use std::sync::Arc;

use costflame_pricing::{Unpriced, Usage, Usd};
use costflame_profile::{Attribution, Call, PathId, Rule, SpanId, Text, TraceId};

use crate::{
    CallKey, CallRow, Sent, SeriesId, StoreError, TraceKey,
    call_row::{Instead, UNSAMPLED},
    landing::{signal, span_id, span_kind, trace_id},
    packed,
};

/// The columns of `calls` that are written, in order; `tx` is the database's.
macro_rules! calls_columns {
    () => {
        "start_us, end_us, cost, unseen_cost, reported, computed, project_id, start_day, flags, weight_milli, lane, why, unpriced, signal, \
         span_kind, error, late, trace_id, span_id, path_id, series_id, instead_trace_id, instead_span_id, \
         lost_response, lost_usage, claims, tokens_input, tokens_cache_read, tokens_cache_write, \
         tokens_cache_write_1h, tokens_audio_in, tokens_cache_read_audio, tokens_image_in, tokens_video_in, \
         tokens_output, tokens_reasoning, tokens_audio_out, tokens_image_out, provider, request_model, \
         response_model, operation, response_id, service, emitter, environment, feature, user_id, session_id, agent, \
         tool, prompt, prompt_version, tags, catalog, receipt, sent_request, sent_system"
    };
}
pub(crate) use calls_columns;

/// The columns of `sampled_calls`: what filters name. With a prefix, those of `calls` that they come from.
macro_rules! sampled_columns {
    ($c:literal) => {
        concat!(
            $c,
            "start_us, ",
            $c,
            "project_id, ",
            $c,
            "start_day, ",
            $c,
            "flags, ",
            $c,
            "lane, ",
            $c,
            "why, ",
            $c,
            "unpriced, ",
            $c,
            "error, ",
            $c,
            "trace_id, ",
            $c,
            "span_id, ",
            $c,
            "path_id, ",
            $c,
            "series_id, ",
            $c,
            "user_id, ",
            $c,
            "session_id, ",
            $c,
            "prompt, ",
            $c,
            "tags, ",
            $c,
            "sent_system"
        )
    };
}
pub(crate) use sampled_columns;

/// Number of [`calls_columns`].
pub(crate) const CALLS_COLUMN_COUNT: usize = 58;

/// The columns of `calls` that a [`CallRow`] is read from, of a table called `c`.
macro_rules! call_row_columns {
    () => {
        "c.start_us, c.end_us, c.project_id, c.flags, c.weight_milli, c.why, c.signal, c.span_kind, c.error, c.late, \
         c.trace_id, c.span_id, c.path_id, c.series_id, c.instead_span_id, c.lost_response, c.lost_usage, c.claims, \
         c.provider, c.request_model, c.response_model, c.operation, c.response_id, c.service, c.emitter, \
         c.environment, c.feature, c.user_id, c.session_id, c.agent, c.tool, c.prompt, c.prompt_version, \
         CAST(c.tags AS text), c.receipt, c.cost, c.tokens_input, c.tokens_cache_read, c.tokens_cache_write, \
         c.tokens_cache_write_1h, c.tokens_audio_in, c.tokens_cache_read_audio, c.tokens_image_in, c.tokens_video_in, \
         c.tokens_output, c.tokens_reasoning, c.tokens_audio_out, c.tokens_image_out, c.sent_request, c.sent_system, \
         c.unseen_cost"
    };
}
pub(crate) use call_row_columns;

/// Reads a row of [`call_row_columns`] of either database.
macro_rules! read_call_row {
    ($row:expr) => {
        $crate::call_columns::RawCall {
            start_us: $row.try_get(0)?,
            end_us: $row.try_get(1)?,
            project: $row.try_get(2)?,
            flags: $row.try_get(3)?,
            weight_milli: $row.try_get(4)?,
            why: $row.try_get(5)?,
            signal: $row.try_get(6)?,
            span_kind: $row.try_get(7)?,
            error: $row.try_get(8)?,
            late: $row.try_get(9)?,
            trace_id: $row.try_get(10)?,
            span_id: $row.try_get(11)?,
            path_id: $row.try_get(12)?,
            series_id: $row.try_get(13)?,
            instead_span_id: $row.try_get(14)?,
            lost_response: $row.try_get(15)?,
            lost_usage: $row.try_get(16)?,
            claims: $row.try_get(17)?,
            provider: $row.try_get(18)?,
            request_model: $row.try_get(19)?,
            response_model: $row.try_get(20)?,
            operation: $row.try_get(21)?,
            response_id: $row.try_get(22)?,
            service: $row.try_get(23)?,
            emitter: $row.try_get(24)?,
            environment: $row.try_get(25)?,
            feature: $row.try_get(26)?,
            user: $row.try_get(27)?,
            session: $row.try_get(28)?,
            agent: $row.try_get(29)?,
            tool: $row.try_get(30)?,
            prompt: $row.try_get(31)?,
            prompt_version: $row.try_get(32)?,
            tags: $row.try_get(33)?,
            receipt: $row.try_get(34)?,
            cost: $row.try_get(35)?,
            tokens: {
                let mut tokens = [None; 12];
                for (place, class) in tokens.iter_mut().enumerate() {
                    *class = $row.try_get(36 + place)?;
                }
                tokens
            },
            sent: $crate::Sent {
                request: $row.try_get(48)?,
                system: $row.try_get(49)?,
            },
            unseen_cost: $row.try_get(50)?,
        }
        .read()
    };
}
pub(crate) use read_call_row;

/// A row of [`call_row_columns`] before its values are checked.
pub(crate) struct RawCall<'a> {
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) project: i32,
    pub(crate) flags: i32,
    pub(crate) weight_milli: i32,
    pub(crate) why: i16,
    pub(crate) signal: i16,
    pub(crate) span_kind: i16,
    pub(crate) error: bool,
    pub(crate) late: bool,
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) path_id: &'a [u8],
    pub(crate) series_id: &'a [u8],
    pub(crate) instead_span_id: Option<&'a [u8]>,
    pub(crate) lost_response: Option<&'a [u8]>,
    pub(crate) lost_usage: Option<&'a [u8]>,
    pub(crate) claims: Option<&'a [u8]>,
    pub(crate) provider: Option<&'a str>,
    pub(crate) request_model: Option<&'a str>,
    pub(crate) response_model: Option<&'a str>,
    pub(crate) operation: Option<&'a str>,
    pub(crate) response_id: Option<&'a str>,
    pub(crate) service: &'a str,
    pub(crate) emitter: &'a str,
    pub(crate) environment: Option<&'a str>,
    pub(crate) feature: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
    pub(crate) agent: Option<&'a str>,
    pub(crate) tool: Option<&'a str>,
    pub(crate) prompt: Option<&'a str>,
    pub(crate) prompt_version: Option<&'a str>,
    pub(crate) tags: Option<&'a str>,
    pub(crate) receipt: &'a [u8],
    pub(crate) cost: Option<i64>,
    pub(crate) tokens: [Option<i64>; 12],
    pub(crate) sent: Sent,
    pub(crate) unseen_cost: Option<i64>,
}

impl RawCall<'_> {
    /// The row, with every value checked.
    pub(crate) fn read(&self) -> Result<CallRow, StoreError> {
        let receipt = packed::read_receipt(self.receipt)?;
        let text = |value: Option<&str>| value.map(Text::from);
        let call = Call {
            operation: text(self.operation),
            provider: text(self.provider),
            request_model: text(self.request_model),
            response_model: text(self.response_model),
            response_id: text(self.response_id),
            usage: Usage {
                tokens: self
                    .tokens
                    .map(|tokens| tokens.unwrap_or(0).cast_unsigned()),
                counters: receipt.usage.counters,
            },
            cost: self.cost.map(Usd),
        };
        let attribution = Attribution {
            environment: text(self.environment),
            feature: text(self.feature),
            user: text(self.user),
            session: text(self.session),
            agent: text(self.agent),
            tool: text(self.tool),
            prompt: text(self.prompt),
            prompt_version: text(self.prompt_version),
            tags: self.tags.map(read_tags).transpose()?.unwrap_or_default(),
        };
        Ok(CallRow {
            key: CallKey {
                trace: TraceKey {
                    project: self.project,
                    trace_id: trace_id(self.trace_id)?,
                },
                span_id: span_id(self.span_id)?,
            },
            start_us: self.start_us,
            end_us: self.end_us,
            error: self.error,
            signal: signal(self.signal)?,
            span_kind: span_kind(self.span_kind)?,
            // Written before there were estimates, or by a collector that knows none: no sum has it.
            weight_milli: match self.unseen_cost {
                Some(_) => self.weight_milli.cast_unsigned(),
                None => UNSAMPLED,
            },
            call,
            receipt,
            sent: self.sent,
            service: Text::from(self.service),
            emitter: Text::from(self.emitter),
            attribution: Arc::new(attribution),
            path: PathId(sixteen("path id", self.path_id)?),
            series: SeriesId(sixteen("series id", self.series_id)?),
            flags: costflame_pricing::Flags(self.flags.cast_unsigned()),
            late: self.late,
            local: self.local()?,
            lost_response: self.lost_response.map(read_instead).transpose()?,
            lost_usage: self.lost_usage.map(read_instead).transpose()?,
            claims: self
                .claims
                .map(packed::read_claims)
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// The rule within the trace; what an election decided is in the other columns.
    fn local(&self) -> Result<Option<(Rule, SpanId)>, StoreError> {
        match rule(self.why)? {
            None | Some(Rule::SameResponseElsewhere | Rule::DetachedTwin | Rule::ToldByCalls) => {
                Ok(None)
            }
            Some(rule) => {
                let by = self
                    .instead_span_id
                    .ok_or_else(|| StoreError::corrupt("call", "no span in its stead"))?;
                Ok(Some((rule, span_id(by)?)))
            }
        }
    }
}

/// The stored number of why a call does not count; 0 = it counts.
pub(crate) fn why_number(row: &CallRow) -> i16 {
    row.why().map_or(0, |(rule, _)| rule as i16 + 1)
}

/// The rule of a stored `why`; `None` = counted.
///
/// # Errors
/// When no rule has that number.
pub(crate) fn rule(why: i16) -> Result<Option<Rule>, StoreError> {
    if why == 0 {
        return Ok(None);
    }
    let place = usize::try_from(why - 1).unwrap_or(usize::MAX);
    Rule::ALL
        .get(place)
        .copied()
        .map(Some)
        .ok_or_else(|| StoreError::corrupt("rule", why))
}

/// The stored number of why a call has no cost.
pub(crate) fn unpriced_number(row: &CallRow) -> Option<i16> {
    row.receipt
        .unpriced
        .or(row.receipt.cost.is_none().then_some(Unpriced::NoUsage))
        .map(|reason| reason as i16)
}

/// Tokens of the classes in use.
pub(crate) fn tokens(row: &CallRow) -> impl Iterator<Item = Option<i64>> {
    row.call
        .usage
        .tokens
        .iter()
        .map(|tokens| (*tokens > 0).then(|| i64::try_from(*tokens).unwrap_or(i64::MAX)))
}

/// The texts of a call, in the order of [`calls_columns`], without the tags.
pub(crate) fn texts(row: &CallRow) -> [Option<&Text>; 15] {
    let (call, found) = (&row.call, &row.attribution);
    [
        call.provider.as_ref(),
        call.request_model.as_ref(),
        call.response_model.as_ref(),
        call.operation.as_ref(),
        call.response_id.as_ref(),
        Some(&row.service),
        Some(&row.emitter),
        found.environment.as_ref(),
        found.feature.as_ref(),
        found.user.as_ref(),
        found.session.as_ref(),
        found.agent.as_ref(),
        found.tool.as_ref(),
        found.prompt.as_ref(),
        found.prompt_version.as_ref(),
    ]
}

/// Tags as a JSON object; `None` if there are none.
pub(crate) fn tags_json(row: &CallRow) -> Option<String> {
    let tags = &row.attribution.tags;
    let object = || {
        let object: serde_json::Map<String, serde_json::Value> = tags
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string().into()))
            .collect();
        serde_json::Value::Object(object).to_string()
    };
    (!tags.is_empty()).then(object)
}

fn read_tags(json: &str) -> Result<Vec<(Text, Text)>, StoreError> {
    let tags: std::collections::BTreeMap<Text, Text> =
        serde_json::from_str(json).map_err(|error| StoreError::corrupt("tags", error))?;
    Ok(tags.into_iter().collect())
}

/// Trace and span in 24 bytes.
pub(crate) fn instead_bytes((trace, span): Instead) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&trace.0);
    bytes[16..].copy_from_slice(&span.0);
    bytes
}

fn read_instead(bytes: &[u8]) -> Result<Instead, StoreError> {
    let (trace, span) = bytes
        .split_at_checked(16)
        .ok_or_else(|| StoreError::corrupt("call", "short winner"))?;
    Ok((trace_id(trace)?, span_id(span)?))
}

/// An id of 16 bytes.
pub(crate) fn sixteen(what: &str, bytes: &[u8]) -> Result<[u8; 16], StoreError> {
    bytes
        .try_into()
        .map_err(|error| StoreError::corrupt(what, error))
}

/// What an election may change, for an update.
pub(crate) struct VerdictColumns {
    pub(crate) why: i16,
    pub(crate) flags: i32,
    pub(crate) instead: Option<(TraceId, SpanId)>,
    pub(crate) lost_response: Option<[u8; 24]>,
    pub(crate) lost_usage: Option<[u8; 24]>,
}

impl VerdictColumns {
    /// Of a call as it becomes.
    pub(crate) fn of(row: &CallRow) -> Self {
        Self {
            why: why_number(row),
            flags: row.flags.0.cast_signed(),
            instead: row.why().map(|(_, instead)| instead),
            lost_response: row.lost_response.map(instead_bytes),
            lost_usage: row.lost_usage.map(instead_bytes),
        }
    }
}
