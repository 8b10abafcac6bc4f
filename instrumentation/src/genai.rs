use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use opentelemetry::{
    Context, InstrumentationScope, StringValue,
    global::{self, BoxedTracer},
    metrics::MeterProvider,
    trace::{
        Span, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
        TracerProvider,
    },
};

use crate::{
    Agent, Embeddings, Inference, Provider, Rerank, Retrieval, Tool, Workflow,
    conventions::{self, Conventions},
    metrics::Metrics,
};

const SCOPE: &str = "costflame-instrumentation";

/// The way in: starts spans and records metrics of calls to language models.
///
/// Cheap to clone, to be kept and shared. Without a configured provider it does nothing, at the price of a branch.
///
/// ```
/// use costflame_instrumentation::{GenAi, Provider, Usage};
///
/// let genai = GenAi::global();
/// let mut call = genai.chat(Provider::OPENAI, "gpt-4o").max_tokens(200).start();
/// // … the request …
/// call.response_id("chatcmpl-1").response_model("gpt-4o-2024-08-06").finish_reason("stop");
/// call.usage(Usage::new(1200, 80).cache_read(1024));
/// call.end();
/// ```
#[derive(Clone, Default)]
pub struct GenAi(Option<Arc<Active>>);

/// What a configured [`GenAi`] shares.
pub(crate) struct Active {
    pub(crate) tracer: BoxedTracer,
    pub(crate) metrics: Metrics,
    pub(crate) conventions: Conventions,
    pub(crate) content: bool,
}

impl GenAi {
    /// The one that writes to the global tracer and meter providers, set up by the environment.
    ///
    /// To be called after the providers are set: what was asked before stays off. The first that is on is kept for the
    /// whole process.
    pub fn global() -> Self {
        static GLOBAL: RwLock<Option<GenAi>> = RwLock::new(None);
        if let Some(kept) = &*GLOBAL.read().unwrap_or_else(PoisonError::into_inner) {
            return kept.clone();
        }
        let genai = Self::builder().build();
        if genai.is_on() {
            *GLOBAL.write().unwrap_or_else(PoisonError::into_inner) = Some(genai.clone());
        }
        genai
    }

    /// One that does nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// One with its own providers or settings.
    pub fn builder() -> GenAiBuilder {
        GenAiBuilder::default()
    }

    /// Whether anything listens.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether prompts and completions are written, see [`GenAiBuilder::capture_content`].
    pub fn captures_content(&self) -> bool {
        self.0.as_ref().is_some_and(|active| active.content)
    }

    /// A chat completion: the request carries messages, the answer is generated.
    pub fn chat(&self, provider: Provider, model: impl Into<StringValue>) -> Inference {
        Inference::new(self, "chat", provider, model.into())
    }

    /// Multimodal generation, the operation of Gemini and Vertex AI.
    pub fn generate_content(&self, provider: Provider, model: impl Into<StringValue>) -> Inference {
        Inference::new(self, "generate_content", provider, model.into())
    }

    /// A completion of a plain text prompt.
    pub fn text_completion(&self, provider: Provider, model: impl Into<StringValue>) -> Inference {
        Inference::new(self, "text_completion", provider, model.into())
    }

    /// A call that embeds texts.
    pub fn embeddings(&self, provider: Provider, model: impl Into<StringValue>) -> Embeddings {
        Embeddings::new(self, provider, model.into())
    }

    /// A call that ranks documents. The conventions have no such operation yet; its name is `rerank`.
    pub fn rerank(&self, provider: Provider, model: impl Into<StringValue>) -> Rerank {
        Rerank::new(self, provider, model.into())
    }

    /// The run of an agent in this process.
    pub fn invoke_agent(&self, name: impl Into<StringValue>) -> Agent {
        Agent::internal(self, name.into())
    }

    /// The run of an agent in a service elsewhere.
    pub fn invoke_remote_agent(&self, provider: Provider, name: impl Into<StringValue>) -> Agent {
        Agent::remote(self, "invoke_agent", provider, name.into())
    }

    /// The creation of an agent in a service elsewhere.
    pub fn create_agent(&self, provider: Provider, name: impl Into<StringValue>) -> Agent {
        Agent::remote(self, "create_agent", provider, name.into())
    }

    /// A process coordinated by the application: agents, calls and tools run below it.
    pub fn invoke_workflow(&self, name: impl Into<StringValue>) -> Workflow {
        Workflow::new(self, name.into())
    }

    /// The execution of a tool that a model asked for.
    pub fn execute_tool(&self, name: impl Into<StringValue>) -> Tool {
        Tool::new(self, name.into())
    }

    /// A search that fetches context for a model, from the data source of that id.
    pub fn retrieval(&self, data_source: impl Into<StringValue>) -> Retrieval {
        Retrieval::new(self, data_source.into())
    }

    pub(crate) fn active(&self) -> Option<&Arc<Active>> {
        self.0.as_ref()
    }

    /// Counts a response whose usage could not be read, with the reason.
    #[cfg(feature = "http")]
    pub(crate) fn count_unread(&self, reason: &'static str) {
        if let Some(active) = &self.0 {
            active.metrics.count_unread(reason);
        }
    }
}

impl fmt::Debug for GenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAi").field("on", &self.is_on()).finish()
    }
}

/// Sets up a [`GenAi`].
///
/// What is not set comes from the global providers and from the environment.
#[derive(Default)]
pub struct GenAiBuilder {
    tracer: Option<BoxedTracer>,
    metrics: Option<Box<dyn MeterProvider>>,
    conventions: Option<Conventions>,
    content: Option<bool>,
}

impl GenAiBuilder {
    /// Writes spans to this provider.
    pub fn tracer_provider<P>(mut self, provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Tracer + Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Span + Send + Sync + 'static,
    {
        let tracer = provider.tracer_with_scope(self.scope());
        self.tracer = Some(BoxedTracer::new(Box::new(tracer)));
        self
    }

    /// Writes metrics to this provider.
    pub fn meter_provider(mut self, provider: impl MeterProvider + 'static) -> Self {
        self.metrics = Some(Box::new(provider));
        self
    }

    /// Writes this generation of names; to be called before [`tracer_provider`](Self::tracer_provider).
    pub fn conventions(mut self, conventions: Conventions) -> Self {
        self.conventions = Some(conventions);
        self
    }

    /// Whether prompts, completions, tool arguments and results are written to spans. They often hold personal data, so
    /// the default is what `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says, and no without it.
    pub fn capture_content(mut self, capture: bool) -> Self {
        self.content = Some(capture);
        self
    }

    /// Ready to use; off when neither provider listens.
    pub fn build(self) -> GenAi {
        let scope = self.scope();
        let conventions = self.naming();
        let tracer = self
            .tracer
            .unwrap_or_else(|| global::tracer_with_scope(scope.clone()));
        let meter = match self.metrics {
            Some(provider) => provider.meter_with_scope(scope),
            None => global::meter_with_scope(scope),
        };
        let metrics = Metrics::new(&meter, conventions);
        if !metrics.listened() && !listens(&tracer) {
            return GenAi::off();
        }
        GenAi(Some(Arc::new(Active {
            tracer,
            metrics,
            conventions,
            content: self.content.unwrap_or_else(conventions::content_from_env),
        })))
    }

    fn naming(&self) -> Conventions {
        self.conventions.unwrap_or_else(Conventions::from_env)
    }

    fn scope(&self) -> InstrumentationScope {
        InstrumentationScope::builder(SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(self.naming().schema_url())
            .build()
    }
}

impl fmt::Debug for GenAiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAiBuilder")
            .field("conventions", &self.conventions)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// Only a tracer without a provider answers with the identity of the parent it was given. The probe is suppressed, so
/// that a provider never exports it.
fn listens(tracer: &BoxedTracer) -> bool {
    let parent = SpanContext::new(
        TraceId::from(1),
        SpanId::from(1),
        TraceFlags::default(),
        true,
        TraceState::default(),
    );
    let context = Context::new()
        .with_remote_span_context(parent.clone())
        .with_telemetry_suppressed();
    tracer.start_with_context("probe", &context).span_context() != &parent
}
