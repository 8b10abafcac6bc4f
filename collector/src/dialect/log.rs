//! Log records that report a model call: an event of a coding agent, or the details of an inference by the conventions.
//!
//! Only events that are known to report one call each are read. Others repeat: Claude Code's `subagent_completed`
//! sums, Gemini CLI writes the details of the conventions beside its own response, without cached tokens and thoughts.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use costflame_profile::{FrameKind, Role, SpanId, SpanKind, TraceId};

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
    let mut part = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    for text in [service, scope.name, record.event_name] {
        part(text.as_bytes());
    }
    part(&record.time_us.to_le_bytes());
    part(&record.trace_id.map_or([0; 16], |id| id.0));
    part(&record.span_id.map_or([0; 8], |id| id.0));
    let mut attributes: Vec<_> = record.attributes.0.iter().collect();
    attributes.sort_by_key(|(key, _)| *key);
    for (key, value) in attributes {
        part(key.as_bytes());
        match value {
            Value::Str(text) => part(text.as_bytes()),
            Value::Bytes(bytes) | Value::Array(bytes) | Value::Map(bytes) => part(bytes),
            Value::Int(number) => part(&number.to_le_bytes()),
            Value::Double(number) => part(&number.to_le_bytes()),
            Value::Bool(flag) => part(&[u8::from(*flag)]),
            Value::Empty => part(&[]),
        }
    }
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

/// What a user asked once, for which an agent may call several times.
fn prompt<'a>(attributes: Attributes<'a>) -> Option<&'a str> {
    attributes
        .text("prompt.id")
        .or_else(|| attributes.text("prompt_id"))
}
