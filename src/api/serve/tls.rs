//! The certificate that clients see. It is read again when its files change, as those of a mounted Secret do.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path:?}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path:?} holds no certificate, or no key, in PEM")]
    Malformed { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("the certificate and the key cannot be used together")]
    Unfit(#[source] rustls::Error),
}

/// The certificate and its key, as they were read last.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    read: RwLock<Read>,
}

struct Read {
    acceptor: TlsAcceptor,
    /// The files' content.
    files: (Vec<u8>, Vec<u8>),
}

impl Tls {
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = (content(certificate)?, content(key)?);
        let acceptor = acceptor(certificate, key, &files)?;
        let read = RwLock::new(Read { acceptor, files });
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), read })
    }

    /// Reads the files again. Says whether they have changed; while they are of no use, the old certificate stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = (content(&self.certificate)?, content(&self.key)?);
        if self.read.read().unwrap_or_else(PoisonError::into_inner).files == files {
            return Ok(false);
        }
        let acceptor = acceptor(&self.certificate, &self.key, &files)?;
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = Read { acceptor, files };
        Ok(true)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.read.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }
}

fn content(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn acceptor(certificate: &Path, key: &Path, files: &(Vec<u8>, Vec<u8>)) -> Result<TlsAcceptor, TlsError> {
    let malformed = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Malformed { path, source }
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.0).collect();
    let chain = chain.map_err(malformed(certificate))?;
    let key = PrivateKeyDer::from_pem_slice(&files.1).map_err(malformed(key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(TlsError::Unfit)?;
    let config = config.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
