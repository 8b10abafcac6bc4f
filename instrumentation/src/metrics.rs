//! The client metrics of both generations.
//!
//! Boundaries and units are those of the conventions' metrics page, as advice to the SDK.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, ObservableCounter},
};

use crate::{Usage, conventions::Conventions, names};

const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const WORKFLOW_SECONDS: [f64; 11] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];
const AGENT_SECONDS: [f64; 13] = [
    0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
];
const CALLS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Reasons for usage that could not be read, each with its count.
const UNREAD_REASONS: [&str; 4] = ["invalid", "too_large", "encoded", "request"];

pub(crate) struct Metrics {
    older: Older,
    latest: Option<Latest>,
    unread: Arc<[AtomicU64; UNREAD_REASONS.len()]>,
    _unread: ObservableCounter<u64>,
    listened: bool,
}

struct Older {
    token_usage: Histogram<u64>,
    duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    per_chunk: Histogram<f64>,
}

struct Latest {
    inference_duration: Histogram<f64>,
    embeddings_duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    per_chunk: Histogram<f64>,
    input: Counter<u64>,
    output: Counter<u64>,
    cache_read: Counter<u64>,
    cache_write: Counter<u64>,
    reasoning: Counter<u64>,
    inference_input: Histogram<u64>,
    inference_output: Histogram<u64>,
    embeddings_input: Histogram<u64>,
    agent_duration: Histogram<f64>,
    agent_inference_calls: Histogram<u64>,
    agent_tool_calls: Histogram<u64>,
    tool_duration: Histogram<f64>,
    workflow_duration: Histogram<f64>,
}

/// What a model call did, as its metrics need it.
pub(crate) struct Measured<'a> {
    pub(crate) kind: CallKind,
    pub(crate) seconds: f64,
    pub(crate) usage: &'a Usage,
    /// Labels shared by all: operation, provider, models, server.
    pub(crate) labels: Vec<KeyValue>,
    pub(crate) error: Option<KeyValue>,
}

/// The kinds of model calls, which the latest conventions measure apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Inference,
    Embeddings,
    Rerank,
}

/// How often an agent called models and tools.
pub(crate) struct AgentCalls {
    pub(crate) inference: u64,
    pub(crate) tools: u64,
}

/// What an agent, tool or workflow did.
pub(crate) enum Work {
    /// What it called is known of an agent of this process.
    Agent(Option<AgentCalls>),
    Tool,
    Workflow,
    Other,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter, conventions: Conventions) -> Self {
        let unread = Arc::<[AtomicU64; UNREAD_REASONS.len()]>::default();
        let observed = Arc::clone(&unread);
        let counter = meter
            .u64_observable_counter(names::UNREAD)
            .with_description("Model calls whose request or response could not be read")
            .with_unit("{call}")
            .with_callback(move |instrument| {
                for (reason, count) in UNREAD_REASONS.iter().zip(observed.iter()) {
                    let count = count.load(Relaxed);
                    if count > 0 {
                        instrument.observe(count, &[KeyValue::new("reason", *reason)]);
                    }
                }
            })
            .build();
        Self {
            older: Older::new(meter),
            latest: conventions.latest().then(|| Latest::new(meter)),
            // A provider has kept the callback; without one it is gone by now.
            listened: Arc::strong_count(&unread) > 1,
            unread,
            _unread: counter,
        }
    }

    /// Whether there is a provider.
    pub(crate) fn listened(&self) -> bool {
        self.listened
    }

    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only bodies can be unreadable")
    )]
    pub(crate) fn count_unread(&self, reason: &'static str) {
        if let Some(at) = UNREAD_REASONS.iter().position(|known| *known == reason) {
            self.unread[at].fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn call(&self, measured: Measured<'_>) {
        if !self.listened {
            return;
        }
        let Measured { usage, .. } = measured;
        let mut labels = measured.labels;
        if let Some(latest) = &self.latest {
            latest.tokens(measured.kind, usage, &mut labels);
        }
        self.older.tokens(usage, &mut labels);
        labels.extend(measured.error);
        self.older.duration.record(measured.seconds, &labels);
        if let Some(latest) = &self.latest {
            latest.duration(measured.kind, measured.seconds, &labels);
        }
    }

    /// The first chunk of a stream, seconds after the request.
    pub(crate) fn first_chunk(&self, seconds: f64, labels: &[KeyValue]) {
        if !self.listened {
            return;
        }
        self.older.first_chunk.record(seconds, labels);
        if let Some(latest) = &self.latest {
            latest.first_chunk.record(seconds, labels);
        }
    }

    /// Any later chunk, seconds after the one before.
    pub(crate) fn next_chunk(&self, seconds: f64, labels: &[KeyValue]) {
        if !self.listened {
            return;
        }
        self.older.per_chunk.record(seconds, labels);
        if let Some(latest) = &self.latest {
            latest.per_chunk.record(seconds, labels);
        }
    }

    pub(crate) fn work(&self, work: &Work, seconds: f64, labels: &[KeyValue]) {
        if !self.listened {
            return;
        }
        let Some(latest) = &self.latest else { return };
        match work {
            Work::Agent(calls) => {
                let only = |keys: &[&str]| -> Vec<KeyValue> {
                    let known = labels.iter();
                    known
                        .filter(|label| keys.contains(&label.key.as_str()))
                        .cloned()
                        .collect()
                };
                let keys = [names::AGENT_NAME, names::REQUEST_MODEL, names::ERROR_TYPE];
                latest.agent_duration.record(seconds, &only(&keys));
                if let Some(calls) = calls {
                    let name = only(&[names::AGENT_NAME]);
                    latest.agent_inference_calls.record(calls.inference, &name);
                    latest.agent_tool_calls.record(calls.tools, &name);
                }
            }
            Work::Tool => latest.tool_duration.record(seconds, labels),
            Work::Workflow => latest.workflow_duration.record(seconds, labels),
            Work::Other => {}
        }
    }
}

impl Older {
    fn new(meter: &Meter) -> Self {
        Self {
            token_usage: tokens(meter, "gen_ai.client.token.usage"),
            duration: seconds(meter, "gen_ai.client.operation.duration", &SECONDS),
            first_chunk: seconds(
                meter,
                "gen_ai.client.operation.time_to_first_chunk",
                &SECONDS,
            ),
            per_chunk: seconds(
                meter,
                "gen_ai.client.operation.time_per_output_chunk",
                &SECONDS,
            ),
        }
    }

    fn tokens(&self, usage: &Usage, labels: &mut Vec<KeyValue>) {
        for (kind, count) in [("input", usage.input), ("output", usage.output)] {
            let Some(count) = count else { continue };
            labels.push(KeyValue::new(names::TOKEN_TYPE, kind));
            self.token_usage.record(count, labels);
            labels.pop();
        }
    }
}

impl Latest {
    fn new(meter: &Meter) -> Self {
        let client = |name| seconds(meter, name, &SECONDS);
        let usage = |name| meter.u64_counter(name).with_unit("{token}").build();
        let calls = |name, unit| {
            meter
                .u64_histogram(name)
                .with_unit(unit)
                .with_boundaries(CALLS.to_vec())
                .build()
        };
        Self {
            inference_duration: client("gen_ai.client.inference.duration"),
            embeddings_duration: client("gen_ai.client.embeddings.duration"),
            first_chunk: client("gen_ai.client.inference.time_to_first_chunk"),
            per_chunk: client("gen_ai.client.inference.time_per_output_chunk"),
            input: usage("gen_ai.client.inference.usage.input_tokens"),
            output: usage("gen_ai.client.inference.usage.output_tokens"),
            cache_read: usage("gen_ai.client.inference.usage.cache_read.input_tokens"),
            cache_write: usage("gen_ai.client.inference.usage.cache_write.input_tokens"),
            reasoning: usage("gen_ai.client.inference.usage.reasoning.output_tokens"),
            inference_input: tokens(meter, "gen_ai.client.inference.operation.input_tokens"),
            inference_output: tokens(meter, "gen_ai.client.inference.operation.output_tokens"),
            embeddings_input: tokens(meter, "gen_ai.client.embeddings.operation.input_tokens"),
            agent_duration: seconds(meter, "gen_ai.invoke_agent.duration", &AGENT_SECONDS),
            agent_inference_calls: calls("gen_ai.invoke_agent.inference_calls", "{inference_call}"),
            agent_tool_calls: calls("gen_ai.invoke_agent.tool_calls", "{tool_call}"),
            tool_duration: client("gen_ai.execute_tool.duration"),
            workflow_duration: seconds(meter, "gen_ai.invoke_workflow.duration", &WORKFLOW_SECONDS),
        }
    }

    fn duration(&self, kind: CallKind, seconds: f64, labels: &[KeyValue]) {
        match kind {
            CallKind::Inference => self.inference_duration.record(seconds, labels),
            CallKind::Embeddings => self.embeddings_duration.record(seconds, labels),
            CallKind::Rerank => {}
        }
    }

    fn tokens(&self, kind: CallKind, usage: &Usage, labels: &mut Vec<KeyValue>) {
        match kind {
            CallKind::Inference => self.inference_tokens(usage, labels),
            CallKind::Embeddings => {
                if let Some(count) = usage.input {
                    self.embeddings_input.record(count, labels);
                }
            }
            CallKind::Rerank => {}
        }
    }

    fn inference_tokens(&self, usage: &Usage, labels: &mut Vec<KeyValue>) {
        if let Some(count) = usage.input {
            self.inference_input.record(count, labels);
        }
        if let Some(count) = usage.output {
            self.inference_output.record(count, labels);
        }
        let input = Modalities {
            text: usage.text_input,
            audio: usage.audio_input,
            image: usage.image_input,
        };
        let output = Modalities {
            text: usage.text_output,
            audio: usage.audio_output,
            image: usage.image_output,
        };
        let cache_read = Modalities {
            audio: usage.audio_cache_read,
            ..Modalities::default()
        };
        input.count(&self.input, usage.input, labels);
        output.count(&self.output, usage.output, labels);
        cache_read.count(&self.cache_read, usage.cache_read, labels);
        Modalities::default().count(&self.cache_write, usage.cache_write, labels);
        Modalities::default().count(&self.reasoning, usage.reasoning, labels);
    }
}

/// The parts of a count whose modality is known.
#[derive(Default)]
struct Modalities {
    text: Option<u64>,
    audio: Option<u64>,
    image: Option<u64>,
}

impl Modalities {
    /// Adds `total` by modality; what no part explains is `unknown`.
    fn count(&self, counter: &Counter<u64>, total: Option<u64>, labels: &mut Vec<KeyValue>) {
        let Some(total) = total else { return };
        let mut left = total;
        let parts = [
            ("text", self.text),
            ("audio", self.audio),
            ("image", self.image),
        ];
        let mut add = |modality, count: u64| {
            labels.push(KeyValue::new(names::TOKEN_MODALITY, modality));
            counter.add(count, labels);
            labels.pop();
        };
        for (modality, count) in parts {
            let count = count.unwrap_or(0).min(left);
            if count > 0 {
                add(modality, count);
                left -= count;
            }
        }
        if left > 0 {
            add("unknown", left);
        }
    }
}

fn tokens(meter: &Meter, name: &'static str) -> Histogram<u64> {
    meter
        .u64_histogram(name)
        .with_unit("{token}")
        .with_boundaries(TOKENS.to_vec())
        .build()
}

fn seconds(meter: &Meter, name: &'static str, boundaries: &[f64]) -> Histogram<f64> {
    meter
        .f64_histogram(name)
        .with_unit("s")
        .with_boundaries(boundaries.to_vec())
        .build()
}
