//! A span that has not started yet, and one that has: what all operations share.

use std::{borrow::Cow, sync::Arc, time::Instant};

use opentelemetry::{
    Context, Key, KeyValue, StringValue, Value,
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt, Tracer},
};

use crate::{GenAi, Provider, attribution, genai::Active, names, usage::whole};

/// Collects what is known of an operation before it starts. Without a provider it is empty, so that handing it on from
/// setter to setter costs nothing.
#[derive(Default)]
pub(crate) struct Draft(Option<Box<Known>>);

struct Known {
    active: Arc<Active>,
    operation: &'static str,
    name: Option<String>,
    subject: Option<StringValue>,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    labels: Vec<KeyValue>,
    parent: Option<Context>,
}

/// A started span with what its end will need.
pub(crate) struct Begun {
    pub(crate) active: Arc<Active>,
    pub(crate) context: Context,
    pub(crate) at: Instant,
    /// Labels of the metrics.
    pub(crate) labels: Vec<KeyValue>,
    recording: bool,
}

impl Draft {
    pub(crate) fn new(genai: &GenAi, operation: &'static str, kind: SpanKind) -> Self {
        let Some(active) = genai.active() else {
            return Self(None);
        };
        // Room for what the end will add: the SDK keeps this very vector.
        let mut attributes = Vec::with_capacity(24);
        attributes.push(KeyValue::new(names::OPERATION_NAME, operation));
        let labels = match active.metrics.listened() {
            true => Vec::with_capacity(12),
            false => Vec::new(),
        };
        Self(Some(Box::new(Known {
            active: Arc::clone(active),
            operation,
            name: None,
            subject: None,
            kind,
            attributes,
            labels,
            parent: None,
        })))
    }

    /// The low-cardinality part of the span's name that follows the operation.
    pub(crate) fn subject(&mut self, key: &'static str, subject: StringValue) {
        let Some(known) = &mut self.0 else { return };
        if subject.as_str().is_empty() {
            return;
        }
        known.name = Some([known.operation, " ", subject.as_str()].concat());
        let mut subject = subject;
        // Metrics and agents ask for it again.
        if known.is_measured() || known.kind == SpanKind::Internal {
            subject = shared(subject);
            known.subject = Some(subject.clone());
        }
        known.attributes.push(KeyValue::new(key, subject));
    }

    pub(crate) fn provider(&mut self, provider: &Provider) {
        let Some(known) = &mut self.0 else { return };
        let naming = known.active.conventions;
        if naming.latest() {
            known.label(names::PROVIDER_NAME, provider.name());
        }
        if naming.older() {
            known.label(names::OLD_SYSTEM, provider.system());
        }
    }

    pub(crate) fn server(&mut self, address: impl Into<StringValue>, port: u16) {
        if let Some(known) = &mut self.0 {
            known.label(names::SERVER_ADDRESS, address.into());
            known.label(names::SERVER_PORT, i64::from(port));
        }
    }

    pub(crate) fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        if let Some(known) = &mut self.0 {
            known.attributes.push(KeyValue::new(key, value));
        }
    }

    pub(crate) fn count(&mut self, key: &'static str, count: u64) {
        self.set(key, whole(count));
    }

    /// A double in v1.36, an integer since.
    pub(crate) fn top_k(&mut self, k: u64) {
        let Some(known) = &self.0 else { return };
        match known.active.conventions.latest() {
            true => self.count(names::REQUEST_TOP_K, k),
            false => self.set(names::REQUEST_TOP_K, k as f64),
        }
    }

    /// An attribute whose name changed since v1.36.
    pub(crate) fn renamed(
        &mut self,
        latest: &'static str,
        older: &'static str,
        value: StringValue,
    ) {
        let Some(known) = &self.0 else { return };
        let naming = known.active.conventions;
        if naming.older() {
            self.set(older, value.clone());
        }
        if naming.latest() {
            self.set(latest, value);
        }
    }

    /// An attribute that is written only when content was asked for.
    pub(crate) fn content<T: Into<StringValue>>(
        &mut self,
        key: &'static str,
        value: impl FnOnce() -> T,
    ) {
        if self.0.as_ref().is_some_and(|known| known.active.content) {
            self.set(key, value().into());
        }
    }

    /// An attribute that is a label of the metrics as well.
    pub(crate) fn label(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(known) = &mut self.0 {
            known.label(key, value);
        }
    }

    /// A label of the metrics that is an attribute already, or none.
    pub(crate) fn label_only(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(known) = self.0.as_mut().filter(|known| known.is_measured()) {
            known.labels.push(KeyValue::new(key, value));
        }
    }

    /// An attribute that the latest conventions have for remote operations only.
    pub(crate) fn set_if_remote(&mut self, key: &'static str, value: StringValue) {
        let Some(known) = &self.0 else { return };
        if known.active.conventions.older() || known.kind != SpanKind::Internal {
            self.set(key, value);
        }
    }

    pub(crate) fn is_internal(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|known| known.kind == SpanKind::Internal)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The subject, where metrics or an agent need it.
    pub(crate) fn subject_value(&self) -> Option<&StringValue> {
        self.0.as_ref()?.subject.as_ref()
    }

    pub(crate) fn under(&mut self, parent: &Context) {
        if let Some(known) = &mut self.0 {
            known.parent = Some(parent.clone());
        }
    }

    pub(crate) fn parent(&self) -> Context {
        let given = self.0.as_ref().and_then(|known| known.parent.clone());
        given.unwrap_or_else(Context::current)
    }

    /// The name of the span.
    pub(crate) fn name(&self) -> &str {
        self.0.as_ref().map_or("", |known| known.name())
    }

    pub(crate) fn start(self) -> Option<Begun> {
        let mut known = *self.0?;
        let name = match known.name.take() {
            Some(name) => Cow::Owned(name),
            None => Cow::Borrowed(known.operation),
        };
        let parent = known.parent.take().unwrap_or_else(Context::current);
        known.attributes.extend(attribution::attributes(&parent));
        let builder = SpanBuilder {
            span_kind: Some(known.kind),
            attributes: Some(known.attributes),
            ..SpanBuilder::from_name(name)
        };
        let span = known
            .active
            .tracer
            .build_with_context(builder, &attribution::marked(&parent));
        let context = parent.with_span(span);
        Some(Begun {
            recording: context.span().is_recording(),
            context,
            at: Instant::now(),
            labels: known.labels,
            active: known.active,
        })
    }
}

impl Known {
    fn label(&mut self, key: &'static str, value: impl Into<Value>) {
        let label = KeyValue::new(key, value);
        if self.is_measured() {
            self.labels.push(label.clone());
        }
        self.attributes.push(label);
    }

    fn is_measured(&self) -> bool {
        self.active.metrics.listened()
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.operation)
    }
}

impl Begun {
    pub(crate) fn seconds(&self) -> f64 {
        self.at.elapsed().as_secs_f64()
    }

    /// Writes the last attributes and ends the span.
    pub(crate) fn end(&self, attributes: Vec<KeyValue>, error: Option<&KeyValue>) {
        let span = self.context.span();
        if self.recording {
            span.set_attributes(attributes);
            if let Some(error) = error {
                span.set_attribute(error.clone());
                span.set_status(Status::error(""));
            }
        }
        span.end();
    }
}

/// The same text, cheap to clone.
pub(crate) fn shared(text: StringValue) -> StringValue {
    Arc::<str>::from(text.as_str()).into()
}

pub(crate) fn error(kind: StringValue) -> KeyValue {
    KeyValue::new(names::ERROR_TYPE, kind)
}
