//! What makes two spans one call across traces: the provider's response id, or, where an emitter
//! drops it, everything else that is known ([`Twin`]).

use std::{borrow::Cow, fmt};

use costflame_pricing::Usage;
use serde::{Deserialize, Serialize};

use crate::{
    Call, Signal, Span, SpanId, SpanKind, TraceId,
    pairs::{SUM, TOLD, by_session, is_summed, scope_name, sides},
    usage_match::classes,
};

/// Hash of what claims must share to be one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity(pub [u8; 16]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Identity {
    const RESPONSE: u8 = 1;
    const USAGE: u8 = 2;
    const SESSION: u8 = 3;
    const SUMS: u8 = 4;

    fn of(kind: u8, project: i32, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(&project.to_le_bytes());
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }

    /// Calls with this provider response id.
    #[must_use]
    pub fn of_response(project: i32, response_id: &str) -> Self {
        Self::of(Self::RESPONSE, project, &[response_id.as_bytes()])
    }

    /// Calls of these totals from one process, or from one service where the process is not known.
    fn of_usage(project: i32, span: &Span, usage: &Usage) -> Self {
        let process = span.instance.as_ref().unwrap_or(&span.service);
        Self::of(
            Self::USAGE,
            project,
            &[
                &[u8::from(span.instance.is_some())],
                process.as_bytes(),
                &usage.total_input().to_le_bytes(),
                &usage.total_output().to_le_bytes(),
            ],
        )
    }

    /// Calls of this input from one session.
    fn of_session(project: i32, session: &str, usage: &Usage) -> Self {
        let input = usage.total_input().to_le_bytes();
        Self::of(Self::SESSION, project, &[session.as_bytes(), &input])
    }

    /// Calls of one session, and what metrics sum of them.
    fn of_sums(project: i32, session: &str) -> Self {
        Self::of(Self::SUMS, project, &[session.as_bytes()])
    }
}

/// One call's claim to be the one that counts among all with the same identity.
///
/// A call has at most one by its response id, one by its usage if its emitter is listed as detaching, and one by its
/// session if its emitter's metrics sum its usage, too; a metric's sum has the last alone. It is left out as soon as one of
/// them is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What claims must share to be compared at all.
    pub identity: Identity,
    /// Trace of the call.
    pub trace_id: TraceId,
    /// Span of the call.
    pub span_id: SpanId,
    /// Start, microseconds since 1970 UTC.
    pub start_us: i64,
    /// End, microseconds since 1970 UTC.
    pub end_us: i64,
    /// By response id the largest counts; equal ones are ordered by ids, smallest first. See [`standing`].
    pub standing: u8,
    /// What is compared in a claim by usage; `None` in a claim by response id.
    pub twin: Option<Twin>,
}

/// What two claims by usage are compared by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    /// Instrumentation scope name.
    pub scope: crate::Text,
    /// The identity holds a process or a session, not only a service.
    pub process_known: bool,
    /// Traces the span links to.
    pub links: Vec<TraceId>,
    /// Usage, compared class by class.
    pub usage: Usage,
    /// Kind of operation; `None` = not known.
    pub operation: Option<Operation>,
    /// xxh3-64 of the names of the model asked for and of the one that served, without their dates; 0 = not known.
    pub models: [u64; 2],
    /// xxh3-64 of the response id.
    pub response: Option<u64>,
}

impl Twin {
    /// True in the claim of a call that a metric's sum may contain: it is never lost.
    #[must_use]
    pub fn only_tells(&self) -> bool {
        self.scope.starts_with(TOLD)
    }
}

/// Operations that emitters spell differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Chat, completion, content generation.
    Generation,
    /// Embeddings.
    Embeddings,
    /// Reranking.
    Rerank,
}

impl Operation {
    fn of(call: &Call) -> Option<Self> {
        match call.operation.as_deref() {
            Some("embeddings" | "embedding") => Some(Self::Embeddings),
            Some("rerank") => Some(Self::Rerank),
            Some(_) => Some(Self::Generation),
            None => (call.usage.total_output() > 0).then_some(Self::Generation),
        }
    }
}

/// How good a witness of a call a span is, 0 to 75: most token classes and counters in use, then CLIENT before
/// INTERNAL, then one with a parent, since only that has a place in the program.
#[must_use]
pub fn standing(span: &Span, call: &Call) -> u8 {
    let client = u8::from(span.span_kind == SpanKind::Client);
    let placed = u8::from(span.parent_span_id.is_some());
    4 * classes(&call.usage) + 2 * client + placed
}

/// The claims of a call.
///
/// A call whose response id is missing or not one ([`response_id`]) and whose emitter is not listed has none. One that
/// another span of its trace stands for (`counted` = false) claims only what a listed outer emitter may repeat. `session` is
/// its own or the one it inherits.
pub fn claims<'a>(
    project: i32,
    span: &'a Span,
    call: &'a Call,
    session: Option<&str>,
    counted: bool,
) -> impl Iterator<Item = Claim> + 'a {
    let claim = |identity, twin| Claim {
        identity,
        trace_id: span.trace_id,
        span_id: span.span_id,
        start_us: span.start_us,
        end_us: span.end_us,
        standing: standing(span, call),
        twin,
    };
    let by_response = response_id(call)
        .filter(|_| counted && span.signal != Signal::Metric)
        .map(|id| claim(Identity::of_response(project, id), None));
    let scope = scope(span);
    let twin = |scope: &str, process_known| Twin {
        scope: scope.into(),
        process_known,
        links: span.links.clone(),
        usage: call.usage,
        operation: Operation::of(call),
        models: [&call.request_model, &call.response_model].map(|model| {
            model
                .as_ref()
                .map_or(0, |name| xxh3(undated(name).as_bytes()))
        }),
        response: response_id(call).map(|id| xxh3(id.as_bytes())),
    };
    let (outer, inner) = sides(&scope);
    let is_sum = span.signal == Signal::Metric;
    let detaches = !is_sum && !call.usage.is_zero() && (inner || (outer && counted));
    let paired = session.filter(|_| by_session(&scope));
    let by_usage = detaches.then(|| {
        let identity = match paired {
            Some(session) => Identity::of_session(project, session, &call.usage),
            None => Identity::of_usage(project, span, &call.usage),
        };
        let process_known = paired.is_some() || span.instance.is_some();
        claim(identity, Some(twin(&scope, process_known)))
    });
    let is_told = counted && !call.usage.is_zero() && is_summed(&scope);
    let by_sum = session.filter(|_| is_sum || is_told).map(|session| {
        let named = if is_sum {
            scope.clone()
        } else {
            Cow::Owned(format!("{TOLD}{scope}"))
        };
        let identity = Identity::of_sums(project, session);
        claim(identity, Some(twin(&named, true)))
    });
    by_response.into_iter().chain(by_usage).chain(by_sum)
}

/// The name by which an emitter is listed.
fn scope(span: &Span) -> Cow<'_, str> {
    let name = scope_name(&span.emitter);
    match span.signal {
        Signal::Log => Cow::Owned(format!("log:{name}")),
        Signal::Metric => Cow::Owned(format!("{SUM}{name}")),
        Signal::Span => Cow::Borrowed(name),
    }
}

/// False when the models of two calls are known and are two.
pub(crate) fn same_model(a: &Call, b: &Call) -> bool {
    let names = |call: &Call| {
        let models = [&call.request_model, &call.response_model];
        models
            .into_iter()
            .flatten()
            .map(|model| undated(model))
            .collect::<Vec<_>>()
    };
    let (mine, theirs) = (names(a), names(b));
    mine.is_empty() || theirs.is_empty() || mine.iter().any(|name| theirs.contains(name))
}

fn xxh3(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes).max(1)
}

/// What makes two spans of one trace the same response: the id, and the totals too if the id alone
/// would not tell calls apart.
pub(crate) type ResponseKey<'a> = (&'a str, Option<(u64, u64)>);

pub(crate) fn response_key(call: &Call) -> Option<ResponseKey<'_>> {
    let id = given_id(call)?;
    if is_unique(id) {
        return Some((id, None));
    }
    (!call.usage.is_zero()).then(|| {
        (
            id,
            Some((call.usage.total_input(), call.usage.total_output())),
        )
    })
}

/// The provider's response id, if it can tell this call from every other one.
///
/// Not one: LangChain's run ids, ids made up by the AI SDK, and numbers too short to be unique
/// (Ollama's OpenAI-compatible API draws `chatcmpl-N` with N below 1,000, several gateways put the time in
/// seconds there). An id of a request (`req_…`) is as good as one of a response.
#[must_use]
pub fn response_id(call: &Call) -> Option<&str> {
    given_id(call).filter(|id| is_unique(id))
}

fn given_id(call: &Call) -> Option<&str> {
    let id = call.response_id.as_deref()?.trim();
    let made_up = ["run-", "lc_run-", "run--", "aitxt-", "aiobj-"]
        .iter()
        .any(|prefix| id.starts_with(prefix));
    let placeholder = ["none", "null", "undefined", "unknown", "n/a"]
        .iter()
        .any(|word| id.eq_ignore_ascii_case(word));
    (!id.is_empty() && !made_up && !placeholder).then_some(id)
}

/// At least 8 letters or digits after the prefix, or 16 if they are all digits: a time in milliseconds has 13.
fn is_unique(id: &str) -> bool {
    let prefix = id
        .find(['-', '_'])
        .filter(|end| id[..*end].bytes().all(|byte| byte.is_ascii_alphabetic()));
    let rest = prefix.map_or(id, |end| &id[end + 1..]);
    let characters = rest.chars().filter(|c| c.is_alphanumeric());
    let varied = characters.clone().any(|c| !c.is_ascii_digit());
    let different = characters
        .clone()
        .any(|c| Some(c) != characters.clone().next());
    different && characters.count() >= if varied { 8 } else { 16 }
}

/// A model's name without vendor path, date and `-latest`, in lower case.
fn undated(model: &str) -> String {
    let name = model
        .rsplit('/')
        .next()
        .unwrap_or(model)
        .to_ascii_lowercase();
    let stem = name.strip_suffix("-latest").unwrap_or(&name);
    for digits in [&[8][..], &[4, 2, 2]] {
        if let Some(stem) = without_date(stem, digits) {
            return stem.to_owned();
        }
    }
    stem.to_owned()
}

/// `name` without a last `-YYYYMMDD` or `-YYYY-MM-DD`, given as the lengths of its runs of digits.
fn without_date<'a>(name: &'a str, digits: &[usize]) -> Option<&'a str> {
    let mut stem = name;
    for length in digits.iter().rev() {
        let (before, run) = stem.rsplit_once(['-', '@'])?;
        if run.len() != *length || !run.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        stem = before;
    }
    (!stem.is_empty()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<String> {
        let call = Call {
            response_id: Some(text.into()),
            ..Call::default()
        };
        response_id(&call).map(str::to_owned)
    }

    #[test]
    fn ids_of_providers_are_identities() {
        for text in [
            "chatcmpl-5e76bdc5ee5dd2d151a4087faf7ecf43",
            "msg_012bcaefbfc5e2127baf027e",
            "resp_dea57c935bc381a51b9f2eedb229bf96",
            "req_011CQ9xZp6bXk4eA8s2f",
            "gen-1761234567-bGk3Zq0TtV",
            "01jq2m3n4p5r6s7t8v9w",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "chatcmpl-1761234567123456789",
        ] {
            assert_eq!(id(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_many_calls_may_share_is_no_identity() {
        for text in [
            "",
            " ",
            "None",
            "null",
            "0",
            "chatcmpl-731",
            "chatcmpl-1761234567",
            "chatcmpl-1761234567123",
            "resp_00000000000000000000",
            "run-3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "lc_run--3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "aitxt-q1w2e3r4t5y6u7i8",
            "chatcmpl-",
        ] {
            assert_eq!(id(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_one_model_agree_without_their_dates() {
        assert_eq!(undated("gpt-4o-2024-08-06"), "gpt-4o");
        assert_eq!(
            undated("anthropic/Claude-3-5-haiku-20241022"),
            "claude-3-5-haiku"
        );
        assert_eq!(undated("claude-3-5-haiku-latest"), "claude-3-5-haiku");
        assert_eq!(undated("claude-sonnet-4-5@20250929"), "claude-sonnet-4-5");
        assert_eq!(undated("gpt-4o-mini"), "gpt-4o-mini");
        assert_eq!(undated("20250929"), "20250929");
    }
}
