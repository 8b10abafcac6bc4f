//! What a span shows, and the readings that all dialects share.

use std::collections::BTreeMap;

use costflame_pricing::{Accounting, Counter, Flag, Flags, ReportedUsage, Usd};
use costflame_profile::{FrameKind, Role};

use super::{
    emitters::{self, contains_ignore_case},
    slots::{Slot, Slots},
    usage_object::{self, Shape, UsageObject},
};
use crate::decode::{Scope, Span, Value};

/// A span before judgement.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'r, 'a> {
    /// Who emitted it.
    pub scope: &'r Scope<'a>,
    /// The span.
    pub span: &'r Span<'a>,
    /// Its attributes, sorted.
    pub slots: &'r Slots<'a>,
}

/// What a span is.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised<'a> {
    /// Name of the dialect that read it; empty if none did.
    pub dialect: &'static str,
    /// Call, aggregate or plain.
    pub role: Role,
    /// Kind of its frame.
    pub kind: FrameKind,
    /// Label of its frame; `None` = the span's name, folded.
    pub label: Option<&'a str>,
    /// Set exactly when the role is not plain.
    pub call: Option<ModelCall<'a>>,
}

/// What a span says about a model call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCall<'a> {
    /// `chat`, `embeddings`, … as sent.
    pub operation: Option<&'a str>,
    /// Provider as sent; never a framework's name.
    pub provider: Option<&'a str>,
    /// Model asked for.
    pub request_model: Option<&'a str>,
    /// Model that served.
    pub response_model: Option<&'a str>,
    /// Vendor that the emitter cut off the requested model's name (`amazon` of `amazon.nova-pro-v1:0`).
    pub cut_vendor: Option<&'a str>,
    /// The provider's id of the response.
    pub response_id: Option<&'a str>,
    /// Host or URL of the endpoint.
    pub server_address: Option<&'a str>,
    /// Usage as reported.
    pub reported: ReportedUsage,
    /// What is known of how the numbers include each other.
    pub accounting: Accounting,
    /// Service tier that served, else the one asked for.
    pub service_tier: Option<&'a str>,
    /// `batch`.
    pub processing: Option<&'a str>,
    /// `fast`.
    pub speed: Option<&'a str>,
    /// Cost as computed by the emitter; 0 is not taken for a cost.
    pub reported_cost: Option<Usd>,
    /// What a reader of the receipt should know.
    pub flags: Flags,
}

impl ModelCall<'_> {
    /// True when any usage was reported.
    #[must_use]
    pub fn has_usage(&self) -> bool {
        self.reported != ReportedUsage::default()
    }
}

impl<'a> Recognised<'a> {
    /// A plain span of which nothing else is known.
    #[must_use]
    pub const fn step() -> Self {
        Self::plain(FrameKind::Step, None)
    }

    /// A plain span.
    #[must_use]
    pub const fn plain(kind: FrameKind, label: Option<&'a str>) -> Self {
        Self {
            dialect: "",
            role: Role::Plain,
            kind,
            label,
            call: None,
        }
    }

    /// A model call. Its frame is the model.
    #[must_use]
    pub fn call(call: ModelCall<'a>) -> Self {
        let label = call.response_model.or(call.request_model);
        Self {
            dialect: "",
            role: Role::Call,
            kind: FrameKind::Model,
            label,
            call: Some(call),
        }
    }

    /// A span that repeats the usage of calls below it.
    #[must_use]
    pub const fn aggregate(kind: FrameKind, label: Option<&'a str>, call: ModelCall<'a>) -> Self {
        Self {
            dialect: "",
            role: Role::Aggregate,
            kind,
            label,
            call: Some(call),
        }
    }
}

/// What an operation's name says a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// One request to a model.
    Model,
    /// An agent's run, or its creation.
    Agent,
    /// A workflow, chain or graph.
    Workflow,
    /// A tool.
    Tool,
    /// Never a call, whatever it carries: retrieval, memory, fetching a stored response.
    Other,
    /// Not known.
    Unknown,
}

impl Operation {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "chat" | "generate_content" | "text_completion" | "embeddings" | "completion"
            | "rerank" => Self::Model,
            "invoke_agent" | "create_agent" => Self::Agent,
            "invoke_workflow" => Self::Workflow,
            "execute_tool" => Self::Tool,
            "retrieval" | "fetch_response" | "plan" | "handoff" | "agent_handoff" => Self::Other,
            _ => Self::guessed(name),
        }
    }

    /// What a library's own kind of a span says; `None` if it does not tell.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        if kind.eq_ignore_ascii_case("model") {
            return Some(Self::Model);
        }
        Some(Self::guessed(kind)).filter(|operation| *operation != Self::Unknown)
    }

    /// Names outside the conventions, by the words in them.
    fn guessed(name: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| contains_ignore_case(name, word));
        if has(&["memory", "retriev", "fetch"]) {
            Self::Other
        } else if has(&["tool"]) {
            Self::Tool
        } else if has(&["agent"]) {
            Self::Agent
        } else if has(&["workflow", "chain", "graph", "task", "cycle", "flow"]) {
            Self::Workflow
        } else if has(&[
            "chat", "complet", "embed", "generat", "response", "llm", "rerank", "transcri",
            "speech", "image",
        ]) {
            Self::Model
        } else {
            Self::Unknown
        }
    }
}

/// Names that stand where a provider should and are none.
const FRAMEWORKS: &[&str] = &[
    "agno",
    "autogen",
    "crewai",
    "dspy",
    "gcp.vertex.agent",
    "haystack",
    "inmemoryvectorstore",
    "langchain",
    "langgraph",
    "litellm",
    "llama_index",
    "llamaindex",
    "microsoft.agent_framework",
    "openlit",
    "pydantic_ai",
    "semantic_kernel",
    "smolagents",
    "strands-agents",
    "unknown",
    "vercel",
];

fn is_framework(name: &str) -> bool {
    FRAMEWORKS
        .iter()
        .any(|framework| framework.eq_ignore_ascii_case(name))
}

impl<'a> Evidence<'_, 'a> {
    /// The text of an attribute that only one library writes, bare of the quotes of JSON.
    pub(super) fn attribute(&self, key: &str) -> Option<&'a str> {
        let text = self.span.attributes.text(key)?;
        let bare = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text);
        (!bare.is_empty()).then_some(bare)
    }

    /// The call this span would be, read from the slots.
    pub(super) fn model_call(&self) -> ModelCall<'a> {
        let text = |slot| self.slots.text(slot);
        let emitter = emitters::find(self.scope);
        let provider = emitter
            .and_then(|emitter| emitter.provider)
            .or_else(|| self.provider());
        let mut call = ModelCall {
            operation: text(Slot::Operation),
            provider,
            request_model: text(Slot::RequestModel),
            response_model: text(Slot::ResponseModel).or_else(|| text(Slot::Model)),
            cut_vendor: None,
            response_id: text(Slot::ResponseId),
            server_address: text(Slot::ServerAddress),
            reported: self.reported(),
            accounting: emitters::accounting(emitter, provider),
            service_tier: text(Slot::ResponseTier)
                .or_else(|| text(Slot::RequestTier).filter(|tier| *tier != "auto")),
            processing: text(Slot::Processing),
            speed: text(Slot::Speed),
            reported_cost: self.slots.value(Slot::ReportedCost).and_then(cost),
            flags: Flags::default(),
        };
        if emitter.is_some_and(|emitter| emitter.reasoning_outside) {
            add_reasoning(&mut call);
        }
        call
    }

    /// The provider, if a slot for it names one.
    pub(super) fn provider(&self) -> Option<&'a str> {
        let slots = [Slot::Provider, Slot::System, Slot::ProviderHint];
        slots
            .into_iter()
            .filter_map(|slot| self.slots.text(slot))
            .find(|name| !is_framework(name))
    }

    fn reported(&self) -> ReportedUsage {
        let count = |slot| self.slots.count(slot);
        let mut counters = [0; Counter::ALL.len()];
        counters[Counter::WebSearches as usize] = count(Slot::WebSearches).unwrap_or(0);
        counters[Counter::SearchUnits as usize] = count(Slot::SearchUnits).unwrap_or(0);
        ReportedUsage {
            input: count(Slot::Input),
            output: count(Slot::Output),
            total: count(Slot::Total),
            cache_read: count(Slot::CacheRead),
            cache_write: count(Slot::CacheWrite).or_else(|| {
                let short = count(Slot::CacheWrite5m)?;
                Some(short.saturating_add(count(Slot::CacheWrite1h).unwrap_or(0)))
            }),
            cache_write_1h: count(Slot::CacheWrite1h),
            reasoning: count(Slot::Reasoning),
            audio_in: count(Slot::AudioIn),
            cache_read_audio: count(Slot::CacheReadAudio),
            image_in: count(Slot::ImageIn),
            video_in: count(Slot::VideoIn),
            audio_out: count(Slot::AudioOut),
            image_out: count(Slot::ImageOut),
            counters,
        }
    }

    /// A call, or a step when neither a model nor usage is there (a prompt template may call itself `chat`).
    pub(super) fn call_if_any(&self, call: ModelCall<'a>) -> Recognised<'a> {
        if !call.has_usage() && call.request_model.is_none() && call.response_model.is_none() {
            return Recognised::step();
        }
        Recognised::call(call)
    }

    /// Judges by the operation's name, as the conventions of OpenTelemetry do.
    pub(super) fn by_operation(&self) -> Recognised<'a> {
        self.judge(self.model_call())
    }

    /// Judges a call that has been read by the operation's name.
    pub(super) fn judge(&self, mut call: ModelCall<'a>) -> Recognised<'a> {
        let text = |slot| self.slots.text(slot);
        let operation = call.operation.map(Operation::named);
        let operation = operation.or_else(|| Operation::of_kind(text(Slot::LibraryKind)?));
        match operation {
            Some(Operation::Model) => self.call_if_any(call),
            Some(Operation::Agent) => {
                Recognised::aggregate(FrameKind::Agent, text(Slot::Agent), call)
            }
            Some(Operation::Workflow) => {
                Recognised::aggregate(FrameKind::Workflow, text(Slot::Workflow), call)
            }
            Some(Operation::Tool) => Recognised::plain(FrameKind::Tool, text(Slot::Tool)),
            Some(Operation::Other) => Recognised::step(),
            Some(Operation::Unknown) | None if !call.has_usage() => self.without_usage(call),
            Some(Operation::Unknown) => {
                call.flags.insert(Flag::Generic);
                Recognised::call(call)
            }
            None => Recognised::call(call),
        }
    }

    /// Without an operation's name and without usage only a request to another process is taken for a call.
    fn without_usage(&self, call: ModelCall<'a>) -> Recognised<'a> {
        let named = call.request_model.is_some() || call.response_model.is_some();
        if named && call.provider.is_some() && self.span.kind == costflame_profile::SpanKind::Client
        {
            return Recognised::call(call);
        }
        Recognised::step()
    }
}

/// Adds reasoning tokens that the emitter left out of the output.
pub(super) fn add_reasoning(call: &mut ModelCall<'_>) {
    let reasoning = call.reported.reasoning.unwrap_or(0);
    if reasoning == 0 {
        return;
    }
    call.reported.output = Some(call.reported.output.unwrap_or(0).saturating_add(reasoning));
    call.flags.insert(Flag::ReasoningAdded);
}

/// Takes from a usage object what no attribute of its own says.
///
/// Input and output are taken only together with the object's own way of counting.
pub(super) fn complete<'a>(call: &mut ModelCall<'a>, object: &UsageObject<'a>) {
    let (said, more) = (&mut call.reported, &object.reported);
    let has_whole = more.input.is_some() || more.output.is_some();
    if has_whole && said.input.is_none() && said.output.is_none() {
        (said.input, said.output, said.total) = (more.input, more.output, more.total);
        call.accounting = match object.shape {
            Shape::Inclusive => Accounting::Spec,
            Shape::Exclusive => Accounting::EmitterExclusive,
            Shape::Disjoint => Accounting::Disjoint,
        };
    }
    for (mine, theirs) in [
        (&mut said.cache_read, more.cache_read),
        (&mut said.cache_write, more.cache_write),
        (&mut said.cache_write_1h, more.cache_write_1h),
        (&mut said.reasoning, more.reasoning),
        (&mut said.audio_in, more.audio_in),
        (&mut said.image_in, more.image_in),
        (&mut said.audio_out, more.audio_out),
        (&mut said.image_out, more.image_out),
    ] {
        *mine = mine.or(theirs);
    }
    for (mine, theirs) in said.counters.iter_mut().zip(more.counters) {
        *mine = (*mine).max(theirs);
    }
    call.service_tier = call.service_tier.or(object.tier);
}

/// Takes what is missing from the usage in a recorded response, if it is this call's: what a model says may look like
/// usage, too, but does not repeat the numbers of its own call.
pub(super) fn complete_from_response<'a>(call: &mut ModelCall<'a>, response: &'a str) {
    let own =
        usage_object::candidates(response).filter(|object| is_usage_of(object, &call.reported));
    // A library's own summary may come before the provider's object.
    let fullest = own.fold(None, |best: Option<UsageObject<'_>>, next| match best {
        Some(best) if parts(&best) >= parts(&next) => Some(best),
        _ => Some(next),
    });
    if let Some(object) = fullest {
        complete(call, &object);
    }
}

/// How many parts of input and output an object tells.
fn parts(object: &UsageObject<'_>) -> usize {
    let said = &object.reported;
    let parts = [
        said.cache_read,
        said.cache_write,
        said.cache_write_1h,
        said.reasoning,
        said.audio_in,
        said.audio_out,
    ];
    parts.iter().flatten().count()
}

fn is_usage_of(object: &UsageObject<'_>, said: &ReportedUsage) -> bool {
    let number = |count: Option<u64>| count.unwrap_or(0);
    let theirs = &object.reported;
    let input = number(theirs.input);
    let with_cached = input + number(theirs.cache_read) + number(theirs.cache_write);
    let output = number(theirs.output);
    let same_input = [input, with_cached].contains(&number(said.input));
    let same_output = [output, output + number(theirs.reasoning)].contains(&number(said.output));
    input + output > 0 && same_input && same_output
}

/// Google as the provider of a model whose name says so.
pub(super) fn google_if_gemini(model: Option<&str>) -> Option<&'static str> {
    model
        .filter(|model| model.contains("gemini"))
        .map(|_| "gcp.gemini")
}

/// The usage object in a slot.
pub(super) fn usage_object<'a>(slots: &Slots<'a>, slot: Slot) -> Option<UsageObject<'a>> {
    slots.value(slot).map(usage_object::read_value)
}

/// A cost in USD. Zero means that the emitter knew no price.
pub(super) fn cost(value: Value<'_>) -> Option<Usd> {
    let usd = match value {
        Value::Double(usd) => Usd::from_f64(usd),
        Value::Int(usd) => Usd::from_f64(usd as f64),
        Value::Str(text) => Usd::parse_decimal(text.trim()),
        _ => None,
    };
    usd.filter(|usd| usd.0 > 0)
}

/// The cost in a JSON object of costs: `total` or `total_cost`, else the sum of the parts.
pub(super) fn total_cost(text: &str) -> Option<Usd> {
    let parts: BTreeMap<String, f64> = serde_json::from_str(text).ok()?;
    let total = parts
        .get("total")
        .or_else(|| parts.get("total_cost"))
        .copied();
    cost(Value::Double(total.unwrap_or_else(|| parts.values().sum())))
}
