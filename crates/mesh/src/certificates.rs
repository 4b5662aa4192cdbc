//! The certificates that a gateway presents: which Secret a credential means, and what is in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use super::host;
use super::object::Object;

/// As much of a certificate as a client looks at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// The DNS names and addresses that it is for.
    pub names: Vec<String>,
}

impl Certificate {
    /// The certificates that a Secret presents, the server's own first; none where nothing can be read.
    pub fn all_in(secret: &Object) -> Vec<Self> {
        Self::under(secret, &["tls.crt", "cert"])
    }

    /// The authorities that a Secret holds beside them.
    pub fn authorities_in(secret: &Object) -> Vec<Self> {
        Self::under(secret, &["ca.crt", "cacert"])
    }

    /// Whether it was signed with its own key, as far as the names tell.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether a client that asks for a host accepts it. The wildcard of a certificate stands for one label
    /// (<https://www.rfc-editor.org/rfc/rfc6125#section-6.4.3>); of the hosts that a wildcard asks for, one is enough.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.names.iter().map(|name| name.to_ascii_lowercase()).any(|name| {
            let by_wildcard = || {
                let (_, parent) = host.split_once('.')?;
                Some(name.strip_prefix("*.")? == parent)
            };
            name == host || by_wildcard().unwrap_or(false) || host.starts_with('*') && host::is_subset(&name, &host)
        })
    }

    fn under(secret: &Object, keys: &[&str]) -> Vec<Self> {
        let data = secret.root().get("data");
        let text = keys.iter().map(|key| data.get(key).text()).find(|text| !text.is_empty());
        let Some(pem) = text.and_then(decoded) else { return Vec::new() };
        Pem::iter_from_buffer(&pem).filter_map(|block| Self::read(&block.ok()?)).collect()
    }

    fn read(block: &Pem) -> Option<Self> {
        let certificate = block.parse_x509().ok()?;
        let time = |time: ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
            names: names(&certificate),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    });
    names.collect()
}

/// The bytes of a value of a Secret. Kubernetes allows line breaks in base64.
pub fn decoded(value: &str) -> Option<Vec<u8>> {
    let value: String = value.split_ascii_whitespace().collect();
    STANDARD.decode(value).ok()
}

/// The namespace and name of the Secret that a credential means for proxies of this namespace; `None` for one that is no
/// Secret (<https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings>).
pub fn secret_of<'c>(credential: &'c str, namespace: &'c str) -> Option<(&'c str, &'c str)> {
    match credential.split_once("://") {
        Some(("kubernetes" | "kubernetes-gateway", name)) => Some(host::reference(namespace, name)),
        Some(_) => None,
        None => Some(host::reference(namespace, credential)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_certificates_stand_for_one_label() {
        let certificate = Certificate {
            subject: "CN=shop".into(),
            issuer: "CN=shop".into(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
            names: vec!["*.example.com".into(), "Shop.example.org".into()],
        };
        let covered = ["a.example.com", "a.b.example.com", "example.com", "shop.example.org", "*.example.com"]
            .map(|host| certificate.covers(host));
        assert_eq!(covered, [true, false, false, true, true]);
        assert!(certificate.covers("*.example.org") && !certificate.covers("*.example.net"));
    }

    #[test]
    fn credentials_name_secrets() {
        assert_eq!(secret_of("shop-tls", "ingress"), Some(("ingress", "shop-tls")));
        assert_eq!(secret_of("kubernetes-gateway://shop/tls", "ingress"), Some(("shop", "tls")));
        assert_eq!(secret_of("builtin://", "ingress"), None);
    }
}
