//! The secrets of a dump: certificates that Envoy got over SDS. Envoy itself writes `[redacted]` for private keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::certificates::{Certificate, decoded};
use super::config_dump::{ConfigDump, Entry, read, required};
use super::table::Table;
use super::{Error, json};

/// One secret; one for each trust domain where a secret has several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SecretRow {
    /// `default` (the workload's certificate), `ROOTCA`, `kubernetes://<secret>`, `file-root:…` …
    pub name: String,
    pub status: SecretStatus,
    /// Whether the first certificate is within its time. No chain is verified.
    pub valid: bool,
    /// The first certificate; absent while the secret has no data, or has data that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    pub last_updated: String,
}

/// Whether Envoy has a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SecretStatus {
    /// Asked for, and not there yet. What needs it does not work.
    Warming,
    Active,
    /// In use by name, but nothing has come.
    Uninitialized,
}

/// How serial numbers are written: with at least 32 digits since istioctl 1.29.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SerialNumbers {
    #[default]
    Padded,
    Bare,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Secret {
    #[serde(alias = "tlsCertificate", deserialize_with = "json::or_default")]
    tls_certificate: TlsCertificate,
    #[serde(alias = "validationContext", deserialize_with = "json::or_default")]
    validation_context: ValidationContext,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TlsCertificate {
    #[serde(alias = "certificateChain", deserialize_with = "json::or_default")]
    certificate_chain: DataSource,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ValidationContext {
    #[serde(alias = "trustedCa", deserialize_with = "json::or_default")]
    trusted_ca: DataSource,
    #[serde(alias = "customValidatorConfig", deserialize_with = "json::or_default")]
    custom_validator_config: ValidatorExtension,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DataSource {
    #[serde(alias = "inlineBytes", deserialize_with = "json::or_default")]
    inline_bytes: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ValidatorExtension {
    #[serde(alias = "typedConfig", deserialize_with = "json::or_default")]
    typed_config: SpiffeValidator,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpiffeValidator {
    #[serde(alias = "trustDomains", deserialize_with = "json::or_default")]
    trust_domains: Vec<TrustDomain>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TrustDomain {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(alias = "trustBundle", deserialize_with = "json::or_default")]
    trust_bundle: DataSource,
}

/// What a secret holds: certificates in PEM, and the trust domain where the secret says so itself.
struct Data {
    trust_domain: Option<String>,
    pem: Vec<u8>,
}

impl DataSource {
    fn data(&self, trust_domain: Option<String>) -> Data {
        Data { trust_domain, pem: decoded(&self.inline_bytes).unwrap_or_default() }
    }
}

impl Secret {
    fn data(self) -> Vec<Data> {
        let own = [self.tls_certificate.certificate_chain, self.validation_context.trusted_ca];
        if let Some(data) = own.into_iter().find(|data| !data.inline_bytes.is_empty()) {
            return vec![data.data(None)];
        }
        let domains = self.validation_context.custom_validator_config.typed_config.trust_domains;
        domains.into_iter().map(|domain| domain.trust_bundle.data(Some(domain.name))).collect()
    }
}

/// The secrets, those that are warming first.
pub fn rows(dump: &ConfigDump<'_>, now: Timestamp) -> Result<Vec<SecretRow>, Error> {
    let section = required(dump.secrets.as_ref(), "Secrets")?;
    let mut rows = Vec::new();
    for entry in &section.dynamic_warming_secrets {
        push_rows(entry, SecretStatus::Warming, now, &mut rows)?;
    }
    for entry in &section.dynamic_active_secrets {
        let status = match entry.version_info.as_str() {
            "uninitialized" => SecretStatus::Uninitialized,
            _ => SecretStatus::Active,
        };
        push_rows(entry, status, now, &mut rows)?;
    }
    Ok(rows)
}

fn push_rows(entry: &Entry<'_>, status: SecretStatus, now: Timestamp, rows: &mut Vec<SecretRow>) -> Result<(), Error> {
    let row = |trust_domain: Option<String>, certificate: Option<Certificate>| SecretRow {
        name: entry.name.clone(),
        status,
        valid: certificate.as_ref().is_some_and(|certificate| certificate.is_valid_at(now)),
        trust_domain: trust_domain
            .or_else(|| certificate.as_ref().and_then(Certificate::trust_domain).map(str::to_owned)),
        certificate,
        last_updated: entry.last_updated.clone(),
    };
    let data = data_of(entry)?;
    if data.is_empty() {
        rows.push(row(None, None));
    }
    for Data { trust_domain, pem } in data {
        rows.push(row(trust_domain, Certificate::first_in(&pem)));
    }
    Ok(())
}

fn data_of(entry: &Entry<'_>) -> Result<Vec<Data>, Error> {
    match entry.resource {
        Some(resource) => Ok(read::<Secret>(resource, "a secret")?.data()),
        None => Ok(Vec::new()),
    }
}

/// The certificates of a secret in use.
pub(super) struct Held {
    pub(super) secret: String,
    /// Roots that the proxy trusts, and not a chain of its own: one that is valid is enough.
    pub(super) are_roots: bool,
    pub(super) certificates: Vec<Certificate>,
}

/// Every certificate of the secrets in use: the whole chain, not only the first.
pub(super) fn held(dump: &ConfigDump<'_>) -> Result<Vec<Held>, Error> {
    let Some(section) = &dump.secrets else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in &section.dynamic_active_secrets {
        let Some(resource) = entry.resource else { continue };
        let secret: Secret = read(resource, "a secret")?;
        let are_roots = secret.tls_certificate.certificate_chain.inline_bytes.is_empty();
        for data in secret.data() {
            let certificates = Certificate::all_in(&data.pem);
            all.push(Held { secret: entry.name.clone(), are_roots, certificates });
        }
    }
    Ok(all)
}

/// The root certificates (PEM) that the proxy trusts for workloads of the mesh.
pub fn root_ca(dump: &ConfigDump<'_>) -> Result<String, Error> {
    let section = required(dump.secrets.as_ref(), "Secrets")?;
    let entry = section.dynamic_active_secrets.iter().find(|entry| entry.name == "ROOTCA");
    let pem = match entry {
        Some(entry) => data_of(entry)?.into_iter().flat_map(|data| data.pem).collect(),
        None => Vec::new(),
    };
    match String::from_utf8(pem) {
        Ok(pem) if !pem.is_empty() => Ok(pem),
        _ => Err(Error::Nothing("cannot find ROOTCA from secret")),
    }
}

/// The table of `istioctl proxy-config secret`.
pub fn text(rows: &[SecretRow], serial_numbers: SerialNumbers) -> String {
    text_with(rows, serial_numbers, "")
}

/// The table, with a prefix that of `all`.
pub(super) fn text_with(rows: &[SecretRow], serial_numbers: SerialNumbers, prefix: &str) -> String {
    if rows.is_empty() {
        return "No active or warming secrets found.\n".to_owned();
    }
    let mut header = vec!["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"];
    let with_trust_domain = rows.iter().all(|row| row.trust_domain.is_some());
    if with_trust_domain {
        header.push("TRUST DOMAIN");
    }
    let mut table = Table::with_header(5, &header);
    for row in rows {
        let mut cells = vec![format!("{prefix}{}", row.name)];
        cells.extend(certificate_cells(row, serial_numbers));
        if let Some(trust_domain) = row.trust_domain.as_ref().filter(|_| with_trust_domain) {
            cells.push(trust_domain.clone());
        }
        table.push(cells);
    }
    table.text()
}

fn certificate_cells(row: &SecretRow, serial_numbers: SerialNumbers) -> [String; 6] {
    let status = match row.status {
        SecretStatus::Warming => "WARMING",
        SecretStatus::Active => "ACTIVE",
        SecretStatus::Uninitialized => "UNINITIALIZED",
    };
    let Some(certificate) = &row.certificate else {
        return ["", status, "false", "", "", ""].map(str::to_owned);
    };
    let serial_number = match serial_numbers {
        SerialNumbers::Padded => format!("{:0>32}", certificate.serial_number),
        SerialNumbers::Bare => certificate.serial_number.clone(),
    };
    [
        if certificate.is_ca { "CA" } else { "Cert Chain" }.to_owned(),
        status.to_owned(),
        row.valid.to_string(),
        serial_number,
        certificate.not_after.to_string(),
        certificate.not_before.to_string(),
    ]
}
