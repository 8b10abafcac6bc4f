//! What a port shows, and whom it trusts: PEM files that are read anew while it is in use.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{ServerConfig, server::WebPkiClientVerifier};
use tokio::signal::unix::Signal;
use tokio_rustls::TlsAcceptor;

use crate::pem::{self, TlsError};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Paths of PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The port's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities one of which has to have signed the certificate of whoever connects; nobody is asked for one without.
    pub client_authorities: Option<PathBuf>,
}

/// TLS of a port. Connections that are open keep what they began with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    /// What was read last, used or not.
    seen: Mutex<Result<Contents, String>>,
}

/// Contents of the files, in their order.
type Contents = Vec<Vec<u8>>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be used, or they do not belong together.
    pub fn open(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let contents = files.read()?;
        let current = ArcSwap::from_pointee(files.build(&contents)?);
        Ok(Arc::new(Self {
            files,
            current,
            seen: Mutex::new(Ok(contents)),
        }))
    }

    /// Accepts a connection by what the files say now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads the files anew and takes over what has changed. What cannot be used leaves everything as it was, and is logged.
    pub fn reload(&self) {
        let read = self.files.read().map_err(|error| error.to_string());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == read {
            return;
        }
        let built = match &read {
            Ok(contents) => self
                .files
                .build(contents)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        *seen = read;
        match built {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(file = %self.files.certificate.display(), "new TLS certificate in use");
            }
            Err(error) => {
                tracing::error!(%error, "the new TLS files cannot be used: the certificate from before stays");
            }
        }
    }
}

impl TlsFiles {
    fn read(&self) -> Result<Contents, TlsError> {
        let files = [&self.certificate, &self.key].into_iter();
        files
            .chain(&self.client_authorities)
            .map(|file| std::fs::read(file).map_err(|error| pem::bad(file, error)))
            .collect()
    }

    fn build(&self, contents: &Contents) -> Result<ServerConfig, TlsError> {
        let chain = pem::certificates(&self.certificate, &contents[0])?;
        let key = pem::private_key(&self.key, &contents[1])?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Config(error.to_string()))?;
        let config = match &self.client_authorities {
            None => config.with_no_client_auth(),
            Some(file) => {
                let roots = Arc::new(pem::roots(file, &contents[2])?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                config.with_client_cert_verifier(verifier.map_err(|error| pem::bad(file, error))?)
            }
        };
        let mut config = config
            .with_single_cert(chain, key)
            .map_err(|error| pem::bad(&self.certificate, error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Reloads on a signal, and when the files have changed. Never ends.
pub async fn follow(tls: Vec<Arc<Tls>>, mut asked: Signal) {
    loop {
        // Whether asked or not, files that have not changed stay in use.
        let _ = tokio::time::timeout(LOOK_EVERY, asked.recv()).await;
        let tls = tls.clone();
        let reloading =
            tokio::task::spawn_blocking(move || tls.iter().for_each(|one| one.reload()));
        // It does not panic, and the runtime that would cancel it ends this task as well.
        let _ = reloading.await;
    }
}
