//! Which requests a match of a `VirtualService` is for, as far as it can be told that one match leaves nothing to another
//! (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest>).

use std::borrow::Cow;

use mesh::{View, host};
use regex::Regex;

/// What a text is compared with.
#[derive(Debug)]
enum Pattern<'m> {
    Any,
    Exact(Cow<'m, str>),
    Prefix(Cow<'m, str>),
    Regex(&'m str),
}

impl<'m> Pattern<'m> {
    /// Of a `StringMatch`. Regular expressions that say no more than a prefix are read as one.
    fn of(view: View<'m>, ignores_case: bool) -> Self {
        let text = |key: &str| {
            let text = view.get(key).text_if_any()?;
            Some(if ignores_case { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) })
        };
        if let Some(exact) = text("exact") {
            return Self::Exact(exact);
        }
        if let Some(prefix) = text("prefix") {
            return if prefix == "/" || prefix.is_empty() { Self::Any } else { Self::Prefix(prefix) };
        }
        match view.get("regex").text_if_any() {
            None => Self::Any,
            Some(regex) => Self::of_regex(regex),
        }
    }

    fn of_regex(regex: &'m str) -> Self {
        let inner = regex.strip_prefix('^').unwrap_or(regex);
        let inner = inner.strip_suffix('$').unwrap_or(inner);
        let is_plain =
            |text: &str| !text.contains(['.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '\\', '^', '$']);
        match inner.strip_suffix(".*") {
            Some("" | "/") => Self::Any,
            Some(prefix) if is_plain(prefix) => Self::Prefix(Cow::Borrowed(prefix)),
            None if is_plain(inner) => Self::Exact(Cow::Borrowed(inner)),
            _ => Self::Regex(regex),
        }
    }

    /// Whether this matches everything that the other one matches; `false` also where that cannot be told.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Exact(own), Self::Exact(other)) => own == other,
            (Self::Prefix(own), Self::Exact(other) | Self::Prefix(other)) => other.starts_with(&**own),
            (Self::Regex(own), Self::Regex(other)) => own == other,
            (Self::Regex(own), Self::Exact(other)) => {
                // Envoy matches the whole text. A pattern that would take long to build is left alone.
                let whole = (own.len() < 200).then(|| Regex::new(&format!("^(?:{own})$")).ok()).flatten();
                whole.is_some_and(|regex| regex.is_match(other))
            }
            _ => false,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Any => "every path".to_owned(),
            Self::Exact(text) => format!("exact {text}"),
            Self::Prefix(text) => format!("prefix {text}"),
            Self::Regex(text) => format!("regex {text}"),
        }
    }
}

/// A match of an HTTP rule. One without any conditions is for all requests.
#[derive(Debug)]
pub(super) struct Requests<'m> {
    view: View<'m>,
    path: Pattern<'m>,
    ignores_case: bool,
}

/// Conditions on one text each.
const TEXTS: [&str; 3] = ["scheme", "method", "authority"];
/// Conditions on texts by name.
const MAPS: [&str; 2] = ["headers", "queryParams"];

impl<'m> Requests<'m> {
    pub(super) fn of(view: View<'m>) -> Self {
        let ignores_case = view.field("ignoreUriCase").truth();
        Self { view, path: Pattern::of(view.get("uri"), ignores_case), ignores_case }
    }

    /// Whether there is no condition at all: a gateway puts such rules behind all others.
    pub(super) fn is_catch_all(&self) -> bool {
        matches!(self.path, Pattern::Any)
            && TEXTS.iter().all(|field| self.view.get(field).is_empty())
            && MAPS.iter().all(|field| self.view.field(field).is_empty())
            && self.view.field("withoutHeaders").is_empty()
    }

    /// Whether the two are the same but for their names, which other rules report.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.covers(other) && other.covers(self)
    }

    /// Whether nothing is left to the other one that comes after.
    pub(super) fn covers(&self, other: &Self) -> bool {
        // Without regard to case, more paths match than with it.
        let path = match (self.ignores_case, other.ignores_case) {
            (true, false) => self.path.covers(&Pattern::of(other.view.get("uri"), true)),
            (false, true) => matches!(self.path, Pattern::Any),
            _ => self.path.covers(&other.path),
        };
        let (own, others) = (self.view, other.view);
        let text = |field: &&str| covers_text(own.get(field), others.get(field));
        let map =
            |field: &&str| own.field(field).entries().all(|(key, value)| value_covers(value, others.field(field), key));
        path && TEXTS.iter().all(text)
            && MAPS.iter().all(map)
            && is_same_or_unset(own.get("port"), others.get("port"))
            && is_same_or_unset(own.field("sourceNamespace"), others.field("sourceNamespace"))
            && is_subset(own.field("withoutHeaders"), others.field("withoutHeaders"))
            && is_subset(own.field("sourceLabels"), others.field("sourceLabels"))
    }

    pub(super) fn words(&self) -> String {
        let headers = self.view.field("headers").entries().map(|(key, _)| key).collect::<Vec<_>>().join(", ");
        let headers = if headers.is_empty() { String::new() } else { format!(" with header {headers}") };
        format!("{}{headers}", self.path.words())
    }
}

fn covers_text(own: View<'_>, other: View<'_>) -> bool {
    own.is_empty() || (!other.is_empty() && Pattern::of(own, false).covers(&Pattern::of(other, false)))
}

/// A header that must be there in any form covers one that must have a value.
fn value_covers(own: View<'_>, others: View<'_>, key: &str) -> bool {
    let other = others.entries().find(|(name, _)| name.eq_ignore_ascii_case(key));
    other.is_some_and(|(_, other)| {
        own.is_empty() || (!other.is_empty() && Pattern::of(own, false).covers(&Pattern::of(other, false)))
    })
}

fn is_same_or_unset(own: View<'_>, other: View<'_>) -> bool {
    own.written().is_empty() || own.written() == other.written()
}

/// Whether every condition of this map stands in the other as well.
fn is_subset(own: View<'_>, other: View<'_>) -> bool {
    own.entries().all(|(key, value)| other.get(key).is_set() && other.get(key).to_json() == value.to_json())
}

/// The same of TLS connections: server names, and what else tells them apart.
pub(super) fn covers_tls(own: View<'_>, other: View<'_>) -> bool {
    let names = || own.field("sniHosts").texts();
    let others = other.field("sniHosts");
    !others.is_empty()
        && others.texts().all(|name| names().any(|known| host::is_subset(name, known)))
        && covers_tcp(own, other)
}

/// The same of connections without server names.
pub(super) fn covers_tcp(own: View<'_>, other: View<'_>) -> bool {
    let subnets = own.field("destinationSubnets");
    is_same_or_unset(own.get("port"), other.get("port"))
        && is_same_or_unset(own.field("sourceNamespace"), other.field("sourceNamespace"))
        && is_subset(own.field("sourceLabels"), other.field("sourceLabels"))
        && (subnets.is_empty() || subnets.to_json() == other.field("destinationSubnets").to_json())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use mesh::Tree;

    fn check(own: &str, other: &str, expected: bool) {
        let tree = |text: &str| Tree::from_json(&serde_saphyr::from_str(text).unwrap()).unwrap();
        let (first, second) = (tree(own), tree(other));
        assert_eq!(Requests::of(first.root()).covers(&Requests::of(second.root())), expected, "{own} before {other}");
    }

    #[test]
    fn a_prefix_is_one_of_the_text() {
        check("uri: {prefix: /a}", "uri: {prefix: /ab}", true);
        check("uri: {prefix: /a}", "uri: {exact: /abc}", true);
        check("uri: {prefix: /a/}", "uri: {prefix: /ab}", false);
        check("uri: {prefix: /ab}", "uri: {prefix: /a}", false);
        check("uri: {exact: /a}", "uri: {prefix: /a}", false);
        check("{}", "uri: {prefix: /a}", true);
    }

    #[test]
    fn regular_expressions_cover_what_is_certain() {
        check("uri: {regex: '/a.*'}", "uri: {prefix: /ab}", true);
        check("uri: {regex: '/(a|b)/[0-9]+'}", "uri: {exact: /b/12}", true);
        check("uri: {regex: '/(a|b)'}", "uri: {exact: /ab}", false);
        check("uri: {regex: '.*'}", "uri: {regex: '/x[0-9]'}", true);
        check("uri: {regex: '/v[0-9]/.*'}", "uri: {prefix: /v1/}", false);
    }

    #[test]
    fn conditions_of_the_first_must_be_those_of_the_second() {
        check("uri: {prefix: /a}", "{uri: {prefix: /a}, headers: {x: {exact: '1'}}}", true);
        check("headers: {x: {exact: '1'}}", "uri: {prefix: /a}", false);
        check("headers: {X: {}}", "headers: {x: {exact: '1'}}", true);
        check("method: {exact: GET}", "method: {exact: POST}", false);
        check("port: 80", "{}", false);
        check("sourceLabels: {app: a}", "uri: {prefix: /a}", false);
        check("{uri: {prefix: /A}, ignoreUriCase: true}", "uri: {prefix: /ab}", true);
        check("uri: {prefix: /a}", "{uri: {prefix: /ab}, ignoreUriCase: true}", false);
        check("withoutHeaders: {x: {}}", "{}", false);
    }
}
