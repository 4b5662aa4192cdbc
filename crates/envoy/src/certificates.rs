//! Certificates in PEM, as far as a person needs to know them: whose, how long, by whom.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::Error;

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    /// Hexadecimal, lower case, without leading zeros.
    pub serial_number: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Whether it may sign others (basic constraints).
    pub is_ca: bool,
    /// DNS names, addresses and URIs it is for.
    pub subject_alternative_names: Vec<String>,
    /// SHA-256 of the DER form, hexadecimal.
    pub fingerprint: String,
}

impl Certificate {
    /// Every certificate in a PEM text. Blocks of another kind, and such that cannot be read, are left out.
    pub fn all_in(pem: &[u8]) -> Vec<Self> {
        Pem::iter_from_buffer(pem).filter_map(|block| Self::read(&block.ok()?)).collect()
    }

    /// The certificate in the first block: that of a workload, before those of its authorities.
    pub fn first_in(pem: &[u8]) -> Option<Self> {
        Self::read(&Pem::iter_from_buffer(pem).next()?.ok()?)
    }

    fn read(block: &Pem) -> Option<Self> {
        let certificate = block.parse_x509().ok()?;
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial_number: format!("{:x}", certificate.serial),
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
            is_ca: certificate.is_ca(),
            subject_alternative_names: alternative_names(&certificate),
            fingerprint: hexadecimal(&Sha256::digest(&block.contents)),
        })
    }

    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before < now && now < self.not_after
    }

    /// The trust domain of its SPIFFE identity, `spiffe://<trust domain>/ns/<namespace>/sa/<account>`.
    pub fn trust_domain(&self) -> Option<&str> {
        let identity = self.subject_alternative_names.iter().rev().find_map(|name| name.strip_prefix("spiffe://"))?;
        identity.split('/').next()
    }
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    });
    names.collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}

/// The bytes that protobuf's JSON writes in base64; none if they are something else.
pub(super) fn decoded(base64: &str) -> Option<Vec<u8>> {
    STANDARD.decode(base64).ok()
}

/// Whether two sets of root certificates (PEM) have any in common, so that workloads of both can trust each other.
pub fn roots_match(first: &str, second: &str) -> Result<bool, Error> {
    let roots = |pem: &str| match Certificate::all_in(pem.as_bytes()) {
        roots if roots.is_empty() => Err(Error::NoCertificate(pem.to_owned())),
        roots => Ok(roots),
    };
    let (first, second) = (roots(first)?, roots(second)?);
    Ok(first.iter().any(|root| second.iter().any(|other| other.fingerprint == root.fingerprint)))
}
