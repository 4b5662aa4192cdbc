//! Applies a schema to an object, with the texts of the API server.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use regex::Regex;
use serde_json::Value;

use super::super::message::Type;
use super::super::problem::{Problem, ProblemKind};
use super::super::value::text::quoted;
use super::rule::{Rule, has, holds, size};
use super::tree::Node;

/// The schema first; the rules in CEL only where the object has the right form.
pub(super) fn check(node: &Node, spec: &Value) -> Vec<Problem> {
    let mut walk = Walk { problems: Vec::new(), path: Vec::new(), blocked: false, cel: false };
    walk.value(node, spec);
    if walk.blocked {
        let text = "<nil>: Invalid value: \"null\": some validation rules were not checked because the object was \
                    invalid; correct the existing errors to complete validation";
        walk.problems.push(Problem::new(ProblemKind::Crd, text));
        return walk.problems;
    }
    walk.cel = true;
    walk.value(node, spec);
    walk.problems
}

enum Segment<'a> {
    Name(&'a str),
    Index(usize),
}

struct Walk<'a> {
    problems: Vec<Problem>,
    /// From `spec` to the value at hand; it becomes a text only for a fault.
    path: Vec<Segment<'a>>,
    /// Whether a fault was found that keeps rules in CEL from being read.
    blocked: bool,
    /// Whether this is the second pass, for the rules in CEL.
    cel: bool,
}

impl<'a> Walk<'a> {
    fn path(&self) -> String {
        let mut path = "spec".to_owned();
        for segment in &self.path {
            match segment {
                Segment::Name(name) => path.extend([".", name]),
                Segment::Index(index) => write!(path, "[{index}]").expect("a String takes every text"),
            }
        }
        path
    }

    fn report(&mut self, path: &str, text: &str) {
        self.problems.push(Problem::new(ProblemKind::Crd, format!("{path}: {text}")).at(format!("{{.{path}}}")));
    }

    fn invalid(&mut self, path: &str, value: &Value, why: &str) {
        self.report(path, &format!("Invalid value: {}: {why}", shown(value)));
    }

    /// The depth is that of the schema.
    fn value(&mut self, node: &Node, value: &'a Value) {
        if value.is_null() && node.nullable {
            return;
        }
        if !self.cel && !self.has_type(node, value) {
            return;
        }
        for (rule, pattern) in &node.rules {
            match rule {
                Rule::Cel(rule, message) if self.cel && !rule(value) => self.invalid(&self.path(), value, message),
                Rule::Cel(..) => {}
                _ if !self.cel => self.rule(rule, pattern.as_ref(), value),
                _ => {}
            }
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if let Some(node) = node.members.get(name.as_str()).or(node.items.as_deref()) {
                        self.below(Segment::Name(name), node, member);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(node) = &node.items {
                        self.below(Segment::Index(index), node, item);
                    }
                }
            }
            _ => {}
        }
    }

    fn below(&mut self, segment: Segment<'a>, node: &Node, value: &'a Value) {
        self.path.push(segment);
        self.value(node, value);
        self.path.pop();
    }

    fn has_type(&mut self, node: &Node, value: &Value) -> bool {
        let expected = match node.of {
            Type::Text | Type::Bytes | Type::Duration | Type::Choice(_) => "string",
            Type::Flag => "boolean",
            Type::I32 | Type::U32 | Type::U64 => "integer",
            Type::Double => "number",
            Type::Message(_) | Type::Struct | Type::Map(_) | Type::NumberMap(_) => "object",
            Type::List(_) => "array",
        };
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if found != expected && !(expected == "number" && found == "integer") {
            self.blocked = true;
            let path = &self.path();
            self.report(
                path,
                &format!("Invalid value: \"{found}\": {path} in body must be of type {expected}: \"{found}\""),
            );
            return false;
        }
        if let (Type::Choice(known), Value::String(text)) = (node.of, value)
            && !known.values.iter().any(|(name, _)| name == text)
        {
            let names: Vec<_> = known.values.iter().map(|(name, _)| quoted(name)).collect();
            self.report(
                &self.path(),
                &format!("Unsupported value: {}: supported values: {}", quoted(text), names.join(", ")),
            );
        }
        true
    }

    fn rule(&mut self, rule: &Rule, pattern: Option<&Regex>, value: &Value) {
        if holds(rule, pattern, value) {
            return;
        }
        let path = &self.path();
        let in_body = |text: String| format!("{path} in body {text}");
        match rule {
            Rule::Required(names) => {
                for name in names.iter().filter(|name| value.get(**name).is_none()) {
                    self.blocked = true;
                    self.report(&format!("{path}.{name}"), "Required value");
                }
            }
            Rule::AtMostOne(names) => {
                let found = names.iter().filter(|name| has(value, name)).count();
                let why = "must validate one and only one schema (oneOf)";
                self.report(
                    path,
                    &format!("Invalid value: \"\": {} {why}. Found {found} valid alternatives", quoted(path)),
                );
            }
            Rule::MinLength(least) => {
                self.invalid(path, value, &in_body(format!("should be at least {least} chars long")));
            }
            Rule::MaxLength(most) => {
                self.blocked = true;
                self.report(path, &format!("Too long: may not be more than {most} bytes"));
            }
            Rule::MinItems(least) => {
                let why = in_body(format!("should have at least {least} items"));
                self.report(path, &format!("Invalid value: {}: {why}", size(value)));
            }
            Rule::MinProperties(least) => {
                let why = in_body(format!("should have at least {least} properties"));
                self.report(path, &format!("Invalid value: {}: {why}", size(value)));
            }
            Rule::MaxItems(most) | Rule::MaxProperties(most) => {
                self.blocked = true;
                self.report(path, &format!("Too many: {}: must have at most {most} items", size(value)));
            }
            Rule::Minimum(least) => {
                self.invalid(path, value, &in_body(format!("should be greater than or equal to {least}")));
            }
            Rule::Maximum(most) => {
                self.invalid(path, value, &in_body(format!("should be less than or equal to {most}")));
            }
            Rule::Pattern(shape) => self.invalid(path, value, &in_body(format!("should match '{shape}'"))),
            Rule::UniqueBy(name) => self.unique(value, name, path),
            Rule::Cel(..) | Rule::Block(_) => {}
        }
    }

    fn unique(&mut self, value: &Value, name: &str, path: &str) {
        let mut seen = BTreeSet::new();
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let Some(key) = item.get(name).map(ToString::to_string) else { continue };
            if !seen.insert(key.clone()) {
                self.report(&format!("{path}[{index}]"), &format!("Duplicate value: {{\"{name}\":{key}}}"));
            }
        }
    }
}

/// A value as the API server shows it: of an object and a list only that it is one.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "\"object\"".to_owned(),
        Value::Array(_) => "\"array\"".to_owned(),
        Value::String(text) => quoted(text),
        Value::Null => "\"null\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
