use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use opentelemetry::{Context, ContextGuard, Key, KeyValue, StringValue, Value, trace::FutureExt};

use crate::{
    Usage, attribution,
    draft::{self, Begun, Draft},
    metrics::{AgentCalls, Work},
    names,
};

/// A running agent, workflow, tool or retrieval: what model calls happen below.
///
/// Ends with [`end`](Self::end), [`fail`](Self::fail), at the end of [`run`](Self::run), or when it is dropped.
#[must_use = "a span that is dropped at once ends at once"]
pub struct WorkSpan(Option<Box<Live>>);

struct Live {
    begun: Begun,
    /// Below the span: with its step on the path, and with its run if it is an agent's.
    below: Context,
    kind: Kind,
    internal: bool,
    /// Of an agent of this process.
    run: Option<Arc<AgentRun>>,
    attributes: Vec<KeyValue>,
    error: Option<StringValue>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Tool,
    Workflow,
    Other,
}

/// Counts what an agent does, in the context of its run.
struct AgentRun {
    name: Option<StringValue>,
    inference_calls: AtomicU64,
    tool_calls: AtomicU64,
}

impl WorkSpan {
    pub(crate) fn start(draft: Draft, kind: Kind) -> Self {
        if !draft.is_on() {
            return Self(None);
        }
        let (step, name) = (draft.name().to_owned(), draft.subject_value().cloned());
        let internal = draft.is_internal();
        let Some(begun) = draft.start() else {
            return Self(None);
        };
        let mut below = attribution::step_into(&begun.context, &step);
        let run = (kind == Kind::Agent && internal).then(|| {
            Arc::new(AgentRun {
                name,
                inference_calls: AtomicU64::new(0),
                tool_calls: AtomicU64::new(0),
            })
        });
        if let Some(run) = &run {
            below = below.with_value(Arc::clone(run));
        }
        Self(Some(Box::new(Live {
            begun,
            below,
            kind,
            internal,
            run,
            attributes: Vec::new(),
            error: None,
        })))
    }

    /// The context for what happens below this span. Give it to futures:
    /// `future.with_context(span.context())` with [`opentelemetry::trace::FutureExt`].
    pub fn context(&self) -> Context {
        match &self.0 {
            Some(live) => live.below.clone(),
            None => Context::current(),
        }
    }

    /// Makes it current on this thread until the guard is dropped; not to be held across an `.await`.
    pub fn attach(&self) -> ContextGuard {
        self.context().attach()
    }

    /// Runs a future below this span and ends the span with it: as failed when it answers `Err`.
    ///
    /// ```
    /// # use costflame_instrumentation::GenAi;
    /// # async fn search() -> Result<Vec<String>, std::io::Error> { Ok(Vec::new()) }
    /// # async fn agent(genai: GenAi) -> Result<(), std::io::Error> {
    /// let hits = genai.execute_tool("search").start().run(search()).await?;
    /// # Ok(()) }
    /// ```
    pub async fn run<T, E>(mut self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let result = future.with_context(self.context()).await;
        if result.is_err() {
            self.error(std::any::type_name::<E>());
        }
        self.end();
        result
    }

    /// What an agent's run used in all, if the agent is told so. Calls below it are counted by themselves; for an agent of
    /// this process the latest conventions have no more than input and output.
    pub fn usage(&mut self, mut usage: Usage) -> &mut Self {
        if let Some(live) = &mut self.0 {
            let conventions = live.begun.active.conventions;
            if live.internal && !conventions.older() {
                usage = Usage {
                    input: usage.input,
                    output: usage.output,
                    ..Usage::default()
                };
            }
            usage.write(conventions, &mut live.attributes);
        }
        self
    }

    /// The result of a tool as JSON; called and written only when content is captured.
    pub fn result<T: Into<StringValue>>(&mut self, json: impl FnOnce() -> T) -> &mut Self {
        self.content(names::TOOL_CALL_RESULT, json)
    }

    /// The messages an agent answered, as [`result`](Self::result).
    pub fn output_messages<T: Into<StringValue>>(&mut self, json: impl FnOnce() -> T) -> &mut Self {
        self.content(names::OUTPUT_MESSAGES, json)
    }

    /// The documents a retrieval found, as [`result`](Self::result).
    pub fn documents<T: Into<StringValue>>(&mut self, json: impl FnOnce() -> T) -> &mut Self {
        self.content(names::RETRIEVAL_DOCUMENTS, json)
    }

    /// Any further attribute.
    pub fn attribute(&mut self, key: impl Into<Key>, value: impl Into<Value>) -> &mut Self {
        if let Some(live) = &mut self.0 {
            live.attributes.push(KeyValue::new(key, value));
        }
        self
    }

    /// Marks it as failed; it ends later. The first error stays.
    pub fn error(&mut self, error: impl Into<StringValue>) -> &mut Self {
        if let Some(live) = &mut self.0 {
            if live.error.is_none() {
                live.error = Some(error.into());
            }
        }
        self
    }

    /// Ends it as failed.
    pub fn fail(mut self, error: impl Into<StringValue>) {
        self.error(error);
    }

    /// Ends it.
    pub fn end(self) {}

    fn content<T: Into<StringValue>>(
        &mut self,
        key: &'static str,
        json: impl FnOnce() -> T,
    ) -> &mut Self {
        if self
            .0
            .as_ref()
            .is_some_and(|live| live.begun.active.content)
        {
            self.attribute(key, json().into());
        }
        self
    }
}

impl Drop for WorkSpan {
    fn drop(&mut self) {
        if let Some(live) = self.0.take() {
            live.finish();
        }
    }
}

impl Live {
    fn finish(self) {
        let error = self.error.map(draft::error);
        let seconds = self.begun.seconds();
        self.begun.end(self.attributes, error.as_ref());
        let mut labels = self.begun.labels;
        labels.extend(error);
        let calls = |run: &Arc<AgentRun>| AgentCalls {
            inference: run.inference_calls.load(Relaxed),
            tools: run.tool_calls.load(Relaxed),
        };
        let work = match self.kind {
            Kind::Agent => Work::Agent(self.run.as_ref().map(calls)),
            Kind::Tool => Work::Tool,
            Kind::Workflow => Work::Workflow,
            Kind::Other => Work::Other,
        };
        self.begun.active.metrics.work(&work, seconds, &labels);
    }
}

/// Counts a model call of the agent that runs in `context`.
pub(crate) fn count_inference(context: &Context) {
    if let Some(run) = context.get::<Arc<AgentRun>>() {
        run.inference_calls.fetch_add(1, Relaxed);
    }
}

/// Counts a tool call of the agent that runs in `context`, and tells the agent's name.
pub(crate) fn count_tool(context: &Context) -> Option<StringValue> {
    let run = context.get::<Arc<AgentRun>>()?;
    run.tool_calls.fetch_add(1, Relaxed);
    run.name.clone()
}
