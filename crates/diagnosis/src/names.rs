//! Names within a text: of objects, hosts, fields and files, by which two facts are known to be about the same thing.

use std::collections::BTreeSet;

/// Shorter words are hardly names.
const SHORTEST: usize = 3;

/// Every word of a text that could be a name, and the parts of those with a slash or a dot: `shop/cart` names `cart`, too.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/' | '_');
    for word in text.split(|c| !within(c)) {
        let word = word.trim_matches(['-', '.', '/', '_']);
        if word.len() < SHORTEST {
            continue;
        }
        names.insert(word.to_owned());
        for part in word.split('/').filter(|part| part.len() >= SHORTEST && *part != word) {
            names.insert(part.to_owned());
        }
        // A proxy's id, `pod.namespace`, and a host's first label.
        if let Some((first, _)) = word.split_once('.')
            && first.len() >= SHORTEST
        {
            names.insert(first.to_owned());
        }
    }
    names
}

/// Those of the names that stand for one thing and not for a kind of things: with a digit, a dash, a dot, a slash or a capital
/// within.
pub(crate) fn telling(text: &str) -> BTreeSet<String> {
    let mut found = names(text);
    found.retain(|name| {
        let inner = name.get(1..).unwrap_or_default();
        inner.contains(|c: char| matches!(c, '-' | '.' | '/') || c.is_ascii_uppercase())
            && !name.starts_with(|c: char| c.is_ascii_digit())
    });
    found
}

/// What a text has in quotation marks.
pub(crate) fn quoted(text: &str) -> BTreeSet<String> {
    let parts = text.split('"').skip(1).step_by(2);
    parts.filter(|part| part.len() >= SHORTEST && !part.contains(' ')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_their_parts() {
        let found = names("secret aks-istio-ingress/pay-tls not found (3 times), proxy cart-1.shop");
        for name in ["aks-istio-ingress/pay-tls", "pay-tls", "aks-istio-ingress", "cart-1", "cart-1.shop"] {
            assert!(found.contains(name), "{name}: {found:?}");
        }
        assert!(!telling("the Secret of a gateway").contains("Secret"));
        assert!(telling("defaultConfig of login.invalid").contains("defaultConfig"));
        assert!(quoted("host not found: \"chekout.shop\"").contains("chekout.shop"));
    }
}
