//! Reads the template of an entry: literal text with `{name}` for what varies.

/// A template: literal text and values, in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
    /// The words are meant only near a word of the mesh.
    pub(super) near_mesh_word: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Value(Value),
}

/// A place in a template for what varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) kind: ValueKind,
    pub(super) optional: bool,
}

/// What a value may consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Anything.
    Text,
    /// Anything but white space.
    Word,
    /// Anything but a slash or a quote: one part of a path.
    Segment,
    /// Digits.
    Number,
}

impl ValueKind {
    /// Whether a folded byte may be part of such a value.
    pub(super) fn accepts(self, byte: u8) -> bool {
        match self {
            Self::Text => true,
            Self::Word => byte != b' ',
            Self::Segment => byte != b'/' && byte != b'\'',
            Self::Number => byte.is_ascii_digit(),
        }
    }
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Error {
    #[error("the placeholder {0:?} has an unknown kind: use text, word, segment or number")]
    UnknownKind(String),
    #[error("the placeholder {0:?} occurs twice")]
    Twice(String),
    #[error("two placeholders stand side by side: where the first one ends cannot be told")]
    SideBySide,
    #[error("no stretch of literal text has {0} characters: it would be found everywhere")]
    TooShort(usize),
    #[error("longer than {0} characters")]
    TooLong(usize),
}

/// Templates are one message, not a page.
const LONGEST: usize = 1000;
/// Below this, literal text says nothing.
pub(super) const SHORTEST_LITERAL: usize = 8;

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::TooLong(LONGEST));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            literal.push_str(&rest[..open]);
            rest = &rest[open..];
            // A brace that begins no placeholder is text, as in messages that quote JSON.
            let Some((value, after)) = placeholder(rest)? else {
                literal.push('{');
                rest = &rest[1..];
                continue;
            };
            if parts.iter().any(|part| matches!(part, Part::Value(other) if other.name == value.name)) {
                return Err(Error::Twice(value.name));
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            } else if !parts.is_empty() {
                return Err(Error::SideBySide);
            }
            parts.push(Part::Value(value));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let longest = parts.iter().map(|part| match part {
            Part::Literal(text) => text.trim().chars().count(),
            Part::Value(_) => 0,
        });
        if longest.max().unwrap_or(0) < SHORTEST_LITERAL {
            return Err(Error::TooShort(SHORTEST_LITERAL));
        }
        Ok(Self { parts, near_mesh_word: false })
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(value) => Some(value),
            Part::Literal(_) => None,
        })
    }
}

/// `{name}`, `{name:kind}` or `{name:kind?}` at the start of a text, and what follows it.
fn placeholder(text: &str) -> Result<Option<(Value, &str)>, Error> {
    let Some((inner, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) else { return Ok(None) };
    let (inner, optional) = inner.strip_suffix('?').map_or((inner, false), |inner| (inner, true));
    let (name, kind) = inner.split_once(':').unwrap_or((inner, "text"));
    let named = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !named {
        return Ok(None);
    }
    let kind = match kind {
        "text" => ValueKind::Text,
        "word" => ValueKind::Word,
        "segment" => ValueKind::Segment,
        "number" => ValueKind::Number,
        _ => return Err(Error::UnknownKind(inner.to_owned())),
    };
    Ok(Some((Value { name: name.to_owned(), kind, optional }, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_and_have_a_kind() {
        let template = Template::parse("number of revisions ({allowed:number}) in {region:word?}").expect("a template");
        let values: Vec<_> = template.values().map(|value| (value.name.as_str(), value.kind, value.optional)).collect();
        assert_eq!(values, [("allowed", ValueKind::Number, false), ("region", ValueKind::Word, true)]);
    }

    #[test]
    fn a_brace_of_json_is_text() {
        let template = Template::parse(r#"{"error":"invalid_request"} with {}"#).expect("a template");
        assert_eq!(template.values().count(), 0);
    }

    #[test]
    fn unusable_templates_are_refused() {
        assert_eq!(Template::parse("too {a} few"), Err(Error::TooShort(8)));
        assert_eq!(Template::parse("some literal {a}{b}"), Err(Error::SideBySide));
        assert_eq!(Template::parse("some literal {a} and {a}"), Err(Error::Twice("a".into())));
        assert_eq!(Template::parse("some literal {a:date}"), Err(Error::UnknownKind("a:date".into())));
        assert_eq!(Template::parse(&"x".repeat(2000)), Err(Error::TooLong(1000)));
    }
}
