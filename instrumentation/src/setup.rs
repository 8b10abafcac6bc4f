//! A whole pipeline in one call, for programs that have none.

use std::{env, process, sync::Arc};

use opentelemetry::{
    Context, KeyValue, global, metrics::MeterProvider, propagation::TextMapCompositePropagator,
    trace::TracerProvider,
};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    metrics::SdkMeterProvider,
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::{BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use tracing_subscriber::{
    Layer, Registry,
    filter::LevelFilter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use crate::{
    attribution::{self, Copied},
    delivery::{Counted, Counts, Outgoing},
    names,
};

/// Sets up OpenTelemetry for this program, to be kept until its end.
///
/// - Spans and metrics are exported by OTLP over HTTP, to `OTEL_EXPORTER_OTLP_ENDPOINT` or `http://localhost:4318`, with
///   all the other `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*` and `OTEL_TRACES_SAMPLER` variables in force.
/// - The resource has this service name (`OTEL_SERVICE_NAME` wins), the process id and `OTEL_RESOURCE_ATTRIBUTES`.
/// - Trace context and baggage travel in W3C headers, wherever a client or server uses the global propagator.
/// - Spans of [`tracing`](https://docs.rs/tracing) from level `INFO` become OpenTelemetry's and the other way round:
///   `#[tracing::instrument]` makes parents of the calls below, and `gen_ai.*` fields are exported as they are. If the
///   program has a `tracing` subscriber already it is left alone; add `tracing_opentelemetry::layer()` to it.
/// - Every span carries the [attribution](crate::attribute_to) that holds for it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let _telemetry = costflame_instrumentation::setup("checkout")?;
/// // … the program …
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// When an exporter cannot be built from the environment; trying again does not help.
pub fn setup(service_name: &str) -> Result<Telemetry, SetupError> {
    let resource = resource(service_name);
    let counts = Arc::<Counts>::default();
    let exporter = Counted {
        exporter: SpanExporter::builder().build()?,
        counts: Arc::clone(&counts),
    };
    let tracers = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_span_processor(Outgoing {
            next: BatchSpanProcessor::builder(exporter).build(),
            counts: Arc::clone(&counts),
        })
        .build();
    let meters = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_periodic_exporter(MetricExporter::builder().build()?)
        .build();
    let counted = Arc::clone(&counts);
    meters
        .meter(env!("CARGO_PKG_NAME"))
        .u64_observable_gauge(names::UNDELIVERED)
        .with_description("Spans that have ended and that no receiver has taken")
        .with_unit("{span}")
        .with_callback(move |gauge| gauge.observe(counted.undelivered(), &[]))
        .build();
    global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]));
    global::set_tracer_provider(tracers.clone());
    global::set_meter_provider(meters.clone());
    let bridge = tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer("tracing"))
        .with_filter(LevelFilter::INFO);
    let bridged: Result<(), TryInitError> = Registry::default().with(bridge).try_init();
    Ok(Telemetry {
        tracers,
        meters,
        counts,
        bridged: bridged.is_ok(),
    })
}

fn resource(service_name: &str) -> Resource {
    let name = env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| service_name.to_owned());
    Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("process.pid", i64::from(process::id())))
        .build()
}

/// A pipeline that could not be set up.
#[derive(Debug)]
pub struct SetupError(ExporterBuildError);

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no OTLP exporter can be built from the environment")
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<ExporterBuildError> for SetupError {
    fn from(error: ExporterBuildError) -> Self {
        Self(error)
    }
}

/// The pipeline [`setup`] made. Dropping it sends what is left and shuts it down.
#[must_use = "dropping it shuts the pipeline down"]
#[derive(Debug)]
pub struct Telemetry {
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
    counts: Arc<Counts>,
    bridged: bool,
}

impl Telemetry {
    /// Sends what has been collected so far; waits for the answer.
    ///
    /// # Errors
    ///
    /// When the receiver did not take it. The spans of that batch are lost.
    pub fn flush(&self) -> Result<(), OTelSdkError> {
        self.tracers.force_flush().and(self.meters.force_flush())
    }

    /// Spans that have ended and that no receiver has taken: they wait, or were dropped from a full queue
    /// (`OTEL_BSP_MAX_QUEUE_SIZE`), or refused. After [`flush`](Self::flush) they are lost. Also the metric
    /// `costflame.instrumentation.undelivered`.
    pub fn undelivered(&self) -> u64 {
        self.counts.undelivered()
    }

    /// Whether spans of `tracing` are exported: not if the program had set a subscriber before.
    pub fn is_bridged(&self) -> bool {
        self.bridged
    }

    /// The tracer provider, for what the global one cannot do.
    pub fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.tracers
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // There is nobody left to tell of a failure; the SDK logs it.
        let _ = self.tracers.shutdown();
        let _ = self.meters.shutdown();
    }
}

/// Copies the [attribution](crate::attribute_to) in force, and the path of agents, tools and workflows, to every span.
///
/// For programs that build their own tracer provider; [`setup`] includes it. Spans made by this crate carry their
/// attribution without it. Only the keys of an attribution are copied, no other baggage.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributionProcessor;

impl SpanProcessor for AttributionProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        use opentelemetry::trace::Span as _;
        if context.get::<Copied>().is_none() {
            span.set_attributes(attribution::attributes(context));
        }
    }

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}
