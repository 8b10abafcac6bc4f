//! Log records that report a model call: an event of a coding agent, or the details of an inference by the conventions.
//!
//! Only events that are known to report one call each are read. Others repeat: Claude Code's `subagent_completed`
//! sums, Gemini CLI writes the details of the conventions beside its own response, without cached tokens and thoughts.

use costflame_pricing::Accounting;
use costflame_profile::{FrameKind, Role, SpanId, SpanKind, TraceId};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{
    DIALECTS, evidence,
    evidence::{Evidence, Recognised},
    slots::Slots,
};
use crate::decode::{Attributes, LogRecord, Scope, Span, Status, Value};

/// The event of OpenTelemetry's conventions that carries what the span of a call carries.
const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// Who writes an event that reports one model call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// `claude_code.api_request`: usage, cost and request id of one request.
    ClaudeCode,
    /// `codex.sse_event` of kind `response.completed`, when it carries usage.
    Codex,
    /// `gemini_cli.api_response`, also of the CLIs made from it.
    Gemini,
    /// [`DETAILS`].
    Details,
}

impl Event {
    /// The event of a record; `None` for all other records.
    pub(super) fn of(scope: &Scope<'_>, record: &LogRecord<'_>) -> Option<Self> {
        let name = record.attributes.text("event.name");
        let name = name.unwrap_or(record.event_name);
        let is_claude = scope.name.starts_with("com.anthropic.claude_code");
        match name {
            "claude_code.api_request" => Some(Self::ClaudeCode),
            "api_request" if is_claude => Some(Self::ClaudeCode),
            DETAILS if has_own_response(scope) => None,
            DETAILS => Some(Self::Details),
            _ if name.starts_with("codex.") => {
                let kind = record.attributes.text("event.kind");
                (kind == Some("response.completed")).then_some(Self::Codex)
            }
            _ if name.ends_with(".api_response") => Some(Self::Gemini),
            _ => None,
        }
    }

    fn dialect(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude_code",
            Self::Codex => "codex",
            Self::Gemini => "gemini_cli",
            Self::Details => "otel",
        }
    }
}

/// Gemini CLI and its kin write [`DETAILS`] beside an event of their own that says more.
fn has_own_response(scope: &Scope<'_>) -> bool {
    matches!(scope.name, "gemini-cli" | "qwen-code")
}

/// The record as a span without ids: it ends when the event happened and lasts as long as the event says.
pub(super) fn as_span<'a>(record: &LogRecord<'a>) -> Span<'a> {
    let milliseconds = record.attributes.count("duration_ms").number();
    let duration = milliseconds
        .and_then(|duration| i64::try_from(duration).ok()?.checked_mul(1_000))
        .unwrap_or(0);
    Span {
        trace_id: TraceId([0; 16]),
        span_id: SpanId([0; 8]),
        parent_span_id: None,
        trace_state: "",
        name: record.event_name,
        kind: SpanKind::Internal,
        start_us: record.time_us.saturating_sub(duration).max(0),
        end_us: record.time_us,
        status: Status::Unset,
        attributes: record.attributes,
        events: &[],
        links: &[],
        dropped_attributes: 0,
        flags: 0,
    }
}

/// The call that an event reports; `None` when it carries no usage.
pub(super) fn recognise<'a>(
    event: Event,
    scope: &Scope<'a>,
    span: &Span<'a>,
    slots: &Slots<'a>,
) -> Option<Recognised<'a>> {
    let evidence = Evidence { scope, span, slots };
    let mut call = match event {
        Event::Details => {
            let read = DIALECTS
                .iter()
                .find(|dialect| dialect.name == "otel")
                .map(|dialect| (dialect.read)(&evidence))?;
            (read.role == Role::Call).then_some(read.call?)?
        }
        _ => evidence.model_call(),
    };
    let agent_default = match event {
        Event::ClaudeCode => Some("anthropic"),
        Event::Codex => Some("openai"),
        Event::Gemini => evidence::google_if_gemini(call.response_model),
        Event::Details => None,
    };
    call.provider = call.provider.or(agent_default);
    if event == Event::ClaudeCode {
        call.accounting = Accounting::EmitterExclusive;
    }
    if event == Event::Gemini {
        // What tools put into the prompt and thoughts are neither in the input nor in the output.
        let tools = span.attributes.count("tool_token_count").number();
        let said = &mut call.reported;
        said.input = said.input.map(|input| input + tools.unwrap_or(0));
        evidence::add_reasoning(&mut call);
    }
    if event != Event::Details {
        call.operation = call.operation.or(Some("chat"));
    }
    let mut recognised = super::settle(Recognised::call(call), span, slots);
    recognised.dialect = event.dialect();
    debug_assert_eq!(recognised.kind, FrameKind::Model);
    recognised
        .call
        .as_ref()
        .is_some_and(|call| call.has_usage())
        .then_some(recognised)
}

/// The ids of a record: stable, so that one that is sent again is the same.
///
/// A record written outside of any trace is put into one made of its session and prompt, since what a user asked for
/// once belongs together; without a session it is alone.
pub(super) fn ids(
    record: &LogRecord<'_>,
    scope: &Scope<'_>,
    service: &str,
    session: Option<&str>,
) -> (TraceId, SpanId) {
    let mut hasher = Xxh3::new();
    for text in [service, scope.name, record.event_name] {
        part(&mut hasher, text.as_bytes());
    }
    part(&mut hasher, &record.time_us.to_le_bytes());
    part(&mut hasher, &record.trace_id.map_or([0; 16], |id| id.0));
    part(&mut hasher, &record.span_id.map_or([0; 8], |id| id.0));
    hash_attributes(&mut hasher, record.attributes.0.iter());
    let alone = hasher.digest128();
    let together = |session: &str| {
        let prompt = prompt(record.attributes).unwrap_or("");
        let (service_length, session_length) = (service.len(), session.len());
        let asked = format!("{service_length}/{session_length}/{service}{session}{prompt}");
        xxh3_128(asked.as_bytes())
    };
    let trace_id = record.trace_id.unwrap_or_else(|| {
        let hash = session.map_or(alone, together);
        TraceId(hash.max(1).to_be_bytes())
    });
    let span_id = SpanId(hasher.digest().max(1).to_be_bytes());
    (trace_id, span_id)
}

/// Adds bytes so that no other parts make the same hash.
pub(super) fn part(hasher: &mut Xxh3, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Adds attributes, in whatever order they come.
pub(super) fn hash_attributes<'a>(
    hasher: &mut Xxh3,
    attributes: impl Iterator<Item = &'a (&'a str, Value<'a>)>,
) {
    let mut attributes: Vec<_> = attributes.collect();
    attributes.sort_by_key(|(key, _)| *key);
    for (key, value) in attributes {
        part(hasher, key.as_bytes());
        match value {
            Value::Str(text) => part(hasher, text.as_bytes()),
            Value::Bytes(bytes) | Value::Array(bytes) | Value::Map(bytes) => part(hasher, bytes),
            Value::Int(number) => part(hasher, &number.to_le_bytes()),
            Value::Double(number) => part(hasher, &number.to_le_bytes()),
            Value::Bool(flag) => part(hasher, &[u8::from(*flag)]),
            Value::Empty => part(hasher, &[]),
        }
    }
}

/// What a user asked once, for which an agent may call several times.
fn prompt<'a>(attributes: Attributes<'a>) -> Option<&'a str> {
    attributes
        .text("prompt.id")
        .or_else(|| attributes.text("prompt_id"))
}

#[cfg(test)]
mod tests {
    use costflame_pricing::{Catalog, TokenClass, Usd};
    use costflame_profile::Signal;
    use costflame_store::LandingRow;

    use super::*;
    use crate::{
        decode::{
            Resource,
            Value::{Int, Str},
        },
        dialect::{Lander, testing::scope},
    };

    type Pairs<'a> = Vec<(&'a str, Value<'a>)>;

    fn land(scope_name: &str, attributes: &Pairs<'_>, context: Option<u8>) -> Option<LandingRow> {
        let record = LogRecord {
            trace_id: context.map(|id| TraceId([id; 16])),
            span_id: context.map(|id| SpanId([id; 8])),
            time_us: 1_795_000_000_000_000,
            event_name: "event session.rs:1153",
            attributes: Attributes(attributes),
        };
        let service = [("service.name", Str("agent"))];
        let resource = Resource {
            attributes: Attributes(&service),
        };
        Lander::new(&Catalog::embedded()).land_log(&resource, &scope(scope_name), &record, 1, 2)
    }

    fn tokens(row: &LandingRow) -> Vec<(&'static str, u64)> {
        let usage = row.span.call.as_ref().unwrap().usage;
        let used = TokenClass::ALL
            .into_iter()
            .filter(|class| usage.get(*class) > 0);
        used.map(|class| (class.name(), usage.get(class))).collect()
    }

    fn claude(sequence: i64) -> Pairs<'static> {
        vec![
            ("event.name", Str("api_request")),
            ("event.sequence", Int(sequence)),
            ("session.id", Str("s")),
            ("user.id", Str("u")),
            ("prompt.id", Str("p")),
            ("model", Str("claude-sonnet-4-5-20250929")),
            ("input_tokens", Str("2052")),
            ("output_tokens", Int(785)),
            ("cache_read_tokens", Int(1280)),
            ("cache_creation_tokens", Int(1686)),
            ("cost_usd", Value::Double(0.0246375)),
            ("duration_ms", Int(71)),
            ("request_id", Str("req_011a2b2f9e595dfe7f3749d")),
        ]
    }

    const CLAUDE: &str = "com.anthropic.claude_code.events";

    #[test]
    fn a_request_of_claude_code_is_a_call() {
        let row = land(CLAUDE, &claude(4), Some(7)).unwrap();
        assert_eq!(
            (row.span.signal, row.span.kind),
            (Signal::Log, FrameKind::Model)
        );
        assert_eq!(row.span.trace_id, TraceId([7; 16]));
        assert_eq!(row.span.parent_span_id, Some(SpanId([7; 8])));
        assert_eq!(row.span.end_us - row.span.start_us, 71_000);
        assert_eq!(row.span.attribution.session.as_deref(), Some("s"));
        assert_eq!(
            tokens(&row),
            [
                ("input", 2052),
                ("cache_read", 1280),
                ("cache_write", 1686),
                ("output", 785)
            ]
        );
        let receipt = row.receipt.unwrap();
        assert_eq!(receipt.accounting, Accounting::EmitterExclusive);
        assert_eq!(receipt.cost, Some(Usd(24_637_500_000)));
        assert_eq!(receipt.reported, receipt.cost);
    }

    #[test]
    fn ids_are_stable_and_tell_records_apart() {
        let id = |sequence, context| land(CLAUDE, &claude(sequence), context).unwrap().span;
        assert_eq!(id(4, Some(7)), id(4, Some(7)));
        assert_ne!(id(4, Some(7)).span_id, id(5, Some(7)).span_id);
        // Outside of a trace, what one prompt caused is together.
        let (one, other) = (id(4, None), id(5, None));
        assert_eq!(one.trace_id, other.trace_id);
        assert_ne!(one.span_id, other.span_id);
        assert_eq!(one.parent_span_id, None);
        let mut asked = claude(4);
        asked[4].1 = Str("q");
        let next = land(CLAUDE, &asked, None).unwrap().span;
        assert_ne!(next.trace_id, one.trace_id);
    }

    #[test]
    fn codex_says_the_usage_once_per_response() {
        let event = |kind, more: &Pairs<'static>| {
            let named = vec![
                ("event.name", Str("codex.sse_event")),
                ("event.kind", Str(kind)),
                ("conversation.id", Str("s")),
                ("model", Str("gpt-5")),
            ];
            land("codex_otel.log_only", &[named, more.clone()].concat(), None)
        };
        let usage = vec![
            ("input_token_count", Str("2973")),
            ("output_token_count", Str("1389")),
            ("cached_token_count", Int(832)),
            ("reasoning_token_count", Int(512)),
            ("tool_token_count", Str("4362")),
        ];
        assert!(event("response.completed", &Vec::new()).is_none());
        assert!(event("response.created", &usage).is_none());
        let row = event("response.completed", &usage).unwrap();
        assert_eq!(
            tokens(&row),
            [
                ("input", 2141),
                ("cache_read", 832),
                ("output", 877),
                ("reasoning", 512)
            ]
        );
        assert_eq!(row.receipt.unwrap().cost, Some(Usd(16_670_250_000)));
    }

    #[test]
    fn thoughts_and_tools_of_gemini_lie_beside() {
        let mut said = vec![
            ("event.name", Str("gemini_cli.api_response")),
            ("session.id", Str("s")),
            ("model", Str("gemini-2.5-pro")),
            ("input_token_count", Int(100)),
            ("output_token_count", Int(10)),
            ("cached_content_token_count", Int(40)),
            ("thoughts_token_count", Int(5)),
            ("tool_token_count", Int(7)),
            ("total_token_count", Int(122)),
        ];
        let row = land("gemini-cli", &said, None).unwrap();
        assert_eq!(
            tokens(&row),
            [
                ("input", 67),
                ("cache_read", 40),
                ("output", 10),
                ("reasoning", 5)
            ]
        );
        said[0].1 = Str(DETAILS);
        assert!(
            land("gemini-cli", &said, None).is_none(),
            "said better beside"
        );
    }

    #[test]
    fn other_records_are_no_calls() {
        let details = |usage: &[(&'static str, Value<'static>)]| {
            let named = [
                ("event.name", Str(DETAILS)),
                ("gen_ai.operation.name", Str("chat")),
                ("gen_ai.request.model", Str("gpt-4o")),
            ];
            land("some.library", &[&named, usage].concat(), Some(1))
        };
        assert!(details(&[]).is_none(), "without usage");
        assert!(details(&[("gen_ai.usage.input_tokens", Int(3))]).is_some());
        let mut summed = claude(1);
        summed[0].1 = Str("subagent_completed");
        assert!(land(CLAUDE, &summed, None).is_none());
        assert!(land("app", &claude(1), None).is_none(), "of somebody else");
    }
}
