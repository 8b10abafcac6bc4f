//! A program with the bridge to `tracing`, and a provider to call.

use costflame_examples::{Answer, MockProvider};
use costflame_instrumentation::{
    AttributionProcessor, GenAi, GenAiMiddleware, HttpCalls, Provider, attribute_to,
};
use opentelemetry::{Context, Value, trace::TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tracing_subscriber::layer::SubscriberExt;

pub(crate) struct Program {
    pub(crate) provider: MockProvider,
    spans: InMemorySpanExporter,
    genai: GenAi,
    _current: tracing::subscriber::DefaultGuard,
}

impl Program {
    pub(crate) async fn start() -> Self {
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(AttributionProcessor)
            .with_simple_exporter(spans.clone())
            .build();
        let bridge = tracing_opentelemetry::layer().with_tracer(tracers.tracer("tracing"));
        let subscriber = tracing_subscriber::registry().with(bridge);
        Self {
            provider: MockProvider::start().await.expect("a free port"),
            spans,
            genai: GenAi::builder().tracer_provider(&tracers).build(),
            _current: tracing::subscriber::set_default(subscriber),
        }
    }

    /// For whom the calls are.
    pub(crate) fn feature() -> Context {
        attribute_to().feature("search").context()
    }

    /// A client of `reqwest` whose calls are spans.
    pub(crate) fn client(&self) -> ClientWithMiddleware {
        let calls = HttpCalls::new().host(&*self.provider.address, Provider::OPENAI);
        ClientBuilder::new(reqwest::Client::new())
            .with(GenAiMiddleware::new(calls.genai(self.genai.clone())))
            .build()
    }

    /// The one answer of the provider, and the spans that tell its usage.
    pub(crate) fn answered(&self) -> (Vec<SpanData>, Answer) {
        let answers = self.provider.answers();
        let [answer] = &answers[..] else {
            panic!("{} answers", answers.len())
        };
        let all = self.spans.get_finished_spans().expect("spans");
        let is_call = |span: &&SpanData| text(span, "gen_ai.usage.output_tokens").is_some();
        let spans: Vec<SpanData> = all.iter().filter(is_call).cloned().collect();
        assert!(!spans.is_empty(), "{all:#?}");
        (spans, answer.clone())
    }
}

/// A span tells what the provider billed, for the feature it was for.
pub(crate) fn check(span: &SpanData, answer: &Answer) {
    assert_eq!(span.name, format!("chat {}", answer.model));
    let counts = [
        (
            "gen_ai.usage.input_tokens",
            answer.input + answer.cache_read,
        ),
        ("gen_ai.usage.cache_read.input_tokens", answer.cache_read),
        ("gen_ai.usage.output_tokens", answer.output),
    ];
    for (key, count) in counts {
        assert_eq!(
            text(span, key),
            Some(count.to_string()),
            "{key} of {span:#?}"
        );
    }
    assert_eq!(text(span, "costflame.feature").as_deref(), Some("search"));
    assert_eq!(text(span, "error.type"), None);
}

pub(crate) fn text(span: &SpanData, key: &str) -> Option<String> {
    let mut attributes = span.attributes.iter();
    let attribute = attributes.find(|attribute| attribute.key.as_str() == key)?;
    Some(match &attribute.value {
        Value::String(text) => text.as_str().to_owned(),
        other => other.to_string(),
    })
}
