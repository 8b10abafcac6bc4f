//! The OpenTelemetry SDK for Rust as the sender.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use common::{Rig, start};
use costflame_collector::ReceiverConfig;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{
    Compression, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::trace::SdkTracerProvider;

async fn emit(exporter: SpanExporter, name: &'static str) {
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .build();
    provider.tracer("tests").in_span(name, |_| ());
    // The exporter for HTTP blocks, and so does flushing.
    tokio::task::spawn_blocking(move || provider.shutdown())
        .await
        .unwrap()
        .unwrap();
}

async fn rig() -> Rig {
    start(ReceiverConfig::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_over_grpc() {
    let rig = rig().await;
    for (compression, name) in [
        (Some(Compression::Gzip), "gzip"),
        (Some(Compression::Zstd), "zstd"),
        (None, "none"),
    ] {
        let mut builder = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(format!("http://{}", rig.grpc));
        if let Some(compression) = compression {
            builder = builder.with_compression(compression);
        }
        emit(builder.build().unwrap(), name).await;
    }
    assert_eq!(rig.ledger.names(), ["gzip", "zstd", "none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_over_http() {
    let rig = rig().await;
    for (compression, name) in [(Some(Compression::Gzip), "gzip"), (None, "none")] {
        let endpoint = rig.url("/v1/traces");
        let exporter = tokio::task::spawn_blocking(move || {
            let mut builder = SpanExporter::builder().with_http().with_endpoint(endpoint);
            if let Some(compression) = compression {
                builder = builder.with_compression(compression);
            }
            builder.build().unwrap()
        });
        emit(exporter.await.unwrap(), name).await;
    }
    assert_eq!(rig.ledger.names(), ["gzip", "none"]);
}
