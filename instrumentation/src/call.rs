use opentelemetry::{Array, Context, Key, StringValue, Value, trace::SpanKind};

use crate::{CallSpan, GenAi, Provider, draft::Draft, metrics::CallKind, names, usage::whole};

/// Setters that write one attribute each.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => |$draft:ident, $value:ident| $write:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $value: $type) -> Self {
            let $draft = &mut self.draft;
            $write;
            self
        }
    )*};
}

/// Setters every model call has.
macro_rules! common {
    () => {
        /// The server that is called, `server.address` and `server.port`.
        pub fn server(mut self, address: impl Into<StringValue>, port: u16) -> Self {
            self.draft.server(address, port);
            self
        }

        /// Any further attribute.
        pub fn attribute(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
            self.draft.set(key, value);
            self
        }

        /// Makes it a child of this context's span instead of the current one's.
        pub fn under(mut self, parent: &Context) -> Self {
            self.draft.under(parent);
            self
        }
    };
}

/// A call that generates: chat, content generation, text completion. Made by [`GenAi::chat`] and its like.
#[must_use = "nothing is measured before `start`"]
pub struct Inference {
    draft: Draft,
}

impl Inference {
    pub(crate) fn new(
        genai: &GenAi,
        operation: &'static str,
        provider: Provider,
        model: StringValue,
    ) -> Self {
        Self {
            draft: model_call(genai, operation, &provider, model),
        }
    }

    common!();

    setters! {
        /// The most tokens to generate.
        max_tokens: u64 => |draft, tokens| draft.count(names::REQUEST_MAX_TOKENS, tokens);
        /// The sampling temperature.
        temperature: f64 => |draft, value| draft.set(names::REQUEST_TEMPERATURE, value);
        /// Nucleus sampling.
        top_p: f64 => |draft, value| draft.set(names::REQUEST_TOP_P, value);
        /// Sampling among the k likeliest tokens. A float in v1.36, an integer since.
        top_k: u64 => |draft, k| draft.top_k(k);
        /// The seed of a reproducible answer.
        seed: i64 => |draft, seed| draft.set(names::REQUEST_SEED, seed);
        /// How many answers are asked for; 1 is the default and not written.
        choices: u64 => |draft, count| if count != 1 { draft.count(names::REQUEST_CHOICE_COUNT, count) };
        /// The frequency penalty.
        frequency_penalty: f64 => |draft, value| draft.set(names::REQUEST_FREQUENCY_PENALTY, value);
        /// The presence penalty.
        presence_penalty: f64 => |draft, value| draft.set(names::REQUEST_PRESENCE_PENALTY, value);
    }

    /// The answer will be streamed.
    pub fn streaming(mut self) -> Self {
        self.draft.set(names::REQUEST_STREAM, true);
        self
    }

    /// Sequences that end the answer.
    pub fn stop_sequences(
        mut self,
        sequences: impl IntoIterator<Item = impl Into<StringValue>>,
    ) -> Self {
        self.draft
            .set(names::REQUEST_STOP_SEQUENCES, strings(sequences));
        self
    }

    /// The effort of reasoning asked for: `low`, `high` and so on.
    pub fn reasoning_level(mut self, level: impl Into<StringValue>) -> Self {
        self.draft.set(names::REQUEST_REASONING_LEVEL, level.into());
        self
    }

    /// What kind of output is asked for: `text`, `json`, `image`, `speech`.
    pub fn output_type(mut self, kind: impl Into<StringValue>) -> Self {
        self.draft.set(names::OUTPUT_TYPE, kind.into());
        self
    }

    /// The conversation it belongs to, if the application or the provider has an id for one.
    pub fn conversation(mut self, id: impl Into<StringValue>) -> Self {
        self.draft.set(names::CONVERSATION_ID, id.into());
        self
    }

    /// The response it continues.
    pub fn previous_response(mut self, id: impl Into<StringValue>) -> Self {
        self.draft
            .set(names::REQUEST_PREVIOUS_RESPONSE_ID, id.into());
        self
    }

    /// The prompt template and its version.
    pub fn prompt(
        mut self,
        name: impl Into<StringValue>,
        version: Option<impl Into<StringValue>>,
    ) -> Self {
        self.draft.set(names::PROMPT_NAME, name.into());
        if let Some(version) = version {
            self.draft.set(names::PROMPT_VERSION, version.into());
        }
        self
    }

    /// OpenAI's service tier asked for.
    pub fn openai_service_tier(mut self, tier: impl Into<StringValue>) -> Self {
        self.draft.renamed(
            names::OPENAI_REQUEST_SERVICE_TIER,
            names::OLD_OPENAI_REQUEST_SERVICE_TIER,
            tier.into(),
        );
        self
    }

    /// OpenAI's interface: `chat_completions` or `responses`.
    pub fn openai_api(mut self, api: &'static str) -> Self {
        self.draft.set(names::OPENAI_API_TYPE, api);
        self
    }

    /// The messages sent, as the conventions' JSON. Called and written only when content is
    /// [captured](GenAi::captures_content).
    pub fn input_messages<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::INPUT_MESSAGES, json);
        self
    }

    /// The system instructions, as [`input_messages`](Self::input_messages).
    pub fn system_instructions<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::SYSTEM_INSTRUCTIONS, json);
        self
    }

    /// The tools offered, as [`input_messages`](Self::input_messages).
    pub fn tool_definitions<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::TOOL_DEFINITIONS, json);
        self
    }

    /// Starts the span; to be called when the request is sent.
    pub fn start(self) -> CallSpan {
        CallSpan::start(self.draft, CallKind::Inference)
    }
}

/// A call that embeds. Made by [`GenAi::embeddings`].
#[must_use = "nothing is measured before `start`"]
pub struct Embeddings {
    draft: Draft,
}

impl Embeddings {
    pub(crate) fn new(genai: &GenAi, provider: Provider, model: StringValue) -> Self {
        Self {
            draft: model_call(genai, "embeddings", &provider, model),
        }
    }

    common!();

    setters! {
        /// The dimensions each embedding shall have.
        dimensions: u64 => |draft, count| draft.count(names::EMBEDDINGS_DIMENSION_COUNT, count);
    }

    /// The encodings asked for: `float`, `base64`.
    pub fn encoding_formats(
        mut self,
        formats: impl IntoIterator<Item = impl Into<StringValue>>,
    ) -> Self {
        self.draft
            .set(names::REQUEST_ENCODING_FORMATS, strings(formats));
        self
    }

    /// Starts the span; to be called when the request is sent.
    pub fn start(self) -> CallSpan {
        CallSpan::start(self.draft, CallKind::Embeddings)
    }
}

/// A call that ranks documents. Made by [`GenAi::rerank`].
#[must_use = "nothing is measured before `start`"]
pub struct Rerank {
    draft: Draft,
}

impl Rerank {
    pub(crate) fn new(genai: &GenAi, provider: Provider, model: StringValue) -> Self {
        Self {
            draft: model_call(genai, "rerank", &provider, model),
        }
    }

    common!();

    setters! {
        /// How many of the best are asked for.
        top_n: u64 => |draft, count| draft.set(names::RETRIEVAL_TOP_K, whole(count));
    }

    /// Starts the span; to be called when the request is sent.
    pub fn start(self) -> CallSpan {
        CallSpan::start(self.draft, CallKind::Rerank)
    }
}

fn model_call(
    genai: &GenAi,
    operation: &'static str,
    provider: &Provider,
    model: StringValue,
) -> Draft {
    let mut draft = Draft::new(genai, operation, SpanKind::Client);
    if !draft.is_on() {
        return draft;
    }
    draft.label_only(names::OPERATION_NAME, operation);
    draft.provider(provider);
    draft.subject(names::REQUEST_MODEL, model);
    if let Some(model) = draft.subject_value().cloned() {
        draft.label_only(names::REQUEST_MODEL, model);
    }
    draft
}

pub(crate) fn strings(values: impl IntoIterator<Item = impl Into<StringValue>>) -> Value {
    Value::Array(Array::String(values.into_iter().map(Into::into).collect()))
}
