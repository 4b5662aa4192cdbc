//! Label selectors, which say of each expression whether it holds
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).

use serde_json::Value;

use super::Labels;

#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
    /// It comes from `matchLabels`, which istioctl's messages leave out.
    is_pair: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Unknown(String),
}

impl Selector {
    /// An absent selector selects everything, as the API server fills it in.
    pub(crate) fn of(value: Option<&Value>) -> Self {
        let Some(value) = value else { return Self::default() };
        let mut requirements: Vec<_> = super::pairs(value.get("matchLabels"))
            .into_iter()
            .map(|(key, value)| Requirement { key, operator: Operator::In, values: vec![value], is_pair: true })
            .collect();
        let expressions = value.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
        requirements.extend(expressions.map(Requirement::of));
        Self { requirements }
    }

    /// An invalid expression never holds.
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(labels))
    }

    /// Selects everything, since it asks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// The label that istioctl gives as the reason of a match: that of the first `In` or `NotIn` whose key is there.
    pub(super) fn remembered(&self, labels: &Labels) -> Option<String> {
        let listed = |requirement: &&Requirement| {
            !requirement.is_pair && matches!(requirement.operator, Operator::In | Operator::NotIn)
        };
        let mut candidates = self.requirements.iter().filter(listed);
        candidates.find_map(|requirement| Some(format!("{}={}", requirement.key, labels.get(&requirement.key)?)))
    }

    /// Every `key=value` that would satisfy an `In` expression.
    pub(super) fn wanted(&self) -> impl Iterator<Item = String> {
        let listed = |requirement: &&Requirement| !requirement.is_pair && requirement.operator == Operator::In;
        let requirements = self.requirements.iter().filter(listed);
        requirements
            .flat_map(|requirement| requirement.values.iter().map(|value| format!("{}={value}", requirement.key)))
    }

    /// The first label that an expression forbids.
    pub(super) fn forbidden(&self, labels: &Labels) -> Option<(&str, String)> {
        self.requirements.iter().filter(|requirement| !requirement.is_pair).find_map(|requirement| {
            let value = labels.get(&requirement.key)?;
            let forbids = match requirement.operator {
                Operator::DoesNotExist => true,
                Operator::NotIn => requirement.values.contains(value),
                Operator::In | Operator::Exists | Operator::Unknown(_) => false,
            };
            forbids.then(|| (requirement.key.as_str(), value.clone()))
        })
    }

    /// Whether it holds Istio's own mark of a webhook that is switched off, and nothing else.
    pub(super) fn is_deactivated(&self) -> bool {
        matches!(self.requirements.as_slice(), [only] if only.is_pair
            && only.key == "istio.io/deactivated" && only.values == ["never-match"])
    }

    /// The expressions that do not hold, each with what the object has instead.
    pub(crate) fn failing(&self, labels: &Labels, whose: &str) -> Vec<String> {
        let failing = self.requirements.iter().filter(|requirement| !requirement.holds(labels));
        failing
            .map(|requirement| {
                let has = match labels.get(&requirement.key) {
                    Some(value) => format!("{}={value}", requirement.key),
                    None => format!("no label {}", requirement.key),
                };
                format!("{requirement}, but the {whose} has {has}")
            })
            .collect()
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("everything");
        }
        let texts: Vec<_> = self.requirements.iter().map(Requirement::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

impl Requirement {
    fn of(value: &Value) -> Self {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let operator = match text("operator") {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => Operator::Unknown(other.to_owned()),
        };
        let values = value.get("values").and_then(Value::as_array).into_iter().flatten();
        let values = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
        Self { key: text("key").to_owned(), operator, values, is_pair: false }
    }

    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let is_listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => is_listed,
            Operator::NotIn => !self.values.is_empty() && !is_listed,
            Operator::Exists => self.values.is_empty() && value.is_some(),
            Operator::DoesNotExist => self.values.is_empty() && value.is_none(),
            Operator::Unknown(_) => false,
        }
    }
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (key, values) = (&self.key, self.values.join(", "));
        match &self.operator {
            Operator::In if self.is_pair => write!(f, "{key}={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} not in ({values})"),
            Operator::Exists => write!(f, "{key} exists"),
            Operator::DoesNotExist => write!(f, "{key} does not exist"),
            Operator::Unknown(operator) => write!(f, "{key} {operator:?} ({values}), which is invalid"),
        }
    }
}
