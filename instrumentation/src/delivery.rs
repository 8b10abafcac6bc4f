//! Spans on their way out, counted at both ends: what has ended and was never delivered is known.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::AttributionProcessor;

/// Spans that have ended and spans that a receiver has taken.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    ended: AtomicU64,
    delivered: AtomicU64,
}

impl Counts {
    /// Spans that wait, were dropped from a full queue, or were refused.
    pub(crate) fn undelivered(&self) -> u64 {
        let delivered = self.delivered.load(Relaxed);
        self.ended.load(Relaxed).saturating_sub(delivered)
    }
}

/// Attribution and a count in front of another processor. In one, since the SDK copies every span for a second one.
#[derive(Debug)]
pub(crate) struct Outgoing<P> {
    pub(crate) next: P,
    pub(crate) counts: Arc<Counts>,
}

impl<P: SpanProcessor> SpanProcessor for Outgoing<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        AttributionProcessor.on_start(span, context);
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.counts.ended.fetch_add(1, Relaxed);
        }
        self.next.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// An exporter that counts what was taken.
#[derive(Debug)]
pub(crate) struct Counted<E> {
    pub(crate) exporter: E,
    pub(crate) counts: Arc<Counts>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.exporter.export(batch).await;
        if result.is_ok() {
            self.counts.delivered.fetch_add(spans, Relaxed);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::{
        error::OTelSdkError,
        trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
    };

    use super::*;

    /// Takes spans as long as it is told to.
    #[derive(Debug)]
    struct Receiver(Arc<AtomicBool>);

    impl SpanExporter for Receiver {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self.0.load(Relaxed) {
                true => Ok(()),
                false => Err(OTelSdkError::InternalFailure("refused".to_owned())),
            }
        }
    }

    fn pipeline(queue: usize) -> (SdkTracerProvider, Arc<Counts>, Arc<AtomicBool>) {
        let (counts, takes) = (Arc::<Counts>::default(), Arc::new(AtomicBool::new(true)));
        let exporter = Counted {
            exporter: Receiver(Arc::clone(&takes)),
            counts: Arc::clone(&counts),
        };
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(queue)
            .with_max_export_batch_size(queue)
            .build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config);
        let processor = Outgoing {
            next: batches.build(),
            counts: Arc::clone(&counts),
        };
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .build();
        (tracers, counts, takes)
    }

    #[test]
    fn what_no_receiver_took_is_counted() {
        let (tracers, counts, takes) = pipeline(64);
        let tracer = tracers.tracer("test");
        drop(tracer.start("taken"));
        assert!(tracers.force_flush().is_ok());
        assert_eq!(counts.undelivered(), 0);
        takes.store(false, Relaxed);
        drop(tracer.start("refused"));
        assert!(tracers.force_flush().is_err());
        assert_eq!(counts.undelivered(), 1);
    }

    #[test]
    fn what_a_full_queue_drops_is_counted_and_nobody_waits() {
        let (tracers, counts, takes) = pipeline(4);
        takes.store(false, Relaxed);
        let tracer = tracers.tracer("test");
        for _ in 0..1000 {
            drop(tracer.start("one of many"));
        }
        let _ = tracers.force_flush();
        assert_eq!(counts.undelivered(), 1000);
    }
}
