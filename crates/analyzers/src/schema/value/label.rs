//! [Labels](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set) of
//! workloads and subsets.

use super::Check;
use super::domain::is_dns_label;
use super::text::quoted;

const MAX_PREFIX: usize = 253;
const MAX_NAME: usize = 63;

/// Letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_qualified_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn key(key: &str) -> Check {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let well_formed = is_qualified_name(name) && prefix.is_none_or(|prefix| prefix.split('.').all(is_dns_label));
    if !well_formed {
        return Err(format!("invalid tag key: {}", quoted(key)));
    }
    if prefix.is_some_and(|prefix| prefix.len() > MAX_PREFIX) {
        return Err(format!("invalid tag key: {} (DNS prefix is too long)", quoted(key)));
    }
    if name.len() > MAX_NAME {
        return Err(format!("invalid tag key: {} (name is too long)", quoted(key)));
    }
    Ok(())
}

/// The faults of a map of labels, in the order of its keys.
pub(in super::super) fn labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut errors = Vec::new();
    for (name, value) in labels {
        errors.extend(key(name).err());
        if !value.is_empty() && !is_qualified_name(value) {
            errors.push(format!("invalid tag value: {}", quoted(value)));
        }
    }
    errors
}
