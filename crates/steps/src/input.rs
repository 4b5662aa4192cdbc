//! Reading a step's inputs, which come as query parameters, as `--input name=value`, or as JSON.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

/// Inputs as they arrive.
#[derive(Debug, Clone)]
pub enum Inputs {
    /// Names and values, a name repeated for a list.
    Pairs(Vec<(String, String)>),
    Json(Value),
}

/// One input that is wrong, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invalid {
    /// JSON Pointer of the field, for example `/namespace`.
    pub pointer: String,
    /// What kind of mistake, for programs: `unknown_field`, `unknown_value`, `type`, `pattern`, `required`, `range`,
    /// `conflict`.
    pub code: &'static str,
    pub message: String,
}

impl Invalid {
    pub fn new(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: format!("/{field}"), code, message: message.into() }
    }
}

impl Inputs {
    /// Reads them as `T`; unknown names are refused, since a misspelt name would silently change the answer.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Vec<Invalid>> {
        match self {
            Self::Pairs(pairs) => {
                let pairs = each(pairs);
                let text = serde_html_form::to_string(&pairs).expect("pairs of strings can be written");
                let parsed = serde_html_form::Deserializer::from_bytes(text.as_bytes());
                serde_path_to_error::deserialize(parsed).map_err(|error| {
                    let path = error.path().to_string();
                    invalid(&path, &error.into_inner().to_string())
                })
            }
            Self::Json(value) => {
                let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
                serde_path_to_error::deserialize(value).map_err(|error| {
                    let path = error.path().to_string();
                    invalid(&path, &error.into_inner().to_string())
                })
            }
        }
    }
}

/// Inputs that take several names, none of which can hold a comma.
const LISTS: [&str; 3] = ["namespace", "istio_namespace", "analyzer"];

/// `namespace=shop,bank` is the same as `namespace=shop&namespace=bank`.
fn each(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut all = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        if LISTS.contains(&name.as_str()) && value.contains(',') {
            all.extend(value.split(',').map(|one| (name.clone(), one.trim().to_owned())));
        } else {
            all.push((name, value));
        }
    }
    all
}

fn invalid(path: &str, message: &str) -> Vec<Invalid> {
    let quoted = |prefix: &str| {
        message.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('`')).and_then(|rest| rest.split('`').next())
    };
    let at = if path == "." { String::new() } else { path.replace(['.', '['], "/").replace(']', "") };
    if let Some((_, known)) = message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        return vec![Invalid::new(&at, "unknown_value", format!("must be {}", known.replace('`', "")))];
    }
    let (field, code) = if let Some(field) = quoted("unknown field ") {
        (field.to_owned(), "unknown_field")
    } else if let Some(field) = quoted("missing field ") {
        (field.to_owned(), "required")
    } else if let Some(field) = quoted("duplicate field ") {
        (field.to_owned(), "conflict")
    } else {
        (at, "type")
    };
    vec![Invalid::new(&field, code, plainly(message, code))]
}

/// The words of the parsers underneath, for somebody who does not know them.
fn plainly<'a>(message: &'a str, code: &str) -> &'a str {
    match message {
        // What a form gives for a single value that came twice.
        "unsupported value" => "may be given only once",
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "must be a whole number, 0 or more"
        }
        "number too large to fit in target type" => "the number is too large",
        _ if code == "required" => "is required",
        _ => message,
    }
}

/// The beginning of what somebody sent, for a message about it.
fn shortened(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Checks of single inputs, shared by the steps.
pub(crate) mod check {
    use super::{Invalid, shortened};

    /// A namespace's or a label value's form: a DNS-1123 label.
    pub(crate) fn namespaces(field: &str, names: &[String]) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        if names.len() > 100 {
            invalid.push(Invalid::new(field, "range", "at most 100 namespaces can be named"));
        }
        for (index, name) in names.iter().enumerate().take(100) {
            if !is_label(name) {
                let field = format!("{field}/{index}");
                invalid.push(Invalid::new(
                    &field,
                    "pattern",
                    format!("{:?} is not a DNS-1123 label", shortened(name, 80)),
                ));
            }
        }
        invalid
    }

    /// Namespaces and `all_namespaces` together.
    pub(crate) fn place(names: &[String], all: bool) -> Vec<Invalid> {
        let mut invalid = namespaces("namespace", names);
        if all && !names.is_empty() {
            invalid.push(Invalid::new("all_namespaces", "conflict", "name namespaces or ask for all, not both"));
        }
        invalid
    }

    /// The same of the control plane's namespaces.
    pub(crate) fn place_of_istio(names: &[String], all: bool) -> Vec<Invalid> {
        let mut invalid = namespaces("istio_namespace", names);
        if all && !names.is_empty() {
            invalid.push(Invalid::new("all_namespaces", "conflict", "name namespaces or ask for all, not both"));
        }
        invalid
    }

    /// A text to search for.
    pub(crate) fn text(field: &str, text: Option<&str>, longest: usize) -> Vec<Invalid> {
        match text {
            Some(text) if text.is_empty() || text.len() > longest => {
                vec![Invalid::new(field, "range", format!("must have from 1 to {longest} bytes"))]
            }
            _ => Vec::new(),
        }
    }

    /// The name of a pod, a Deployment or a resource: a DNS-1123 subdomain (RBAC names may hold `:`).
    pub(crate) fn name(field: &str, name: Option<&str>) -> Vec<Invalid> {
        match name {
            Some(name) if cluster::check_name("name", name).is_err() => {
                vec![Invalid::new(field, "pattern", format!("{:?} is not a name of Kubernetes", shortened(name, 80)))]
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn range(field: &str, value: Option<u32>, least: u32, most: u32) -> Vec<Invalid> {
        match value {
            Some(value) if value < least || value > most => {
                vec![Invalid::new(field, "range", format!("must be from {least} to {most}"))]
            }
            _ => Vec::new(),
        }
    }

    /// A label selector: long enough to be one, and without control characters. The API server checks the rest.
    pub(crate) fn selector(field: &str, selector: Option<&str>) -> Vec<Invalid> {
        match selector {
            Some(text) if text.trim().is_empty() || text.len() > 1000 || text.chars().any(char::is_control) => {
                vec![Invalid::new(
                    field,
                    "pattern",
                    "must be a label selector of up to 1000 characters, such as app=cart",
                )]
            }
            _ => Vec::new(),
        }
    }

    /// `namespace/pod`.
    pub(crate) fn pod_path(field: &str, path: Option<&str>) -> Vec<Invalid> {
        let Some(path) = path else { return Vec::new() };
        let good = path
            .split_once('/')
            .is_some_and(|(namespace, pod)| is_label(namespace) && cluster::check_name("pod", pod).is_ok());
        if good {
            Vec::new()
        } else {
            vec![Invalid::new(field, "pattern", format!("{:?} is not of the form namespace/pod", shortened(path, 80)))]
        }
    }

    /// A DNS-1123 label.
    pub(crate) fn is_label(name: &str) -> bool {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
    }
}

/// Lengths of time, as kubectl takes them.
pub(crate) mod duration {
    use super::{Invalid, shortened};

    const LONGEST_S: i64 = 30 * 24 * 3600;

    /// `90`, `10m`, `2h30m` in seconds.
    pub(crate) fn seconds(text: &str) -> Result<u32, String> {
        let wrong = || format!("{:?} is no length of time: give seconds, or like 10m or 2h30m", shortened(text, 40));
        let seconds = match text.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => text.parse::<jiff::SignedDuration>().map_err(|_| wrong())?.as_secs(),
        };
        if (1..=LONGEST_S).contains(&seconds) {
            Ok(u32::try_from(seconds).expect("30 days are a small number of seconds"))
        } else {
            Err("must be from 1 second to 30 days".to_owned())
        }
    }

    pub(crate) fn check(field: &str, text: Option<&str>) -> Vec<Invalid> {
        match text.map(seconds) {
            Some(Err(message)) => vec![Invalid::new(field, "pattern", message)],
            _ => Vec::new(),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::seconds;

        #[test]
        fn kubectls_spellings_are_read() {
            assert_eq!(
                [seconds("90"), seconds("90s"), seconds("10m"), seconds("2h30m")],
                [Ok(90), Ok(90), Ok(600), Ok(9000)]
            );
            for wrong in ["", "0", "-5", "abc", "10 apples", "999999999999999999999", "9999h", "-1h"] {
                assert!(seconds(wrong).is_err(), "{wrong}");
            }
        }
    }
}
