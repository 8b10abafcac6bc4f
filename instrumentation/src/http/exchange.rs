//! One request and its response, as a span.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use opentelemetry::Context;

use super::{
    endpoint::{Api, Endpoint},
    facts::{Facts, Slot},
    frames::Frames,
    skim::Skimmer,
    sse::{Event, Sse},
    tables,
};
use crate::{CallSpan, GenAi, Inference, Provider, names, usage::whole};

/// A recognised request.
pub(super) struct Exchange {
    genai: GenAi,
    endpoint: Endpoint,
    host: Arc<str>,
    port: u16,
    parent: Context,
}

/// What of a request's body can be read before it is sent.
pub(super) enum RequestBody<'a> {
    Bytes(&'a [u8]),
    /// It is a stream, or larger than what is held for it.
    Unread,
}

impl Exchange {
    /// To be called where the request is made: the span that is current then is the parent.
    pub(super) fn new(genai: GenAi, endpoint: Endpoint, host: &str, port: u16) -> Self {
        Self {
            genai,
            endpoint,
            host: host.into(),
            port,
            parent: Context::current(),
        }
    }

    /// Starts the span.
    pub(super) fn start(self, body: RequestBody<'_>) -> Started {
        let mut facts = Facts::default();
        let unread = match body {
            RequestBody::Bytes(bytes) => {
                let mut json = Skimmer::new(tables::REQUEST);
                json.feed(bytes, &mut facts);
                !json.is_whole()
            }
            RequestBody::Unread => true,
        };
        let call = self.call(&mut facts);
        let lacks_usage_option = wants_usage_option(&self.endpoint, &facts);
        facts.clear();
        let mut started = Started {
            api: self.endpoint.api,
            lacks_usage_option,
            genai: self.genai,
            call,
            facts,
        };
        if unread {
            started.genai.count_unread("request");
            started.call.attribute(names::UNREAD, "request");
        }
        started
    }

    fn call(&self, facts: &mut Facts) -> CallSpan {
        let provider = self.endpoint.provider.clone();
        let model = facts
            .take_text(Slot::Model)
            .or_else(|| self.endpoint.model.clone())
            .unwrap_or_default();
        let genai = &self.genai;
        match self.endpoint.api {
            Api::Embeddings | Api::CohereEmbed | Api::GoogleEmbed => {
                self.embeddings(provider, model, facts)
            }
            Api::Invoke if model.contains("embed") => self.embeddings(provider, model, facts),
            Api::Rerank => {
                let mut call = genai
                    .rerank(provider, model)
                    .under(&self.parent)
                    .server(self.host.clone(), self.port);
                if let Some(count) = facts.count(Slot::TopN) {
                    call = call.top_n(count);
                }
                call.start()
            }
            Api::Generate => self.inference(genai.generate_content(provider, model), facts),
            Api::Completions => self.inference(genai.text_completion(provider, model), facts),
            _ => self.inference(genai.chat(provider, model), facts),
        }
    }

    fn embeddings(&self, provider: Provider, model: String, facts: &Facts) -> CallSpan {
        let mut call = self
            .genai
            .embeddings(provider, model)
            .under(&self.parent)
            .server(self.host.clone(), self.port);
        if let Some(count) = facts.count(Slot::Dimensions) {
            call = call.dimensions(count);
        }
        if facts.is_known(Slot::EncodingFormat) {
            let formats = facts.texts(Slot::EncodingFormat).map(str::to_owned);
            call = call.encoding_formats(formats);
        }
        call.start()
    }

    fn inference(&self, mut call: Inference, facts: &Facts) -> CallSpan {
        /// Applies a setter to a value that is known.
        macro_rules! set {
            ($($setter:ident($value:expr);)*) => {$(
                if let Some(value) = $value {
                    call = call.$setter(value);
                }
            )*};
        }
        let text = |slot| facts.get_text(slot).map(str::to_owned);
        call = call
            .under(&self.parent)
            .server(self.host.clone(), self.port);
        set! {
            max_tokens(facts.count(Slot::MaxTokens));
            temperature(facts.float(Slot::Temperature));
            top_p(facts.float(Slot::TopP));
            top_k(facts.count(Slot::TopK));
            seed(facts.signed(Slot::Seed));
            choices(facts.count(Slot::Choices));
            frequency_penalty(facts.float(Slot::FrequencyPenalty));
            presence_penalty(facts.float(Slot::PresencePenalty));
            reasoning_level(text(Slot::ReasoningLevel));
            output_type(facts.get_text(Slot::OutputType).map(output_type));
            previous_response(text(Slot::PreviousResponse));
            conversation(text(Slot::Conversation));
        }
        if facts.is_known(Slot::Stop) {
            call = call.stop_sequences(facts.texts(Slot::Stop).map(str::to_owned));
        }
        if self.endpoint.streaming || facts.is_set(Slot::Stream) {
            call = call.streaming();
        }
        if is_openai(&self.endpoint.provider) {
            if let Some(tier) = text(Slot::Tier) {
                call = call.openai_service_tier(tier);
            }
            match self.endpoint.api {
                Api::Chat => call = call.openai_api("chat_completions"),
                Api::Responses => call = call.openai_api("responses"),
                _ => {}
            }
        }
        call.start()
    }
}

fn is_openai(provider: &Provider) -> bool {
    [Provider::OPENAI, Provider::AZURE_OPENAI].contains(provider)
}

fn wants_usage_option(endpoint: &Endpoint, facts: &Facts) -> bool {
    endpoint.api == Api::Chat && facts.is_set(Slot::Stream) && !facts.is_known(Slot::StreamOptions)
}

fn output_type(format: &str) -> String {
    match format {
        "json_object" | "json_schema" | "application/json" => "json",
        "text/plain" => "text",
        other => other,
    }
    .to_owned()
}

/// A call whose request is on its way.
pub(super) struct Started {
    genai: GenAi,
    api: Api,
    pub(super) call: CallSpan,
    /// Empty: room for those of the response.
    facts: Facts,
    #[cfg_attr(
        not(any(feature = "reqwest", feature = "tower")),
        expect(dead_code, reason = "only these may change a request")
    )]
    /// A streamed chat completion that does not say whether it wants its usage.
    pub(super) lacks_usage_option: bool,
}

impl Started {
    /// No response came.
    pub(super) fn fail(self, error: String) {
        self.call.fail(error);
    }

    /// The head of the response is here; its body will pass through the watcher.
    pub(super) fn respond(self, status: StatusCode, headers: &HeaderMap) -> Watch {
        let mut facts = self.facts;
        if self.api == Api::Invoke {
            for (name, slot) in INVOKE_HEADERS {
                if let Some(count) = headers.get(name).and_then(|value| value.to_str().ok()) {
                    facts.number(slot, count);
                }
            }
        }
        Watch {
            reader: Reader::of(headers, self.api),
            genai: self.genai,
            api: self.api,
            call: Some(self.call),
            status,
            facts,
            broken: false,
        }
    }
}

/// Where invoke counts tokens whatever the model's own format.
const INVOKE_HEADERS: [(&str, Slot); 4] = [
    ("x-amzn-bedrock-input-token-count", Slot::Input),
    ("x-amzn-bedrock-output-token-count", Slot::Output),
    (
        "x-amzn-bedrock-cache-read-input-token-count",
        Slot::CacheRead,
    ),
    (
        "x-amzn-bedrock-cache-write-input-token-count",
        Slot::CacheWrite,
    ),
];

/// Watches a response's body pass and ends the call with it.
pub(super) struct Watch {
    genai: GenAi,
    api: Api,
    call: Option<CallSpan>,
    status: StatusCode,
    facts: Facts,
    reader: Reader,
    broken: bool,
}

enum Reader {
    Json(Skimmer),
    Sse(Sse),
    Frames(Box<Frames>),
    /// Compressed where it is watched.
    Encoded,
}

impl Reader {
    fn of(headers: &HeaderMap, api: Api) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let encoding = text(header::CONTENT_ENCODING).unwrap_or("identity");
        if !encoding.eq_ignore_ascii_case("identity") {
            return Self::Encoded;
        }
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            Self::Sse(Sse::new(api.table()))
        } else if kind.starts_with("application/vnd.amazon.eventstream") {
            Self::Frames(Box::new(Frames::new(api.table())))
        } else {
            Self::Json(Skimmer::new(api.table()))
        }
    }
}

impl Watch {
    /// The next bytes of the body.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let Some(call) = &mut self.call else { return };
        let broken = &mut self.broken;
        match &mut self.reader {
            Reader::Json(json) => json.feed(bytes, &mut self.facts),
            Reader::Sse(sse) => sse.feed(bytes, &mut self.facts, &mut |event| {
                sse_event(event, call, broken);
            }),
            Reader::Frames(frames) => frames.feed(bytes, &mut self.facts, &mut |whole| {
                call.chunk();
                *broken |= !whole;
            }),
            Reader::Encoded => {}
        }
    }

    /// The body has ended.
    pub(super) fn end(&mut self) {
        let unread = self.unread().filter(|_| self.status.is_success());
        let Some(mut call) = self.told() else { return };
        // Errors often come as plain text, and carry no usage anyway.
        if let Some(reason) = unread {
            self.genai.count_unread(reason);
            call.attribute(names::UNREAD, reason);
        }
        call.end();
    }

    /// The body has failed.
    pub(super) fn fail(&mut self, error: &'static str) {
        if let Some(mut call) = self.told() {
            call.error(error);
            call.end();
        }
    }

    /// Why the body, which has ended, was not read, or not to its end.
    fn unread(&mut self) -> Option<&'static str> {
        let whole = match &mut self.reader {
            Reader::Encoded => return Some("encoded"),
            Reader::Json(json) => json.is_whole(),
            Reader::Frames(frames) => frames.is_whole() && !self.broken,
            Reader::Sse(sse) => {
                let (call, broken) = (self.call.as_mut()?, &mut self.broken);
                sse.finish(&mut |event| sse_event(event, call, broken));
                !self.broken
            }
        };
        (!whole).then_some("invalid")
    }

    /// The call, with all that was found told to it.
    fn told(&mut self) -> Option<CallSpan> {
        let mut call = self.call.take()?;
        self.tell(&mut call);
        Some(call)
    }

    fn tell(&mut self, call: &mut CallSpan) {
        if let Some(error) = self.error() {
            call.error(error);
        }
        let facts = &mut self.facts;
        call.usage(facts.usage(self.api.accounting()));
        if let Some(id) = facts.take_text(Slot::Id) {
            call.response_id(id);
        }
        if let Some(model) = facts.take_text(Slot::Model) {
            call.response_model(model);
        }
        let status = facts.take_text(Slot::Status);
        let mut reasons = facts.take_texts(Slot::Finish).peekable();
        let status = status.filter(|_| reasons.peek().is_none());
        for reason in reasons {
            call.finish_reason(reason);
        }
        if let Some(status) = status.filter(|status| is_final(status)) {
            call.finish_reason(status);
        }
        if let Some(tier) = facts.take_text(Slot::Tier) {
            match self.api {
                Api::Messages => drop(call.attribute("anthropic.response.service_tier", tier)),
                _ => drop(call.openai_service_tier(tier)),
            };
        }
        if let Some(fingerprint) = facts.take_text(Slot::Fingerprint) {
            call.openai_system_fingerprint(fingerprint);
        }
    }

    /// The provider's name for what went wrong, else the HTTP status.
    fn error(&self) -> Option<String> {
        let named = [Slot::ErrorCode, Slot::ErrorType, Slot::ErrorStatus]
            .into_iter()
            .filter_map(|slot| self.facts.get_text(slot))
            .find(|name| is_name(name));
        if let Some(name) = named {
            return Some(name.to_owned());
        }
        let failed = [Slot::ErrorCode, Slot::ErrorType].map(|slot| self.facts.count(slot));
        if let Some(code) = failed.into_iter().flatten().next() {
            return Some(whole(code).to_string());
        }
        if self.facts.get_text(Slot::Event) == Some("error") {
            return Some("error".to_owned());
        }
        // Cohere ends a failed stream so, with no more than a sentence beside it.
        let mut finished = self.facts.texts(Slot::Finish);
        if let Some(failed) = finished.find(|reason| reason.starts_with("ERROR")) {
            return Some(failed.to_owned());
        }
        (!self.status.is_success()).then(|| self.status.as_u16().to_string())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Whoever read the answer to its end may drop the body without asking for more; what is not answered by then
        // is cancelled, which the call finds out.
        drop(self.told());
    }
}

fn sse_event(event: Event, call: &mut CallSpan, broken: &mut bool) {
    match event {
        Event::Json => drop(call.chunk()),
        Event::Done => {}
        Event::Broken => *broken = true,
    }
}

/// Whether a response of OpenAI's newer interface has come to an end.
fn is_final(status: &str) -> bool {
    matches!(status, "completed" | "incomplete" | "failed" | "cancelled")
}

/// Whether an error's name can be a metric's label: few values, so no sentence and no id.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(any(feature = "reqwest", feature = "tower"))]
/// A request's JSON object with the option that asks for usage as its first member.
pub(super) fn with_usage_option(body: &[u8]) -> Option<Vec<u8>> {
    const OPTION: &[u8] = br#""stream_options":{"include_usage":true},"#;
    let at = body.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if body[at] != b'{' {
        return None;
    }
    Some([&body[..=at], OPTION, &body[at + 1..]].concat())
}
