//! Labels and selectors, and the indexes that keep "which objects have these labels" from being a loop over everything.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::view::View;

/// Whether every pair of the selector is among the labels. A selector without pairs matches everything.
pub fn matches(selector: View<'_>, labels: View<'_>) -> bool {
    selector.entries().all(|(key, value)| labels.get(key).text_if_any() == Some(value.written()))
}

/// The pairs `key=value`, sorted by key and joined with commas: how messages name a selector.
pub fn selector_text(selector: View<'_>) -> String {
    let mut pairs: Vec<(&str, &str)> = selector.entries().map(|(key, value)| (key, value.written())).collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// The key of the alphabetically first pair, whose line a message about the selector is given.
pub fn first_label(selector: View<'_>) -> &str {
    selector.entries().map(|(key, _)| key).min().unwrap_or_default()
}

/// Whether a Kubernetes [`LabelSelector`](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)
/// matches. An absent or empty one matches everything, an invalid one nothing.
pub fn selector_matches<'l>(selector: View<'_>, label: impl Fn(&str) -> Option<&'l str>) -> bool {
    selector.get("matchLabels").entries().all(|(key, value)| label(key) == Some(value.written()))
        && selector.get("matchExpressions").items().all(|expression| {
            let value = label(expression.get("key").text());
            let values = expression.get("values");
            let is_listed = |value: &str| values.texts().any(|listed| listed == value);
            match expression.get("operator").text() {
                "In" => !values.is_empty() && value.is_some_and(is_listed),
                "NotIn" => !values.is_empty() && !value.is_some_and(is_listed),
                "Exists" => values.is_empty() && value.is_some(),
                "DoesNotExist" => values.is_empty() && value.is_none(),
                _ => false,
            }
        })
}

/// Which positions carry a label, or select by it. Pairs are kept by their hash, so whoever asks checks the
/// candidates.
#[derive(Debug, Default)]
pub(super) struct LabelIndex {
    positions: HashMap<u64, Vec<u32>>,
}

impl LabelIndex {
    /// Every object under each of its pairs.
    pub(super) fn of_all_pairs<'v>(maps: impl Iterator<Item = View<'v>>) -> Self {
        let mut index = Self::default();
        for (position, map) in (0..).zip(maps) {
            for (key, value) in map.entries() {
                index.positions.entry(hash(key, value.written())).or_default().push(position);
            }
        }
        index
    }

    /// Every selector under its first pair, which is enough to find those that match given labels.
    pub(super) fn of_first_pair<'v>(maps: impl Iterator<Item = View<'v>>) -> Self {
        let mut index = Self::default();
        for (position, map) in (0..).zip(maps) {
            if let Some((key, value)) = map.entries().next() {
                index.positions.entry(hash(key, value.written())).or_default().push(position);
            }
        }
        index
    }

    /// The candidates for a selector: those that have its rarest pair. `None` if the selector has no pair.
    pub(super) fn candidates(&self, selector: View<'_>) -> Option<&[u32]> {
        let candidates = selector.entries().map(|(key, value)| self.under(key, value.written()));
        candidates.min_by_key(|positions| positions.len())
    }

    pub(super) fn under(&self, key: &str, value: &str) -> &[u32] {
        self.positions.get(&hash(key, value)).map_or(&[], Vec::as_slice)
    }
}

fn hash(key: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::super::Tree;
    use super::*;

    fn check(selector: &serde_json::Value, labels: &[(&str, &'static str)], expected: bool) {
        let tree = Tree::from_json(selector).unwrap();
        let label = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        assert_eq!(selector_matches(tree.root(), label), expected, "{selector}");
    }

    #[test]
    fn kubernetes_selectors() {
        check(&json!({}), &[], true);
        check(&json!({"matchLabels": {"a": "b"}}), &[("a", "b")], true);
        check(&json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}), &[], true);
        check(&json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}), &[("a", "c")], false);
        check(&json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]}), &[("a", "")], true);
        check(&json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}), &[("a", "")], false);
        check(&json!({"matchExpressions": [{"key": "a", "operator": "In"}]}), &[("a", "")], false);
        check(&json!({"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]}), &[], false);
    }
}
