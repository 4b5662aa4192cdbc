//! A schema as a tree: the types of a kind's messages with the rules hung onto them.

use std::collections::BTreeMap;

use regex::Regex;

use super::super::fields::same_name;
use super::super::message::Type;
use super::rule::{Entry, Rule};

/// Fields that may be `null`: protobuf wraps them to tell zero from unset.
const NULLABLE: [&str; 23] = [
    "aggression",
    "allowCredentials",
    "concurrency",
    "consecutive5xxErrors",
    "consecutiveGatewayErrors",
    "consecutiveLocalOriginFailures",
    "disableSpanReporting",
    "disabled",
    "enableIstioTags",
    "enabled",
    "insecureSkipVerify",
    "minClusterSize",
    "minimumPercent",
    "mirrorPercent",
    "mirror_percent",
    "percent",
    "priority",
    "randomSamplingPercentage",
    "retryIgnorePreviousHosts",
    "retryRemoteLocalities",
    "useRequestIdForTraceSampling",
    "minRetryConcurrency",
    "errorUtilizationPenaltyPercent",
];

/// A value of a schema.
pub(super) struct Node {
    pub(super) of: &'static Type,
    pub(super) nullable: bool,
    pub(super) rules: Vec<(&'static Rule, Option<Regex>)>,
    /// Of a message; a field that is not here is dropped by the API server.
    pub(super) members: BTreeMap<&'static str, Node>,
    /// Of a list or a map.
    pub(super) items: Option<Box<Node>>,
}

impl Node {
    pub(super) fn of(of: &'static Type) -> Self {
        let mut node = Self { of, nullable: false, rules: Vec::new(), members: BTreeMap::new(), items: None };
        match of {
            Type::Message(fields) => {
                for (name, field_type) in *fields {
                    let member = Self { nullable: NULLABLE.contains(name), ..Self::of(field_type) };
                    node.members.insert(name, member);
                }
            }
            Type::List(item) | Type::Map(item) | Type::NumberMap(item) => node.items = Some(Box::new(Self::of(item))),
            _ => {}
        }
        node
    }

    /// Hangs rules onto the values at their paths.
    pub(super) fn apply(&mut self, entries: &'static [Entry]) {
        for (paths, rules) in entries {
            for path in *paths {
                let node = path.split('.').fold(&mut *self, |node, segment| node.below(segment));
                node.add(rules);
            }
        }
    }

    fn add(&mut self, rules: &'static [Rule]) {
        for rule in rules {
            match rule {
                Rule::Block(entries) => self.apply(entries),
                Rule::Pattern(pattern) => {
                    let pattern = Regex::new(pattern).expect("the patterns of the CRDs are tested");
                    self.rules.push((rule, Some(pattern)));
                }
                _ => self.rules.push((rule, None)),
            }
        }
    }

    /// The value of a segment of a path: `name`, `name[]` or `name{}`.
    fn below(&mut self, segment: &'static str) -> &mut Self {
        let name = segment.trim_end_matches(['[', ']', '{', '}']);
        let node = if name.is_empty() { self } else { self.member(name) };
        if segment.len() == name.len() {
            return node;
        }
        node.items.as_mut().expect("paths lead through lists and maps as the types do")
    }

    fn member(&mut self, name: &'static str) -> &mut Self {
        // Two fields are served under both spellings.
        if let Type::Message(fields) = self.of
            && let Some((_, field_type)) = fields.iter().find(|(known, _)| *known != name && same_name(name, known))
        {
            let member = Self { nullable: NULLABLE.contains(&name), ..Self::of(field_type) };
            return self.members.entry(name).or_insert(member);
        }
        self.members.get_mut(name).unwrap_or_else(|| panic!("no field {name:?} in the types"))
    }
}
