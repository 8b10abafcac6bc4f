//! Requests over HTTP or HTTPS: to a running costflame, and for price lists.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use axum::http::{Request, Response};
use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// How long one exchange may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Body of a request or an answer.
pub(crate) type Bytes = axum::body::Bytes;

/// Whom to trust behind https, and what to show.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Trust {
    /// Authorities (PEM) to trust behind https:// instead of those of this system
    #[arg(long, value_name = "FILE", env = "COSTFLAME_CERTIFICATE")]
    certificate: Option<PathBuf>,

    /// A certificate (PEM) to show, where the server asks for one
    #[arg(
        long,
        value_name = "FILE",
        env = "COSTFLAME_CLIENT_CERTIFICATE",
        requires = "client_key"
    )]
    client_certificate: Option<PathBuf>,

    /// The private key of `--client-certificate` (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "COSTFLAME_CLIENT_KEY",
        requires = "client_certificate"
    )]
    client_key: Option<PathBuf>,
}

/// Asks servers. Redirects are not followed: what is asked for is what is read.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// A client for URLs such as `url`; files are read only for https.
    pub(crate) fn new(url: &str, trust: &Trust) -> Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(url.starts_with("https:"), trust)?)
            .https_or_http()
            .enable_all_versions()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// The answer, of at most `most` bytes, within a minute.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>> {
        let answered = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            match Limited::new(body, most).collect().await {
                Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
                Err(error) => bail!(
                    "the answer broke off, or is larger than {} MiB: {error}",
                    most >> 20
                ),
            }
        };
        tokio::time::timeout(LONGEST, answered)
            .await
            .context("no answer within a minute")?
    }
}

fn tls(is_needed: bool, trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    if !is_needed {
        return Ok(config
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let mut trusted = RootCertStore::empty();
    match &trust.certificate {
        Some(file) => trusted.add_parsable_certificates(certificates(file)?),
        None => {
            let system = rustls_native_certs::load_native_certs();
            trusted.add_parsable_certificates(system.certs)
        }
    };
    if trusted.is_empty() {
        bail!("nobody to trust behind https: name authorities with --certificate");
    }
    let config = config.with_root_certificates(trusted);
    let (Some(certificate), Some(key)) = (&trust.client_certificate, &trust.client_key) else {
        return Ok(config.with_no_client_auth());
    };
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| anyhow!("{}: {error}", key.display()))?;
    config
        .with_client_auth_cert(certificates(certificate)?, private)
        .with_context(|| certificate.display().to_string())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| anyhow!("{}: {error}", file.display()))
}
