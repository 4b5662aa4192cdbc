//! Label and field selectors.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api>

use std::io;

use serde_json::Value;

use super::super::resource::Item;
use super::path::Query;
use super::status::Status;

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// Also true where there is no such label.
    NotIn(Vec<String>),
}

#[derive(Debug, PartialEq, Eq)]
struct FieldRequirement {
    path: Vec<String>,
    equal: bool,
    value: String,
}

impl Selector {
    pub(crate) fn parse(query: &Query) -> Result<Self, Status> {
        let labels = query.get("labelSelector").unwrap_or_default();
        let fields = query.get("fieldSelector").unwrap_or_default();
        Ok(Self {
            labels: split(labels).into_iter().map(requirement).collect::<Result<_, _>>()?,
            fields: fields.split(',').filter(|part| !part.trim().is_empty()).map(field).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn matches(&self, item: &Item) -> io::Result<bool> {
        // Every page of a large list asks this about every object.
        if !self.labels.iter().all(|requirement| requirement.matches(item)) {
            return Ok(false);
        }
        if self.fields.is_empty() {
            return Ok(true);
        }
        let object = item.object()?;
        Ok(self.fields.iter().all(|field| field.matches(&object)))
    }
}

impl Requirement {
    fn matches(&self, item: &Item) -> bool {
        let value = item.label(&self.key);
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|refused| refused != value)),
        }
    }
}

impl FieldRequirement {
    /// A field that is absent is the empty string, as for the pods without a node: `spec.nodeName=`.
    fn matches(&self, object: &Value) -> bool {
        let value = self.path.iter().try_fold(object, |value, name| value.get(name));
        let equal = match value {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Null) | None => self.value.is_empty(),
            Some(Value::Bool(flag)) => flag.to_string() == self.value,
            Some(Value::Number(number)) => number.to_string() == self.value,
            Some(Value::Array(_) | Value::Object(_)) => false,
        };
        equal == self.equal
    }
}

/// Cuts at the commas that are not inside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn requirement(written: &str) -> Result<Requirement, Status> {
    let unreadable = || Status::bad_request(format!("unable to parse requirement: {written:?}"));
    let (name, test) = if let Some(key) = written.strip_prefix('!') {
        (key, Test::Absent)
    } else if let Some(list) = written.strip_suffix(')') {
        let (left, values) = list.split_once('(').ok_or_else(unreadable)?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, operator) = left.trim().rsplit_once(char::is_whitespace).ok_or_else(unreadable)?;
        match operator {
            "in" => (key, Test::In(values)),
            "notin" => (key, Test::NotIn(values)),
            _ => return Err(unreadable()),
        }
    } else if let Some((key, value)) = written.split_once("!=") {
        (key, Test::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = written.split_once("==").or_else(|| written.split_once('=')) {
        (key, Test::In(vec![value.trim().to_owned()]))
    } else {
        (written, Test::Exists)
    };
    let key = name.trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if key.is_empty() || !key.bytes().all(allowed) {
        return Err(unreadable());
    }
    Ok(Requirement { key: key.to_owned(), test })
}

fn field(text: &str) -> Result<FieldRequirement, Status> {
    let (path, equal, value) = if let Some((path, value)) = text.split_once("!=") {
        (path, false, value)
    } else if let Some((path, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (path, true, value)
    } else {
        return Err(Status::bad_request(format!("invalid selector: {text:?}; can't understand it")));
    };
    // The label `source` of events is the component.
    let path = if path.trim() == "source" { "source.component" } else { path.trim() };
    Ok(FieldRequirement { path: path.split('.').map(str::to_owned).collect(), equal, value: value.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::resource::Resource;
    use super::*;

    #[test]
    fn selectors_match_as_kubernetes_says() {
        let pod = json!({
            "metadata": {"name": "cart-1", "labels": {"app": "cart", "tier": "back"}},
            "spec": {"nodeName": "n1", "hostNetwork": true}, "status": {"phase": "Running"},
        });
        let mut pods = Resource::new("Pod");
        assert!(pods.push(&pod));
        let check = |query: &str, expected: bool| {
            let selector = Selector::parse(&Query::parse(query)).unwrap_or_else(|error| panic!("{query}: {error:?}"));
            assert_eq!(selector.matches(&pods.items[0]).ok(), Some(expected), "{query}");
        };
        check("", true);
        check("labelSelector=app%3Dcart", true);
        check("labelSelector=app==cart,tier!=front", true);
        check("labelSelector=app!=cart", false);
        check("labelSelector=other!=cart", true);
        check("labelSelector=app in (cart, pay),tier notin (front)", true);
        check("labelSelector=app notin (cart,pay)", false);
        check("labelSelector=!other", true);
        check("labelSelector=!app", false);
        check("labelSelector=app", true);
        check("fieldSelector=metadata.name=cart-1,status.phase!=Failed", true);
        check("fieldSelector=spec.nodeName=", false);
        check("fieldSelector=spec.hostNetwork=true", true);
        check("fieldSelector=metadata.namespace=", true);
    }

    #[test]
    fn a_selector_that_cannot_be_read_is_refused() {
        for query in ["labelSelector=app in cart)", "labelSelector=app foo (a)", "labelSelector==a", "fieldSelector=a"]
        {
            assert!(Selector::parse(&Query::parse(query)).is_err(), "{query}");
        }
    }
}
