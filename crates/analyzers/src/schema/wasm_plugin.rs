//! Rules on [`WasmPlugin`](https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/), most of which
//! hold for the Wasm part of a `TrafficExtension` too.

use std::collections::BTreeSet;

use super::fields::Fields;
use super::message::extensions::VALUE_SOURCE;
use super::problem::Outcome;
use super::value::{Check, url};
use super::{Object, selector};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    selector::policy_target(&mut outcome, object.spec);
    module(&mut outcome, object.spec, "pluginName field must be less than 255 characters long");
    outcome.check(matches(object.spec));
    outcome
}

/// Where the module comes from and how it runs.
pub(super) fn module(outcome: &mut Outcome, wasm: Fields, long_name: &str) {
    outcome.check(module_url(wasm.text("url")));
    let sha256 = wasm.text("sha256");
    if !sha256.is_empty() {
        if sha256.len() != 64 {
            outcome.error("sha256 field must be 64 characters long");
        } else if !sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            outcome.error("sha256 field must match [a-f0-9]{64} pattern");
        }
    }
    if wasm.text("imagePullSecret").len() > 253 {
        outcome.error("imagePullSecret field must be less than 253 characters long");
    }
    // Upstream's text says 255, its bound is 256.
    if wasm.text("pluginName").len() > 256 {
        outcome.error(long_name);
    }
    if let Some(config) = wasm.message("vmConfig") {
        outcome.check(environment(config));
    }
}

fn module_url(text: &str) -> Check {
    if text.is_empty() {
        return Err("url field needs to be set".into());
    }
    let with_scheme = format!("http://{text}");
    let (lenient, strict) = match url::parse_request_uri(text) {
        Ok(_) => (url::parse(text), url::parse_request_uri(text)),
        Err(_) => (url::parse(&with_scheme), url::parse_request_uri(&with_scheme)),
    };
    let url = lenient.map_err(|error| format!("failed to parse url: {error}"))?;
    strict.map_err(|error| format!("failed to strict parse url: {error}"))?;
    if matches!(url.scheme.as_str(), "" | "file" | "http" | "https" | "oci") {
        return Ok(());
    }
    Err(format!("url contains unsupported scheme: {}", url.scheme))
}

fn environment(config: Fields) -> Check {
    let mut seen = BTreeSet::new();
    for variable in config.list("env") {
        let variable = variable.unwrap_or(Fields::NONE);
        let name = variable.text("name");
        if name.is_empty() {
            return Err("spec.vmConfig.env invalid".into());
        }
        if name.len() > 256 {
            return Err("env.name field must be less than 255 characters long".into());
        }
        if !seen.insert(name) {
            return Err("duplicate env".into());
        }
        if variable.has_text("value") && !variable.choice("valueFrom", &VALUE_SOURCE).is("INLINE") {
            return Err("value may only be set when valueFrom is INLINE".into());
        }
    }
    Ok(())
}

/// To which traffic the extension applies.
pub(super) fn matches(spec: Fields) -> Check {
    for (index, selector) in spec.list("match").enumerate() {
        let Some(selector) = selector else { return Err(format!("spec.Match[{index}] is nil")) };
        for (inner, port) in selector.list("ports").enumerate() {
            let Some(port) = port else { return Err(format!("spec.Match[{index}].Ports[{inner}] is nil")) };
            let number = port.int("number");
            if !(1..=65535).contains(&number) {
                return Err(format!("spec.Match[{index}].Ports[{inner}] is out of range: {number}"));
            }
        }
    }
    Ok(())
}
