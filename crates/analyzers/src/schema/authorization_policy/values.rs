//! Rules on the lists of values in an `AuthorizationPolicy`. Each says only its first offender.

use super::super::value::Check;
use super::super::value::address::{cidr_error, is_cidr, is_ip};
use super::super::value::text::quoted;

pub(super) fn not_empty(name: &str, values: &[&str]) -> Check {
    if values.iter().any(|value| value.is_empty()) {
        return Err(format!("empty value not allowed, found in {name}"));
    }
    Ok(())
}

pub(super) fn service_accounts(name: &str, values: &[&str]) -> Check {
    const FORMAT: &str = "expected format 'serviceAccount' or 'namespace/serviceAccount'";
    if values.len() > 16 {
        return Err("may not have more than 16 values".into());
    }
    not_empty(name, values)?;
    for value in values {
        if value.contains('*') {
            return Err(format!("wildcard not allowed, found in {name}"));
        }
        let shown = quoted(value);
        if value.matches('/').count() > 1 {
            return Err(format!("{FORMAT}, found {shown} in {name}"));
        }
        if value.len() > 320 {
            return Err(format!("value cannot exceed 320 characters, found {shown} in {name}"));
        }
        if let Some((namespace, account)) = value.split_once('/') {
            if namespace.is_empty() {
                return Err(format!("{FORMAT}, found empty namespace {shown} in {name}"));
            }
            if account.is_empty() {
                return Err(format!("{FORMAT}, found empty serviceAccount {shown} in {name}"));
            }
        }
    }
    Ok(())
}

/// At most one `*`, at an end.
pub(super) fn wildcards(name: &str, values: &[&str]) -> Check {
    not_empty(name, values)?;
    for value in values {
        match value.matches('*').count() {
            0 => {}
            1 if value.starts_with('*') || value.ends_with('*') => {}
            1 => {
                return Err(format!(
                    "wildcard is only allowed at the start or end, found in {name}: {}",
                    quoted(value)
                ));
            }
            _ => return Err(format!("at most one wildcard is allowed, found in {name}: {}", quoted(value))),
        }
    }
    Ok(())
}

pub(super) fn trust_domains(name: &str, values: &[&str]) -> Check {
    wildcards(name, values)?;
    match values.iter().find(|value| value.contains('/')) {
        Some(value) => Err(format!("trust domain must not contain '/', found in {name}: {}", quoted(value))),
        None => Ok(()),
    }
}

/// Every address or network that is none.
pub(super) fn addresses(values: &[&str]) -> Vec<String> {
    let mut errors = Vec::new();
    for value in values {
        if value.contains('/') {
            if !is_cidr(value) {
                errors.push(format!("bad CIDR range ({value}): {}", cidr_error(value)));
            }
        } else if !is_ip(value) {
            errors.push(format!("bad IP address ({value})"));
        }
    }
    errors
}

/// Every port that is none; 0 passes.
pub(super) fn ports(values: &[&str]) -> Vec<String> {
    let mut errors = Vec::new();
    for value in values {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if value.parse::<u16>().is_err() || !digits {
            let why = if digits { "value out of range" } else { "invalid syntax" };
            errors.push(format!("bad port ({value}): strconv.ParseUint: parsing {}: {why}", quoted(value)));
        }
    }
    errors
}

/// [Path templates](https://istio.io/latest/docs/reference/config/security/authorization-policy/#Operation):
/// `{*}` is one segment, `{**}` any number of them, at the end.
pub(super) fn path_templates(name: &str, paths: &[&str]) -> Check {
    for path in paths {
        let template = path.contains("{*}") || path.contains("{**}");
        let wrong = |why: &str| Err(format!("invalid or unsupported path {path}, found in {name}. {why}"));
        let mut any = false;
        for segment in path.trim_matches('/').split('/') {
            match segment {
                "{*}" | "{**}" if any => return wrong("{**} is not the last operator"),
                "{*}" => {}
                "{**}" => any = true,
                _ if segment.contains(['{', '}']) => {
                    return wrong("Contains '{' or '}' beyond a supported path template");
                }
                _ if template && !is_literal(segment) => {
                    return wrong(&format!("Contains segment {segment} with invalid string literal"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_literal(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte))
}
