//! Which messages are shown, and in which order.

use std::collections::BTreeSet;

use super::message::Message;
use mesh::Kind;

/// The annotation by which an object declines messages.
const SUPPRESS: &str = "galley.istio.io/analyze-suppress";

/// `CODE=Kind namespace/name`: messages that a caller does not want to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    pub code: String,
    /// The object, with `*` for any run of characters.
    pub pattern: String,
}

/// The text is not of the form `CODE=RESOURCE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid suppression value: it must be CODE=RESOURCE, as in IST0102=Namespace default")]
pub struct NoSuppression(String);

impl std::str::FromStr for Suppression {
    type Err = NoSuppression;

    fn from_str(text: &str) -> Result<Self, NoSuppression> {
        match text.split('=').collect::<Vec<_>>()[..] {
            [code, pattern] => Ok(Self { code: code.to_owned(), pattern: pattern.to_owned() }),
            _ => Err(NoSuppression(text.to_owned())),
        }
    }
}

impl Suppression {
    /// `istioctl` documents `Kind name.namespace` and understands only `Kind namespace/name`. Both are meant here,
    /// unless its answer is wanted exactly.
    fn hits(&self, message: &Message<'_>, compatible: bool) -> bool {
        let Some(object) = message.object else { return false };
        if self.code != message.code.id {
            return false;
        }
        let dotted = || format!("{} {}.{}", object.kind().name(), object.name(), object.namespace());
        glob(&self.pattern, &object.origin())
            || !compatible && !object.namespace().is_empty() && glob(&self.pattern, &dotted())
    }
}

/// Whether a message is about one of the namespaces, or about none.
pub(super) fn is_within(message: &Message<'_>, namespaces: &BTreeSet<String>) -> bool {
    let Some(object) = message.object else { return true };
    let namespace = if object.kind() == Kind::Namespace { object.name() } else { object.namespace() };
    namespaces.is_empty() || namespace.is_empty() || namespaces.contains(namespace)
}

/// Whether somebody does not want to see a message: the object, by its annotation, or the caller.
pub(super) fn is_suppressed(message: &Message<'_>, suppressions: &[Suppression], compatible: bool) -> bool {
    // The codes are not trimmed: "IST0101, IST0102" declines only the first.
    let declined = message.object.and_then(|object| object.annotation(SUPPRESS)).unwrap_or_default();
    declined.split(',').any(|code| code == "*" || code == message.code.id)
        || suppressions.iter().any(|suppression| suppression.hits(message, compatible))
}

/// Sorts by level, code, object and text, and drops repetitions.
pub fn in_order(messages: Vec<Message<'_>>) -> Vec<Message<'_>> {
    let mut keyed: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let place = message.object.map(|object| {
                (object.cluster().to_owned(), [object.kind().name(), object.name(), object.namespace()].join("/"))
            });
            let line = super::output::text_line(&message, false, false);
            (place, line, message)
        })
        .collect();
    keyed.sort_by(|(place_a, line_a, a), (place_b, line_b, b)| {
        let cluster = match (place_a, place_b) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        };
        let object = |place: &Option<(String, String)>| place.as_ref().map(|(_, object)| object.clone());
        cluster
            .then_with(|| b.severity.cmp(&a.severity))
            .then_with(|| a.code.id.cmp(b.code.id))
            .then_with(|| object(place_a).cmp(&object(place_b)))
            .then_with(|| line_a.cmp(line_b))
    });
    // A text does not name its cluster, so that `istioctl` takes equal ones of two clusters for one.
    keyed.dedup_by(|(_, later, message), (_, kept, before)| {
        later == kept && (message.is_compatible || message.cluster() == before.cluster())
    });
    keyed.into_iter().map(|(_, _, message)| message).collect()
}

/// Whether a text matches a pattern in which `*` stands for any run of characters. As in `istioctl`, a text that is
/// used up before the last part matches all the same.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    for part in middle {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.is_empty() || text.ends_with(last)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("Pod default/*", "Pod default/a", true),
            ("Pod default/*", "Pod other/a", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c*e", "abcde", true),
            ("a*c*f", "abcde", false),
            ("a*b", "a", true),
            ("*b*", "abc", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn suppression_has_one_equals_sign() {
        assert!("IST0101".parse::<Suppression>().is_err());
        assert!("IST0101=Pod a=b".parse::<Suppression>().is_err());
        assert_eq!("IST0101=Pod *".parse::<Suppression>().unwrap().pattern, "Pod *");
    }
}
