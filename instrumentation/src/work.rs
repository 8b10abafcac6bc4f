use opentelemetry::{Context, Key, StringValue, Value, trace::SpanKind};

use crate::{
    GenAi, Provider, WorkSpan,
    draft::Draft,
    names,
    work_span::{self, Kind},
};

/// Setters every builder here has.
macro_rules! common {
    () => {
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

/// An agent's run or creation. Made by [`GenAi::invoke_agent`] and its like.
#[must_use = "nothing is measured before `start`"]
pub struct Agent {
    draft: Draft,
    kind: Kind,
}

impl Agent {
    pub(crate) fn internal(genai: &GenAi, name: StringValue) -> Self {
        Self::new(genai, "invoke_agent", SpanKind::Internal, name)
    }

    pub(crate) fn remote(
        genai: &GenAi,
        operation: &'static str,
        provider: Provider,
        name: StringValue,
    ) -> Self {
        let mut agent = Self::new(genai, operation, SpanKind::Client, name);
        agent.draft.provider(&provider);
        agent
    }

    fn new(genai: &GenAi, operation: &'static str, kind: SpanKind, name: StringValue) -> Self {
        let mut draft = Draft::new(genai, operation, kind);
        draft.subject(names::AGENT_NAME, name);
        let kind = match operation {
            "invoke_agent" => Kind::Agent,
            _ => Kind::Other,
        };
        Self { draft, kind }
    }

    common!();

    /// The provider's id of the agent. The latest conventions have none for an agent of this process.
    pub fn id(mut self, id: impl Into<StringValue>) -> Self {
        self.draft.set_if_remote(names::AGENT_ID, id.into());
        self
    }

    /// What the agent is for.
    pub fn description(mut self, description: impl Into<StringValue>) -> Self {
        self.draft.set(names::AGENT_DESCRIPTION, description.into());
        self
    }

    /// The agent's version, of an agent elsewhere as [`id`](Self::id).
    pub fn version(mut self, version: impl Into<StringValue>) -> Self {
        self.draft
            .set_if_remote(names::AGENT_VERSION, version.into());
        self
    }

    /// The model the agent works with.
    pub fn model(mut self, model: impl Into<StringValue>) -> Self {
        if self.draft.is_on() {
            self.draft.label(names::REQUEST_MODEL, model.into());
        }
        self
    }

    /// The conversation it belongs to.
    pub fn conversation(mut self, id: impl Into<StringValue>) -> Self {
        self.draft.set(names::CONVERSATION_ID, id.into());
        self
    }

    /// The data source it reads.
    pub fn data_source(mut self, id: impl Into<StringValue>) -> Self {
        self.draft.set(names::DATA_SOURCE_ID, id.into());
        self
    }

    /// The server of an agent elsewhere.
    pub fn server(mut self, address: impl Into<StringValue>, port: u16) -> Self {
        self.draft.server(address, port);
        self
    }

    /// The agent's instructions as the conventions' JSON; called and written only when content is captured.
    pub fn system_instructions<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::SYSTEM_INSTRUCTIONS, json);
        self
    }

    /// The messages it starts from, as [`system_instructions`](Self::system_instructions).
    pub fn input_messages<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::INPUT_MESSAGES, json);
        self
    }

    /// Starts the span.
    pub fn start(self) -> WorkSpan {
        WorkSpan::start(labelled(self.draft, names::AGENT_NAME), self.kind)
    }
}

/// A workflow's run. Made by [`GenAi::invoke_workflow`].
#[must_use = "nothing is measured before `start`"]
pub struct Workflow {
    draft: Draft,
}

impl Workflow {
    pub(crate) fn new(genai: &GenAi, name: StringValue) -> Self {
        let mut draft = Draft::new(genai, "invoke_workflow", SpanKind::Internal);
        draft.subject(names::WORKFLOW_NAME, name);
        Self { draft }
    }

    common!();

    /// The messages it starts from as the conventions' JSON; called and written only when content is captured.
    pub fn input_messages<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::INPUT_MESSAGES, json);
        self
    }

    /// Starts the span.
    pub fn start(self) -> WorkSpan {
        WorkSpan::start(labelled(self.draft, names::WORKFLOW_NAME), Kind::Workflow)
    }
}

/// A tool's execution. Made by [`GenAi::execute_tool`].
#[must_use = "nothing is measured before `start`"]
pub struct Tool {
    draft: Draft,
}

impl Tool {
    pub(crate) fn new(genai: &GenAi, name: StringValue) -> Self {
        let mut draft = Draft::new(genai, "execute_tool", SpanKind::Internal);
        draft.subject(names::TOOL_NAME, name);
        Self { draft }
    }

    common!();

    /// The id the model gave its call of the tool.
    pub fn call_id(mut self, id: impl Into<StringValue>) -> Self {
        self.draft.set(names::TOOL_CALL_ID, id.into());
        self
    }

    /// `function`, `extension` or `datastore`.
    pub fn kind(mut self, kind: impl Into<StringValue>) -> Self {
        if self.draft.is_on() {
            self.draft.label(names::TOOL_TYPE, kind.into());
        }
        self
    }

    /// What the tool does.
    pub fn description(mut self, description: impl Into<StringValue>) -> Self {
        self.draft.set(names::TOOL_DESCRIPTION, description.into());
        self
    }

    /// The arguments as JSON; called and written only when content is captured.
    pub fn arguments<T: Into<StringValue>>(mut self, json: impl FnOnce() -> T) -> Self {
        self.draft.content(names::TOOL_CALL_ARGUMENTS, json);
        self
    }

    /// Starts the span. The agent it runs in is known from the context.
    pub fn start(mut self) -> WorkSpan {
        if self.draft.is_on() {
            if let Some(agent) = work_span::count_tool(&self.draft.parent()) {
                self.draft.label(names::AGENT_NAME, agent);
            }
        }
        WorkSpan::start(labelled(self.draft, names::TOOL_NAME), Kind::Tool)
    }
}

/// A search for context. Made by [`GenAi::retrieval`].
#[must_use = "nothing is measured before `start`"]
pub struct Retrieval {
    draft: Draft,
}

impl Retrieval {
    pub(crate) fn new(genai: &GenAi, data_source: StringValue) -> Self {
        let mut draft = Draft::new(genai, "retrieval", SpanKind::Client);
        draft.subject(names::DATA_SOURCE_ID, data_source);
        Self { draft }
    }

    common!();

    /// The provider, where one serves the search.
    pub fn provider(mut self, provider: &Provider) -> Self {
        self.draft.provider(provider);
        self
    }

    /// The server of the data source.
    pub fn server(mut self, address: impl Into<StringValue>, port: u16) -> Self {
        self.draft.server(address, port);
        self
    }

    /// The model that embeds the query, if the search calls one.
    pub fn model(mut self, model: impl Into<StringValue>) -> Self {
        self.draft.set(names::REQUEST_MODEL, model.into());
        self
    }

    /// The most documents asked for.
    pub fn top_k(mut self, k: u64) -> Self {
        self.draft.count(names::RETRIEVAL_TOP_K, k);
        self
    }

    /// The query; called and written only when content is captured.
    pub fn query<T: Into<StringValue>>(mut self, text: impl FnOnce() -> T) -> Self {
        self.draft.content(names::RETRIEVAL_QUERY_TEXT, text);
        self
    }

    /// Starts the span.
    pub fn start(self) -> WorkSpan {
        WorkSpan::start(self.draft, Kind::Other)
    }
}

/// Makes the subject of the name a label of the metrics too.
fn labelled(mut draft: Draft, key: &'static str) -> Draft {
    if let Some(subject) = draft.subject_value().cloned() {
        draft.label_only(key, subject);
    }
    draft
}
