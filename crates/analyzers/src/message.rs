//! What an analyzer reports, and the notation of Go that the texts are written in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use mesh::{LOCAL_CLUSTER, Malformed, Object, Shape, View};
use report::{Code, Finding, Severity, Subject};

/// One message about one object.
#[derive(Debug, Clone)]
pub struct Message<'m> {
    pub code: &'static Code,
    /// That of the code, but for rare cases.
    pub severity: Severity,
    pub object: Option<&'m Object>,
    pub text: String,
    /// The field that the message is about.
    pub path: Option<Path>,
    /// What to do here, where the code's page says it too generally.
    pub remedy: Option<String>,
    /// The exact rules for lines: only scalars have one.
    pub is_compatible: bool,
}

/// Collects the messages of a run.
#[derive(Debug, Default)]
pub struct Messages<'m> {
    pub(super) list: Vec<Message<'m>>,
    /// Checks that were not made, with the first object that they were left out for.
    pub(super) skipped: BTreeMap<String, String>,
    /// Objects that Istio cannot decode.
    pub(super) malformed: Vec<Malformed>,
    pub(super) is_compatible: bool,
    /// Their size.
    bytes: usize,
}

/// Texts that name every conflicting object grow with the square of their number. No mesh that somebody runs comes
/// near this; a document made to exhaust memory would.
const MAX_BYTES: usize = 128 << 20;

impl<'m> Messages<'m> {
    pub fn new(is_compatible: bool) -> Self {
        Self { is_compatible, ..Self::default() }
    }

    /// Notes that a check was not made on an object.
    pub fn skip(&mut self, object: &Object, what: String) {
        self.skipped.entry(what).or_insert_with(|| object.origin());
    }

    /// Notes that an object cannot be decoded.
    pub fn is_malformed(&mut self, object: &Object, why: &str) {
        let source = object.source();
        let from = source.map_or_else(|| object.origin(), |source| source.file.to_string());
        let line = source.and_then(|source| source.line).map(|line| line as usize);
        self.malformed.push(Malformed { from, line, why: why.to_owned() });
    }

    pub fn into_list(self) -> Vec<Message<'m>> {
        self.list
    }

    pub fn report(&mut self, mut message: Message<'m>) {
        if self.is_full() {
            return;
        }
        message.is_compatible = self.is_compatible;
        self.bytes += size_of::<Message<'_>>() + message.text.len();
        if self.is_full()
            && let Some(object) = message.object
        {
            self.skip(object, format!("there is no room for more messages like {}", message.code.id));
        }
        self.list.push(message);
    }

    /// Whether further messages are dropped. Rules that compare many objects with many stop then.
    pub fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES
    }
}

impl<'m> Message<'m> {
    pub fn new(code: &'static Code, object: &'m Object, text: impl Into<String>) -> Self {
        Self { object: Some(object), ..Self::without_object(code, text) }
    }

    /// A message about nothing in particular.
    pub fn without_object(code: &'static Code, text: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity,
            object: None,
            text: text.into(),
            path: None,
            remedy: None,
            is_compatible: false,
        }
    }

    /// Names the field, for its line in a file.
    #[must_use]
    pub fn at(mut self, path: Path) -> Self {
        self.path = Some(path);
        self
    }

    /// Another severity than the code's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same where there is something better to say than the code's page does.
    #[must_use]
    pub fn remedy_unless(self, is_compatible: bool, remedy: impl FnOnce() -> String) -> Self {
        if is_compatible { self } else { self.remedy(remedy()) }
    }

    /// `Kind namespace/name`.
    pub fn origin(&self) -> Option<String> {
        self.object.map(Object::origin)
    }

    /// `FILE:LINE`, with the line of the field if it is known; nothing for live objects.
    pub fn reference(&self) -> Option<String> {
        let source = self.object?.source()?;
        Some(match source.line {
            None => source.file.to_string(),
            Some(start) => format!("{}:{}", source.file, self.line_of_field().unwrap_or(start)),
        })
    }

    fn line_of_field(&self) -> Option<u32> {
        let view = self.path.as_ref()?.follow(self.object?.root(), self.is_compatible)?;
        if self.is_compatible && matches!(view.shape(), Some(Shape::List | Shape::Map) | None) {
            return None;
        }
        view.line()
    }

    pub fn cluster(&self) -> Option<&'m str> {
        self.object.map(Object::cluster)
    }

    /// The message in the words that every part of an answer shares.
    pub fn to_finding(&self) -> Finding {
        let subject = match self.object {
            None => Subject::cluster_wide("Mesh", ""),
            Some(object) => {
                let namespace = Some(object.namespace().to_owned()).filter(|namespace| !namespace.is_empty());
                Subject {
                    kind: object.kind().name().to_owned(),
                    namespace,
                    name: object.name().to_owned(),
                    path: self.path.as_ref().map(Path::to_string),
                    file: self.reference(),
                    ..Subject::default()
                }
            }
        };
        let cluster = self.cluster().filter(|cluster| *cluster != LOCAL_CLUSTER).unwrap_or_default();
        let finding = Finding::new(self.code, subject, self.text.as_str()).severity(self.severity);
        let finding = match &self.remedy {
            Some(remedy) => finding.remedy(remedy.as_str()),
            None => finding,
        };
        finding.discriminator(format!("{cluster}{}", self.text))
    }
}

/// The way to a field, written `{.spec.servers[0].hosts[1]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(Cow<'static, str>),
    Index(usize),
}

impl Path {
    pub fn spec() -> Self {
        Self(vec![Step::Key("spec".into())])
    }

    /// The value under a key of a `ConfigMap`.
    pub fn data(key: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![Step::Key("data".into())]).key(key)
    }

    /// Reads `{.spec.hosts[0]}`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("{.")?.strip_suffix('}')?;
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (key, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
            steps.push(Step::Key(key.to_owned().into()));
            for index in indexes.split('[').skip(1) {
                steps.push(Step::Index(index.strip_suffix(']')?.parse().ok()?));
            }
        }
        Some(Self(steps))
    }

    pub fn metadata() -> Self {
        Self(vec![Step::Key("metadata".into())])
    }

    pub fn name() -> Self {
        Self::metadata().key("name")
    }

    #[must_use]
    pub fn key(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(Step::Key(key.into()));
        self
    }

    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// `istioctl` finds a field only as it spells it itself.
    fn follow<'v>(&self, root: View<'v>, exactly: bool) -> Option<View<'v>> {
        let place = self.0.iter().fold(root, |view, step| match step {
            Step::Key(key) if exactly => view.get(key),
            Step::Key(key) => view.field(key),
            Step::Index(index) => view.items().nth(*index).unwrap_or(View::MISSING),
        });
        place.shape().map(|_| place)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for step in &self.0 {
            match step {
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        f.write_str("}")
    }
}

/// A text as Go's `%q` writes it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            ' ' => quoted.push(' '),
            _ if is_printable(character) => quoted.push(character),
            _ => {
                let code = u32::from(character);
                let _ = match code {
                    0..=0x7f => write!(quoted, "\\x{code:02x}"),
                    0x80..=0xffff => write!(quoted, "\\u{code:04x}"),
                    _ => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

fn is_printable(character: char) -> bool {
    let is_format = matches!(u32::from(character),
        0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xfff9..=0xfffb
        | 0xe0000..=0x10_ffff);
    !character.is_control() && !character.is_whitespace() && !is_format
}

/// A list as Go's `%v` writes it: `[a b c]`.
pub fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_does() {
        for (text, expected) in [
            ("Feta", r#""Feta""#),
            ("a\"b\\c\n\t\u{0}", r#""a\"b\\c\n\t\x00""#),
            ("é ☃", "\"é ☃\""),
            ("\u{a0}\u{1f600}\u{e0001}", "\"\\u00a0😀\\U000e0001\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn paths_are_read_as_they_are_written() {
        let path = Path::spec().key("http").index(0).key("route").index(12).key("weight");
        assert_eq!(path.to_string(), "{.spec.http[0].route[12].weight}");
        assert_eq!(Path::parse(&path.to_string()), Some(path));
        assert_eq!(Path::parse("spec"), None);
    }

    #[test]
    fn lists_are_written_as_go_does() {
        assert_eq!(list([80, 443]), "[80 443]");
        assert_eq!(list(Vec::<String>::new()), "[]");
    }
}
