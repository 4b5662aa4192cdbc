//! Label selectors of Services and of disruption budgets
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).

use serde_json::Value;

use super::object::{Object, list, text};

/// A map of labels, as in a Service. An empty one selects nothing.
pub(super) fn map_selects(selector: &Value, object: &Object) -> bool {
    let Some(map) = selector.as_object() else { return false };
    !map.is_empty() && map.iter().all(|(name, value)| value.as_str().is_some() && object.label(name) == value.as_str())
}

/// A selector with `matchLabels` and `matchExpressions`. An empty one selects everything.
pub(super) fn selector_selects(selector: &Value, object: &Object) -> bool {
    if !selector.is_object() {
        return false;
    }
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let labels_match = labels.is_none_or(|map| map.iter().all(|(name, value)| object.label(name) == value.as_str()));
    labels_match && list(selector, "/matchExpressions").iter().all(|expression| holds(expression, object))
}

fn holds(expression: &Value, object: &Object) -> bool {
    let value = object.label(text(expression, "/key"));
    let listed = || list(expression, "/values").iter().any(|wanted| wanted.as_str() == value);
    match text(expression, "/operator") {
        "In" => value.is_some() && listed(),
        "NotIn" => value.is_none() || !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(selector: &Value, expected: bool) {
        let pod = Object::new("Pod", json!({"metadata": {"labels": {"app": "cart", "version": "v1"}}}));
        assert_eq!(selector_selects(selector, &pod), expected, "{selector}");
    }

    #[test]
    fn selectors_hold_or_not() {
        check(&json!({}), true);
        check(&json!(null), false);
        check(&json!({"matchLabels": {"app": "cart"}}), true);
        check(&json!({"matchLabels": {"app": "cart", "x": "y"}}), false);
        check(&json!({"matchExpressions": [{"key": "version", "operator": "In", "values": ["v1", "v2"]}]}), true);
        check(&json!({"matchExpressions": [{"key": "version", "operator": "NotIn", "values": ["v1"]}]}), false);
        check(&json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}), true);
        check(&json!({"matchExpressions": [{"key": "x", "operator": "Exists"}]}), false);
    }

    #[test]
    fn an_empty_map_selects_nothing() {
        let pod = Object::new("Pod", json!({"metadata": {"labels": {"app": "cart"}}}));
        assert!(!map_selects(&json!({}), &pod));
        assert!(map_selects(&json!({"app": "cart"}), &pod));
    }
}
