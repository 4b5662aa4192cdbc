//! [JSON Web Keys](https://www.rfc-editor.org/rfc/rfc7517): whether a text holds keys, and which of them are secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Reads a key or a set of keys. Returns the positions of those that hold secrets: private and symmetric keys.
pub(crate) fn parse(text: &str) -> Result<Vec<usize>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("failed to unmarshal JWK set: {error}"))?;
    let Some(object) = value.as_object() else { return Err("failed to unmarshal JWK set: not an object".into()) };
    let keys: Vec<&Value> = match object.get("keys") {
        Some(Value::Array(keys)) => keys.iter().collect(),
        Some(_) => return Err("failed to unmarshal JWK set: \"keys\" is not a list".into()),
        None => vec![&value],
    };
    let mut secrets = Vec::new();
    for (index, key) in keys.into_iter().enumerate() {
        let key = key.as_object().ok_or_else(|| format!("key #{index} is not an object"))?;
        if is_secret(key).map_err(|error| format!("failed to unmarshal key #{index}: {error}"))? {
            secrets.push(index);
        }
    }
    Ok(secrets)
}

/// Whether a key is secret, after its required members have been found sound.
fn is_secret(key: &Map<String, Value>) -> Result<bool, String> {
    let required: &[&str] = match key.get("kty").and_then(Value::as_str) {
        Some("RSA") => &["n", "e"],
        Some("EC") => &["x", "y"],
        Some("OKP") => &["x"],
        Some("oct") => &["k"],
        Some(other) => return Err(format!("invalid key type from JSON ({other})")),
        None => return Err("invalid key type from JSON ()".into()),
    };
    let curves: &[&str] = match key.get("kty").and_then(Value::as_str) {
        Some("EC") => &["P-256", "P-384", "P-521", "secp256k1"],
        Some("OKP") => &["Ed25519", "Ed448", "X25519", "X448"],
        _ => &[],
    };
    if !curves.is_empty() && !key.get("crv").and_then(Value::as_str).is_some_and(|curve| curves.contains(&curve)) {
        return Err("required field crv is missing or unknown".into());
    }
    for name in required {
        let member = key.get(*name).and_then(Value::as_str).filter(|member| !member.is_empty());
        let member = member.ok_or_else(|| format!("required field {name} is missing"))?;
        // Some writers pad, which is not in the standard but is read everywhere.
        if URL_SAFE_NO_PAD.decode(member.trim_end_matches('=').replace('+', "-").replace('/', "_")).is_err() {
            return Err(format!("failed to decode field {name} as base64"));
        }
    }
    Ok(key.contains_key("d") || key.contains_key("k"))
}
