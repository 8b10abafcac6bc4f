//! Building one trace: ids from the seed, times from a cursor that only moves forward.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use rand::{Rng, rngs::StdRng};

/// A service's name and the instrumentation scope its spans come from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) service: &'static str,
    pub(super) scope: &'static str,
    pub(super) version: &'static str,
}

/// An open span: everything until [`TraceBuilder::close`].
pub(super) struct Open {
    pub(super) id: SpanId,
    parent: Option<SpanId>,
    remote: bool,
    origin: Origin,
    kind: SpanKind,
    name: String,
    start: Duration,
    attributes: Vec<KeyValue>,
}

impl Open {
    /// The service it belongs to.
    pub(super) fn service(&self) -> &'static str {
        self.origin.service
    }
}

/// One trace in the making.
pub(super) struct TraceBuilder {
    pub(super) random: StdRng,
    trace_id: TraceId,
    now: Duration,
    spans: Vec<(&'static str, SpanData)>,
}

impl TraceBuilder {
    /// A trace that starts `start` after 1970; its ids come from `random` alone.
    pub(super) fn new(mut random: StdRng, start: Duration) -> Self {
        let trace_id = TraceId::from(random.random::<u128>() | 1);
        Self {
            random,
            trace_id,
            now: start,
            spans: Vec::new(),
        }
    }

    /// Lets time pass: between half and one and a half times `millis`.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now += Duration::from_micros(self.random.random_range(millis * 500..=millis * 1_500));
    }

    /// A number around `typical`, skewed as real prompts are: mostly near, sometimes three times as much.
    pub(super) fn around(&mut self, typical: i64) -> i64 {
        let skew: f64 = self.random.random();
        let factor = 0.6 + 0.5 * skew + 2.0 * skew.powi(8);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "invented numbers"
        )]
        let number = (typical as f64 * factor) as i64;
        number.max(1)
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: u32) -> bool {
        self.random.random_range(0..times) == 0
    }

    /// Opens a span below `parent`.
    pub(super) fn open(
        &mut self,
        origin: Origin,
        parent: Option<&Open>,
        kind: SpanKind,
        name: impl Into<String>,
        attributes: Vec<KeyValue>,
    ) -> Open {
        let remote = parent.is_some_and(|parent| parent.origin.service != origin.service);
        Open {
            id: SpanId::from(self.random.random::<u64>() | 1),
            parent: parent.map(|parent| parent.id),
            remote,
            origin,
            kind,
            name: name.into(),
            start: self.now,
            attributes,
        }
    }

    /// Ends a span now.
    pub(super) fn close(&mut self, span: Open) {
        self.close_with(span, Vec::new(), Status::Unset);
    }

    /// Ends a span now, with what is only known at its end.
    pub(super) fn close_with(&mut self, mut span: Open, attributes: Vec<KeyValue>, status: Status) {
        span.attributes.extend(attributes);
        let context = SpanContext::new(
            self.trace_id,
            span.id,
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        let scope = InstrumentationScope::builder(span.origin.scope)
            .with_version(span.origin.version)
            .build();
        let data = SpanData {
            span_context: context,
            parent_span_id: span.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: span.remote,
            span_kind: span.kind,
            name: span.name.into(),
            start_time: UNIX_EPOCH + span.start,
            end_time: UNIX_EPOCH + self.now,
            attributes: span.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: scope,
        };
        self.spans.push((span.origin.service, data));
    }

    /// The spans, children before parents, as an exporter would see them.
    pub(super) fn finish(self) -> Vec<(&'static str, SpanData)> {
        self.spans
    }
}
