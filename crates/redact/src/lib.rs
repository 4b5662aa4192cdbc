//! What must never be stored or sent: private keys, Secret data, tokens, credentials in headers and URLs.
//!
//! Secrets are taken out of values, where names tell what a value is, before any format is made of them; what was a text
//! from the beginning, such as a log, is searched as one. Certificates are kept, because half of the diagnosis of a mesh
//! reads them. Everything is first searched for the words that every secret comes with, so that ordinary text is neither
//! copied nor matched against a pattern.

mod json;
mod lines;
mod names;
mod quoted;
mod text;
mod yaml;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

pub use lines::Lines;
pub use text::{redact_counted, redact_text};

/// Stands where a secret was.
pub const REDACTED: &str = "REDACTED";

/// The same where the field is base64, as the data of a Secret.
const REDACTED_BASE64: &str = "UkVEQUNURUQ=";

/// What Envoy itself puts in place of a secret, plain and as base64.
const BY_ENVOY: [&str; 2] = ["[redacted]", "W3JlZGFjdGVkXQ=="];

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Replaces every secret in a document; answers how many there were.
pub fn redact_value(value: &mut Value) -> u64 {
    rewritten(value, json::Root::Any)
}

/// Replaces the data of a Secret, but for certificates, and every secret in the rest of it.
pub fn redact_secret(secret: &mut Value) -> u64 {
    rewritten(secret, json::Root::Secret)
}

fn rewritten(value: &mut Value, root: json::Root) -> u64 {
    let text = value.to_string();
    let Some((redacted, count)) = json::redact(&text, root) else { return 0 };
    *value = serde_json::from_str(&redacted).unwrap_or_else(|_| REDACTED.into());
    count
}

/// JSON without its secrets; `None` when it has none, as most have. It is never read into a tree.
pub fn redact_json(text: &str) -> Option<String> {
    json::redact(text, json::Root::Any).map(|(redacted, _)| redacted)
}

/// The same for a text that may be JSON: an answer of a program, a line of a log.
pub fn redact_page(text: &str) -> Cow<'_, str> {
    redact_page_counted(text).0
}

/// The same, and how many secrets there were.
pub fn redact_page_counted(text: &str) -> (Cow<'_, str>, u64) {
    let start = text.trim_start();
    if start.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        let redacted = json::redact(text, json::Root::Any);
        return redacted.map_or((Cow::Borrowed(text), 0), |(redacted, count)| (Cow::Owned(redacted), count));
    }
    redact_counted(text)
}

/// The certificates among what else there is, in the same form; `None` where there are none.
fn certificates_in(text: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let decoded = BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let mut rest = decoded.as_deref().unwrap_or(text);
    let mut found = String::new();
    while let Some((_, body)) = rest.split_once(BEGIN) {
        let (content, after) = body.split_once(END)?;
        found.push_str(&format!("{BEGIN}{content}{END}\n"));
        rest = after;
    }
    let found = if decoded.is_some() { BASE64.encode(found) } else { found };
    is_certificate(&found).then_some(found)
}

/// Certificates and nothing else, as PEM or as base64 of it.
fn is_certificate(text: &str) -> bool {
    let decoded = BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let mut rest = decoded.as_deref().unwrap_or(text).trim();
    let mut found = false;
    while let Some(body) = rest.strip_prefix("-----BEGIN CERTIFICATE-----") {
        let Some((content, after)) = body.split_once("-----END CERTIFICATE-----") else { return false };
        if !content.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte)) {
            return false;
        }
        (found, rest) = (true, after.trim_start());
    }
    found && rest.is_empty()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
