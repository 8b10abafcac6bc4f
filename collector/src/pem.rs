//! Certificates and keys in PEM files.

use std::{io, path::Path};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// A file for TLS that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or not as PEM.
    #[error("{file}: {message}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// Certificate and key do not fit, or the system trusts nobody.
    #[error("{0}")]
    Config(String),
}

/// The certificates of a file, at least one.
pub(crate) fn certificates(
    file: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(bad(file, io::Error::other("it holds no certificate")))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(bad(file, error)),
    }
}

/// Those whom a file says to trust.
pub(crate) fn roots(file: &Path, bytes: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut trusted = RootCertStore::empty();
    for certificate in certificates(file, bytes)? {
        trusted.add(certificate).map_err(|error| bad(file, error))?;
    }
    Ok(trusted)
}

/// The first private key of a file.
pub(crate) fn private_key(file: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| bad(file, error))
}

pub(crate) fn bad(file: &Path, error: impl std::fmt::Display) -> TlsError {
    TlsError::File {
        file: file.display().to_string(),
        message: error.to_string(),
    }
}
