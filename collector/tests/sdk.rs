//! The OpenTelemetry SDK for Rust as the sender.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use std::{fs, path::Path};

use common::{Rig, certificates, request, span, start, start_encrypted, until};
use costflame_collector::{
    ReceiverConfig,
    listen::{Tls, TlsFiles},
};
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{
    Compression, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

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

fn files(folder: &Path, client_authorities: Option<&str>) -> TlsFiles {
    TlsFiles {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
        client_authorities: client_authorities.map(|name| folder.join(name)),
    }
}

/// What a client trusts.
fn authority(folder: &Path) -> ClientTlsConfig {
    let pem = fs::read(folder.join("ca.pem")).unwrap();
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
}

fn over_tls(rig: &Rig, tls: &ClientTlsConfig) -> SpanExporter {
    let builder = SpanExporter::builder().with_tonic();
    builder
        .with_endpoint(format!("https://localhost:{}", rig.grpc.port()))
        .with_tls_config(tls.clone())
        .build()
        .unwrap()
}

/// The same, with the error of a handshake that fails.
async fn export(rig: &Rig, tls: &ClientTlsConfig) -> Result<(), Box<dyn std::error::Error>> {
    let url = format!("https://localhost:{}", rig.http.port());
    let endpoint = Endpoint::from_shared(url)?.tls_config(tls.clone())?;
    let mut client = TraceServiceClient::new(endpoint.connect().await?);
    client.export(request(vec![span(0, "again")])).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_over_tls_while_certificates_change() {
    let folder = tempfile::tempdir().unwrap();
    certificates::write(folder.path());
    let tls = Tls::open(files(folder.path(), None)).unwrap();
    let rig = start_encrypted(tls.clone()).await;
    let before = authority(folder.path());
    emit(over_tls(&rig, &before), "first").await;

    // The certificate of another key, as between two writes: what was there stays.
    let other = tempfile::tempdir().unwrap();
    certificates::write(other.path());
    fs::copy(
        other.path().join("cert.pem"),
        folder.path().join("cert.pem"),
    )
    .unwrap();
    tls.reload();
    emit(over_tls(&rig, &before), "second").await;
    fs::remove_file(folder.path().join("key.pem")).unwrap();
    tls.reload();
    emit(over_tls(&rig, &before), "third").await;

    fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    tls.reload();
    emit(over_tls(&rig, &authority(other.path())), "fourth").await;
    assert!(export(&rig, &before).await.is_err());
    assert_eq!(rig.ledger.names(), ["first", "second", "third", "fourth"]);
    let failed = "costflame_tls_handshakes_failed_total{port=\"otlp_http\"}";
    until(|| rig.metric(failed) > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_to_show_a_certificate_is_shut_out_without() {
    let folder = tempfile::tempdir().unwrap();
    certificates::write(folder.path());
    let tls = Tls::open(files(folder.path(), Some("ca.pem"))).unwrap();
    let rig = start_encrypted(tls.clone()).await;
    let identity = |folder: &Path| {
        let read = |name| fs::read(folder.join(name)).unwrap();
        Identity::from_pem(read("cert.pem"), read("key.pem"))
    };
    let nobody = authority(folder.path());
    let known = nobody.clone().identity(identity(folder.path()));
    let other = tempfile::tempdir().unwrap();
    certificates::write(other.path());
    let stranger = nobody.clone().identity(identity(other.path()));
    emit(over_tls(&rig, &known), "known").await;
    assert!(export(&rig, &nobody).await.is_err());
    assert!(export(&rig, &stranger).await.is_err());
    // Nor is anybody who was let in before, once the authority is another.
    fs::copy(other.path().join("ca.pem"), folder.path().join("ca.pem")).unwrap();
    tls.reload();
    assert!(export(&rig, &known).await.is_err());
    export(&rig, &stranger).await.unwrap();
    assert_eq!(rig.ledger.names(), ["known", "again"]);
}

#[tokio::test]
async fn without_tls_a_port_that_speaks_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    certificates::write(folder.path());
    let rig = start_encrypted(Tls::open(files(folder.path(), None)).unwrap()).await;
    let request = reqwest::Client::new().post(rig.url("/v1/traces"));
    let answer = request.body("x").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("https"));
}
