use std::time::Instant;

use opentelemetry::{Context, Key, KeyValue, StringValue, Value};

use crate::{
    Observed, Usage,
    call::strings,
    draft::{self, Begun, Draft},
    metrics::{CallKind, Measured},
    names, work_span,
};

/// A running model call.
///
/// Takes what the response says and ends with [`end`](Self::end) or [`fail`](Self::fail). One that is dropped before is
/// ended as well: as a success if its answer is known, else with the error `cancelled`.
#[must_use = "a call that is dropped at once ends at once"]
pub struct CallSpan(Option<Box<Live>>);

struct Live {
    begun: Begun,
    kind: CallKind,
    usage: Usage,
    has_response_model: bool,
    finish_reasons: Vec<StringValue>,
    attributes: Vec<KeyValue>,
    error: Option<StringValue>,
    last_chunk: Option<Instant>,
}

impl CallSpan {
    pub(crate) fn start(draft: Draft, kind: CallKind) -> Self {
        if draft.is_on() && kind == CallKind::Inference {
            work_span::count_inference(&draft.parent());
        }
        Self(draft.start().map(|begun| {
            Box::new(Live {
                begun,
                kind,
                usage: Usage::default(),
                has_response_model: false,
                finish_reasons: Vec::new(),
                attributes: Vec::with_capacity(12),
                error: None,
                last_chunk: None,
            })
        }))
    }

    /// The context in which this call is the current span: for what happens below it.
    pub fn context(&self) -> Context {
        match &self.0 {
            Some(live) => live.begun.context.clone(),
            None => Context::current(),
        }
    }

    /// The provider's id of the response. A duplicate of the same call is recognised by it.
    pub fn response_id(&mut self, id: impl Into<StringValue>) -> &mut Self {
        self.attribute(names::RESPONSE_ID, id.into())
    }

    /// The model that really answered.
    pub fn response_model(&mut self, model: impl Into<StringValue>) -> &mut Self {
        if let Some(live) = &mut self.0 {
            if !live.has_response_model {
                let attribute = KeyValue::new(names::RESPONSE_MODEL, model.into());
                if live.begun.active.metrics.listened() {
                    live.begun.labels.push(attribute.clone());
                }
                live.attributes.push(attribute);
                live.has_response_model = true;
            }
        }
        self
    }

    /// Why an answer ended; once per answer.
    pub fn finish_reason(&mut self, reason: impl Into<StringValue>) -> &mut Self {
        if let Some(live) = &mut self.0 {
            live.finish_reasons.push(reason.into());
        }
        self
    }

    /// The usage reported. A later report replaces an earlier one.
    pub fn usage(&mut self, usage: Usage) -> &mut Self {
        if let Some(live) = &mut self.0 {
            live.usage = usage;
        }
        self
    }

    /// OpenAI's service tier that served the request.
    pub fn openai_service_tier(&mut self, tier: impl Into<StringValue>) -> &mut Self {
        self.renamed(
            names::OPENAI_RESPONSE_SERVICE_TIER,
            names::OLD_OPENAI_RESPONSE_SERVICE_TIER,
            tier.into(),
        )
    }

    /// OpenAI's fingerprint of the serving system.
    pub fn openai_system_fingerprint(&mut self, fingerprint: impl Into<StringValue>) -> &mut Self {
        self.renamed(
            names::OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
            names::OLD_OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
            fingerprint.into(),
        )
    }

    /// The messages answered, as the conventions' JSON. Called and written only when content is captured.
    pub fn output_messages<T: Into<StringValue>>(&mut self, json: impl FnOnce() -> T) -> &mut Self {
        if self
            .0
            .as_ref()
            .is_some_and(|live| live.begun.active.content)
        {
            self.attribute(names::OUTPUT_MESSAGES, json().into());
        }
        self
    }

    /// Any further attribute.
    pub fn attribute(&mut self, key: impl Into<Key>, value: impl Into<Value>) -> &mut Self {
        if let Some(live) = &mut self.0 {
            live.attributes.push(KeyValue::new(key, value));
        }
        self
    }

    /// A chunk of a streamed answer has arrived.
    pub fn chunk(&mut self) -> &mut Self {
        if let Some(live) = &mut self.0 {
            live.chunk();
        }
        self
    }

    /// Marks the call as failed; it ends later. `error` is the provider's error code, the name of the error's type, or
    /// an HTTP status: anything with few values. The first error stays.
    pub fn error(&mut self, error: impl Into<StringValue>) -> &mut Self {
        if let Some(live) = &mut self.0 {
            if live.error.is_none() {
                live.error = Some(error.into());
            }
        }
        self
    }

    /// Ends the call.
    pub fn end(mut self) {
        if let Some(live) = self.0.take() {
            live.finish();
        }
    }

    /// Ends the call as failed, see [`error`](Self::error). Usage that is known is still written: it is still paid.
    pub fn fail(mut self, error: impl Into<StringValue>) {
        self.error(error);
        self.end();
    }

    /// Wraps the stream of a streamed answer: each item counts as a chunk and is shown to `observe` with this call; the
    /// call ends with the stream, also when the stream is dropped halfway.
    ///
    /// ```
    /// # use futures::{StreamExt, executor::block_on, stream};
    /// use costflame_instrumentation::{GenAi, Provider, Usage};
    ///
    /// # let genai = GenAi::off();
    /// # let chunks = stream::iter([Ok::<_, std::io::Error>(7)]);
    /// let call = genai.chat(Provider::OPENAI, "gpt-4o").streaming().start();
    /// let mut answer = call.observe(chunks, |call, chunk| match chunk {
    ///     Ok(tokens) => drop(call.usage(Usage::new(10, *tokens))),
    ///     Err(error) => drop(call.error("stream_error")),
    /// });
    /// # block_on(async move {
    /// while let Some(chunk) = answer.next().await { /* … */ }
    /// # });
    /// ```
    pub fn observe<S, F>(self, stream: S, observe: F) -> Observed<S, F>
    where
        S: futures_core::Stream,
        F: FnMut(&mut Self, &S::Item),
    {
        Observed::new(stream, self, observe)
    }

    fn renamed(
        &mut self,
        latest: &'static str,
        older: &'static str,
        value: StringValue,
    ) -> &mut Self {
        if let Some(live) = &mut self.0 {
            let naming = live.begun.active.conventions;
            if naming.older() {
                live.attributes.push(KeyValue::new(older, value.clone()));
            }
            if naming.latest() {
                live.attributes.push(KeyValue::new(latest, value));
            }
        }
        self
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        let Some(mut live) = self.0.take() else {
            return;
        };
        let answered = !live.finish_reasons.is_empty() || live.usage.output.is_some();
        if live.error.is_none() && !answered {
            live.error = Some("cancelled".into());
        }
        live.finish();
    }
}

impl Live {
    fn chunk(&mut self) {
        let now = Instant::now();
        let metrics = &self.begun.active.metrics;
        match self.last_chunk.replace(now) {
            Some(before) => {
                let gap = now.duration_since(before).as_secs_f64();
                metrics.next_chunk(gap, &self.begun.labels);
            }
            None => {
                let wait = now.duration_since(self.begun.at).as_secs_f64();
                metrics.first_chunk(wait, &self.begun.labels);
                self.attributes
                    .push(KeyValue::new(names::RESPONSE_TIME_TO_FIRST_CHUNK, wait));
            }
        }
    }

    fn finish(mut self) {
        if !self.finish_reasons.is_empty() {
            self.attributes.push(KeyValue::new(
                names::RESPONSE_FINISH_REASONS,
                strings(self.finish_reasons),
            ));
        }
        let active = &self.begun.active;
        self.usage.write(active.conventions, &mut self.attributes);
        let error = self.error.map(draft::error);
        let seconds = self.begun.seconds();
        self.begun.end(self.attributes, error.as_ref());
        active.metrics.call(Measured {
            kind: self.kind,
            seconds,
            usage: &self.usage,
            labels: self.begun.labels,
            error,
        });
    }
}
