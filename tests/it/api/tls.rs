//! TLS of the service itself, and a certificate that is renewed under it.

use std::{path::Path, sync::Arc};

use axum::{Router, routing::get};
use meshtriage::api::{self, Bounds, Tls};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;

/// Writes a new certificate, and answers with it.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// The answer to a client who trusts this certificate.
async fn ask(address: std::net::SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn renewed_certificate_is_used_without_a_restart() {
    let folder = tempdir().unwrap();
    let first = renew(folder.path());
    let tls = Tls::open(&folder.path().join("tls.crt"), &folder.path().join("tls.key")).unwrap();
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "ok" }));
    let serving =
        api::serve_within(listener, router, std::future::pending(), Bounds::default(), Some(Arc::clone(&tls)));
    tokio::spawn(serving);

    assert!(ask(address, &first).await.unwrap().ends_with("ok"));
    assert!(!tls.reload().unwrap(), "nothing has changed");
    let second = renew(folder.path());
    assert!(tls.reload().unwrap());
    assert!(ask(address, &second).await.unwrap().ends_with("ok"));
    assert!(ask(address, &first).await.is_err());

    // Half a renewal leaves the certificate that works.
    std::fs::write(folder.path().join("tls.key"), "").unwrap();
    assert!(tls.reload().is_err());
    assert!(ask(address, &second).await.unwrap().ends_with("ok"));
}
