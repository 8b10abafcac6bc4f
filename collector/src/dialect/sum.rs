//! Usage that a coding agent sums by metrics, read as the event by which it reports one call.
//!
//! Such a sum counts only for a session, model and time of which no span and no log record tells the calls, and is no single
//! call: it is flagged `from_metrics`. A point without a session cannot be compared with anything and is not read.

use std::collections::BTreeMap;

use costflame_profile::{SpanId, SpanKind, TraceId};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::log::{self, Event};
use crate::decode::{Attributes, Point, Scope, Span, Status, Value};

/// How an agent's counters spell what its event says.
struct Agent {
    event: Event,
    tokens: &'static str,
    cost: Option<&'static str>,
    /// Values of `type`, and the attributes of the event that hold the same.
    types: &'static [(&'static str, &'static str)],
}

const AGENTS: [Agent; 3] = [
    Agent {
        event: Event::ClaudeCode,
        tokens: "claude_code.token.usage",
        cost: Some("claude_code.cost.usage"),
        types: &[
            ("input", "input_tokens"),
            ("output", "output_tokens"),
            ("cacheRead", "cache_read_tokens"),
            ("cacheCreation", "cache_creation_tokens"),
        ],
    },
    Agent {
        event: Event::Gemini,
        tokens: "gemini_cli.token.usage",
        cost: None,
        types: GEMINI_TYPES,
    },
    Agent {
        event: Event::Gemini,
        tokens: "qwen-code.token.usage",
        cost: None,
        types: GEMINI_TYPES,
    },
];

const GEMINI_TYPES: &[(&str, &str)] = &[
    ("input", "input_token_count"),
    ("output", "output_token_count"),
    ("cache", "cached_content_token_count"),
    ("thought", "thoughts_token_count"),
    ("tool", "tool_token_count"),
];

/// True for the counters that are read.
#[must_use]
pub fn wanted(metric: &str) -> bool {
    agent(metric).is_some()
}

fn agent(metric: &str) -> Option<usize> {
    AGENTS
        .iter()
        .position(|agent| agent.tokens == metric || agent.cost == Some(metric))
}

/// What was counted in one time with the same attributes but the type of token.
pub(super) struct Sum<'a> {
    agent: usize,
    cumulative: bool,
    /// Earliest of its points.
    start_us: i64,
    end_us: i64,
    /// Of the stream, then what the agent's event would hold.
    attributes: Vec<(&'a str, Value<'a>)>,
    stream: u64,
}

/// The points of one scope put together, in an order that is always the same.
pub(super) fn sums<'a>(points: &[Point<'a>]) -> impl Iterator<Item = Sum<'a>> {
    let mut sums: BTreeMap<(u64, i64), Sum<'a>> = BTreeMap::new();
    for point in points.iter().filter(|point| point.start_us > 0) {
        let Some((agent, key)) =
            agent(point.metric).and_then(|agent| Some((agent, key(agent, point)?)))
        else {
            continue;
        };
        let is_stream = |(key, _): &&(&str, Value<'_>)| *key != "type";
        let shared = point.attributes.0.iter().filter(is_stream);
        let mut hasher = Xxh3::new();
        log::part(&mut hasher, &[agent as u8, u8::from(point.cumulative)]);
        log::hash_attributes(&mut hasher, shared.clone());
        let stream = hasher.digest();
        let sum = sums.entry((stream, point.end_us)).or_insert_with(|| Sum {
            agent,
            cumulative: point.cumulative,
            start_us: point.start_us,
            end_us: point.end_us,
            attributes: shared.copied().collect(),
            stream,
        });
        sum.start_us = sum.start_us.min(point.start_us);
        sum.attributes.push((key, point.value));
    }
    sums.into_values()
}

/// The attribute of the agent's event that holds what a point counts; `None` for a type that is not known.
fn key(agent: usize, point: &Point<'_>) -> Option<&'static str> {
    let Agent { tokens, types, .. } = &AGENTS[agent];
    if point.metric != *tokens {
        return Some("cost_usd");
    }
    let said = point.attributes.text("type")?;
    let known = types.iter().find(|(name, _)| *name == said);
    known.map(|(_, key)| *key)
}

impl<'a> Sum<'a> {
    pub(super) fn event(&self) -> Event {
        AGENTS[self.agent].event
    }

    /// The sum as a span without ids.
    pub(super) fn span(&self) -> Span<'_> {
        Span {
            trace_id: TraceId([0; 16]),
            span_id: SpanId([0; 8]),
            parent_span_id: None,
            trace_state: "",
            name: AGENTS[self.agent].tokens,
            kind: SpanKind::Internal,
            start_us: self.start_us.min(self.end_us),
            end_us: self.end_us,
            status: Status::Unset,
            attributes: Attributes(&self.attributes),
            events: &[],
            links: &[],
            dropped_attributes: 0,
            flags: 0,
        }
    }

    /// The ids of the sum: what a session's metrics sum is together, and the points of a cumulative stream are versions of
    /// one sum, of which the latest stays. One that starts anew after a reset is another.
    pub(super) fn ids(&self, scope: &Scope<'_>, service: &str, session: &str) -> (TraceId, SpanId) {
        let (service_length, session_length) = (service.len(), session.len());
        let together = format!("sum/{service_length}/{session_length}/{service}{session}");
        let mut hasher = Xxh3::new();
        log::part(&mut hasher, together.as_bytes());
        log::part(&mut hasher, scope.name.as_bytes());
        log::part(&mut hasher, &self.stream.to_le_bytes());
        log::part(&mut hasher, &self.start_us.to_le_bytes());
        if !self.cumulative {
            log::part(&mut hasher, &self.end_us.to_le_bytes());
        }
        let trace_id = TraceId(xxh3_128(together.as_bytes()).max(1).to_be_bytes());
        (trace_id, SpanId(hasher.digest().max(1).to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use costflame_pricing::{Catalog, Flag, TokenClass, Usd};
    use costflame_store::LandingRow;

    use super::*;
    use crate::{
        decode::{
            Resource,
            Value::{Double, Int, Str},
        },
        dialect::{Lander, testing::scope},
    };

    const CLAUDE: &str = "com.anthropic.claude_code";
    const MINUTE: i64 = 60_000_000;

    type Pairs = Vec<(&'static str, Value<'static>)>;

    /// A count of minute 10 of a stream of session `s`.
    fn counted(
        metric: &'static str,
        attributes: &'static [(&'static str, Value<'static>)],
        value: Value<'static>,
    ) -> Point<'static> {
        Point {
            metric,
            cumulative: false,
            start_us: 10 * MINUTE,
            end_us: 11 * MINUTE,
            value,
            attributes: Attributes(attributes),
        }
    }

    fn land(scope_name: &str, points: &[Point<'_>]) -> Vec<LandingRow> {
        let service: Pairs = vec![("service.name", Str("agent"))];
        let resource = Resource {
            attributes: Attributes(&service),
        };
        let catalog = Catalog::embedded();
        Lander::new(&catalog).land_points(&resource, &scope(scope_name), points, 1, 2)
    }

    fn tokens(row: &LandingRow) -> Vec<(&'static str, u64)> {
        let usage = row.span.call.as_ref().unwrap().usage;
        let used = TokenClass::ALL
            .into_iter()
            .filter(|class| usage.get(*class) > 0);
        used.map(|class| (class.name(), usage.get(class))).collect()
    }

    macro_rules! stream {
        ($($more:expr),*) => {
            &[("session.id", Str("s")), ("model", Str("claude-sonnet-4-5")), $($more),*]
        };
    }

    fn claude() -> Vec<Point<'static>> {
        let tokens = "claude_code.token.usage";
        vec![
            counted(tokens, stream!(("type", Str("input"))), Double(300_000.0)),
            counted(tokens, stream!(("type", Str("output"))), Double(1_000.0)),
            counted(tokens, stream!(("type", Str("cacheRead"))), Int(2_000)),
            counted(tokens, stream!(("type", Str("cacheCreation"))), Int(4_000)),
            counted("claude_code.cost.usage", stream!(), Double(0.93)),
        ]
    }

    #[test]
    fn points_of_one_stream_are_one_sum() {
        let rows = land(CLAUDE, &claude());
        let [row] = &rows[..] else { panic!("{rows:?}") };
        let classes = [
            ("input", 300_000),
            ("cache_read", 2_000),
            ("cache_write", 4_000),
            ("output", 1_000),
        ];
        assert_eq!(tokens(row), classes);
        let span = &row.span;
        assert_eq!((span.start_us, span.end_us), (10 * MINUTE, 11 * MINUTE));
        assert_eq!(span.attribution.session.as_deref(), Some("s"));
        let receipt = row.receipt.as_ref().unwrap();
        assert!(receipt.flags.contains(Flag::FromMetrics));
        assert_eq!(receipt.reported, Some(Usd(930_000_000_000)));
        // No prompt is known to be above 200,000 tokens: 0.9 + 0.0006 + 0.015 + 0.015 USD.
        assert_eq!(receipt.cost, Some(Usd(930_600_000_000)));
        assert_eq!(receipt.price.as_ref().unwrap().condition, "");
    }

    #[test]
    fn sums_of_other_attributes_and_times_are_others() {
        let mut points = claude();
        let tokens = "claude_code.token.usage";
        let by_agent = stream!(("type", Str("input")), ("agent.name", Str("explorer")));
        points.push(counted(tokens, by_agent, Int(7)));
        let mut later = counted(tokens, stream!(("type", Str("input"))), Int(9));
        (later.start_us, later.end_us) = (11 * MINUTE, 12 * MINUTE);
        points.push(later);
        let mut rows = land(CLAUDE, &points);
        assert_eq!(rows.len(), 3);
        let traces: Vec<_> = rows.iter().map(|row| row.span.trace_id).collect();
        assert!(traces.iter().all(|trace| *trace == traces[0]));
        rows.sort_by_key(|row| row.span.span_id);
        rows.dedup_by_key(|row| row.span.span_id);
        assert_eq!(rows.len(), 3);
        points.reverse();
        let mut again = land(CLAUDE, &points);
        again.sort_by_key(|row| row.span.span_id);
        let hashes = |rows: &[LandingRow]| -> Vec<u64> {
            rows.iter().map(|row| row.span.content_hash).collect()
        };
        assert_eq!(hashes(&rows), hashes(&again), "in any order");
    }

    #[test]
    fn points_of_a_cumulative_stream_are_versions_of_one_sum() {
        let at = |start: i64, end: i64, value| {
            let attributes = stream!(("type", Str("input")));
            let mut point = counted("gemini_cli.token.usage", attributes, Int(value));
            (point.start_us, point.end_us, point.cumulative) = (start, end, true);
            land("gemini-cli", &[point]).remove(0).span
        };
        let (one, two) = (at(1, MINUTE, 100), at(1, 2 * MINUTE, 150));
        assert_eq!(one.span_id, two.span_id);
        let reset = at(2 * MINUTE, 3 * MINUTE, 20);
        assert_eq!(reset.trace_id, two.trace_id);
        assert_ne!(reset.span_id, two.span_id);
    }

    #[test]
    fn thoughts_and_tools_of_gemini_lie_beside() {
        let count = |attributes, value| counted("gemini_cli.token.usage", attributes, Int(value));
        let points = [
            count(stream!(("type", Str("input"))), 100),
            count(stream!(("type", Str("output"))), 10),
            count(stream!(("type", Str("cache"))), 40),
            count(stream!(("type", Str("thought"))), 5),
            count(stream!(("type", Str("tool"))), 7),
        ];
        let row = land("gemini-cli", &points).remove(0);
        let classes = [
            ("input", 67),
            ("cache_read", 40),
            ("output", 10),
            ("reasoning", 5),
        ];
        assert_eq!(tokens(&row), classes);
    }

    #[test]
    fn what_cannot_be_compared_with_calls_is_not_read() {
        let nobody = &[("model", Str("claude-sonnet-4-5")), ("type", Str("input"))];
        let tokens = "claude_code.token.usage";
        assert!(land(CLAUDE, &[counted(tokens, nobody, Int(7))]).is_empty());
        let unknown = stream!(("type", Str("audio")));
        assert!(land(CLAUDE, &[counted(tokens, unknown, Int(7))]).is_empty());
        let cost = counted("claude_code.cost.usage", stream!(), Double(1.0));
        assert!(land(CLAUDE, &[cost]).is_empty(), "no tokens");
        let bad = counted(tokens, stream!(("type", Str("input"))), Double(-1.0));
        assert!(land(CLAUDE, &[bad]).is_empty());
        let mut timeless = claude();
        timeless.iter_mut().for_each(|point| point.start_us = 0);
        assert!(land(CLAUDE, &timeless).is_empty());
    }
}
