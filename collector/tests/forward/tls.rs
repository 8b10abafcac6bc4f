//! Destinations behind TLS, also with a certificate of our own.

use std::{fs, path::Path, sync::Arc};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    backend::Backend,
    common::{body, certificates},
    pipeline::{Pipeline, to},
};

/// A backend that wants a certificate of the same authority.
async fn serve(folder: &Path) -> (Backend, String) {
    let ca = CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backend = Backend::start().await;
    let router = backend.router();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move {
                // A client that is not trusted ends here.
                if let Ok(stream) = acceptor.accept(stream).await {
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                }
            });
        }
    });
    (backend, format!("https://localhost:{port}"))
}

#[tokio::test]
async fn a_trusted_server_that_trusts_us_gets_everything() {
    let folder = tempfile::tempdir().unwrap();
    certificates::write(folder.path());
    let (backend, url) = serve(folder.path()).await;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let own = format!(
        "enrich = \"off\"\ncertificate = \"{}\"\nclient_certificate = \"{}\"\nclient_key = \"{}\"",
        at("ca.pem"),
        at("cert.pem"),
        at("key.pem")
    );
    let anonymous = format!("enrich = \"off\"\ncertificate = \"{}\"", at("ca.pem"));
    let text = [
        to("http", &url, &own),
        to("grpc", &url, &format!("{own}\nprotocol = \"grpc\"")),
        to("anonymous", &url, &anonymous),
    ];
    let pipeline = Pipeline::start(&text.concat()).await;
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    let taken = backend.has(2).await;
    assert!(taken.iter().all(|taken| taken.body == body(&["a"])));
    pipeline.until_left((1, 0)).await;
    let left = pipeline
        .store
        .outbox_list(&Default::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!(left[0].destination, "anonymous");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.pem");
    fs::write(&file, "").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let options = costflame_store::Options::default();
        let store = Arc::new(
            costflame_store::Store::connect(&url, &options)
                .await
                .unwrap(),
        );
        let more = format!("certificate = \"{}\"", file.display());
        let destinations = crate::pipeline::configured(&to("a", "https://a", &more));
        let mut registry = prometheus_client::registry::Registry::default();
        let hold = std::time::Duration::ZERO;
        let refused =
            costflame_collector::forward::Forwarder::new(store, destinations, hold, &mut registry);
        let text = refused.err().unwrap().to_string();
        assert!(
            text.contains("forward `a`") && text.contains("empty.pem"),
            "{text}"
        );
    });
}
