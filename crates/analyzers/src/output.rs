//! Messages as `istioctl analyze` prints them: text, JSON, YAML, and the exit code that goes with them.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::message::Message;
use report::Severity;

/// The release whose documentation the links of JSON and YAML name.
const RELEASE: &str = "v1.30";

/// How messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Log { color: bool },
    Json,
    Yaml,
}

/// All messages. `with_clusters` is for several clusters.
pub fn print(messages: &[Message<'_>], format: Format, with_clusters: bool) -> String {
    match format {
        Format::Log { color } => {
            let lines: Vec<String> = messages.iter().map(|message| text_line(message, with_clusters, color)).collect();
            lines.join("\n")
        }
        Format::Json => json(messages, with_clusters),
        Format::Yaml => yaml(messages, with_clusters),
    }
}

/// `LEVEL [CODE] (ORIGIN REFERENCE) TEXT`.
pub fn text_line(message: &Message<'_>, with_cluster: bool, color: bool) -> String {
    let level = level(message.severity);
    let level = match (color, message.severity) {
        (false, _) => level.to_owned(),
        (true, Severity::Info) => format!("{level}\u{1b}[0m"),
        (true, Severity::Warning) => format!("\u{1b}[33m{level}\u{1b}[0m"),
        (true, Severity::Error) => format!("\u{1b}[1;31m{level}\u{1b}[0m"),
    };
    let cluster = message.cluster().filter(|_| with_cluster);
    let cluster = cluster.map(|cluster| format!(" [cluster-{cluster}]")).unwrap_or_default();
    let origin = match (message.origin(), message.reference()) {
        (None, _) => String::new(),
        (Some(origin), None) => format!(" ({origin})"),
        (Some(origin), Some(reference)) => format!(" ({origin} {reference})"),
    };
    format!("{level} [{}]{cluster}{origin} {}", message.code.id, message.text)
}

/// The name of a level in `istioctl`.
pub fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
    }
}

/// The link of a code.
pub fn documentation_url(code: &str) -> String {
    let code = code.to_lowercase();
    format!("https://istio.io/{RELEASE}/docs/reference/config/analysis/{code}/?ref=istioctl-analyze")
}

/// The fields of a message, in `istioctl`'s order.
pub fn to_json(message: &Message<'_>, with_cluster: bool) -> Value {
    let fields = [
        ("cluster", message.cluster().filter(|_| with_cluster).map(str::to_owned)),
        ("code", Some(message.code.id.to_owned())),
        ("documentationUrl", Some(documentation_url(message.code.id))),
        ("level", Some(level(message.severity).to_owned())),
        ("message", Some(message.text.clone())),
        ("origin", message.origin()),
        ("reference", message.reference()),
    ];
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?))));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn json(messages: &[Message<'_>], with_clusters: bool) -> String {
    use serde::Serialize as _;
    let messages: Vec<Value> = messages.iter().map(|message| to_json(message, with_clusters)).collect();
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    messages.serialize(&mut serializer).expect("a list of texts can be written to memory");
    // Go's encoder keeps JSON harmless inside HTML and JavaScript.
    String::from_utf8(text)
        .expect("JSON is UTF-8")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn yaml(messages: &[Message<'_>], with_clusters: bool) -> String {
    if messages.is_empty() {
        return "[]\n".to_owned();
    }
    let mut text = String::new();
    for message in messages {
        let mut lead = "- ";
        for (key, value) in to_json(message, with_clusters).as_object().into_iter().flatten() {
            let value = yaml_text(value.as_str().unwrap_or_default());
            let _ = writeln!(text, "{lead}{key}: {value}");
            lead = "  ";
        }
    }
    text
}

/// A text as a YAML value, quoted only where it would be taken for something else.
fn yaml_text(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return Value::String(text.to_owned()).to_string();
    }
    let starts_plain =
        text.starts_with(|first: char| !first.is_whitespace() && !"-?:,[]{}#&*!|>'\"%@`".contains(first));
    let means_itself = !text.contains(": ") && !text.contains(" #") && !text.ends_with([':', ' ']);
    let is_word = text.chars().any(char::is_alphabetic)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null" | "~"
        );
    if starts_plain && means_itself && is_word { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// What decides the exit code.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, none of them a state")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// JSON or YAML was asked for.
    pub structured: bool,
    /// Some message reaches the failure threshold.
    pub failing: bool,
    /// Some file could not be parsed.
    pub unparsed: bool,
    pub ignore_unknown: bool,
}

/// The exit code of a wrong use of the command.
pub const EXIT_USAGE: u8 = 64;

/// The exit code of `istioctl analyze`: 79 for findings, 65 for files that could not be parsed. With JSON or YAML it is
/// 0 whatever was found.
pub fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome { structured: true, .. } => 0,
        Outcome { failing: true, .. } => 79,
        Outcome { unparsed: true, ignore_unknown: false, .. } => 65,
        Outcome { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let found = Outcome { failing: true, unparsed: true, ..Outcome::default() };
        assert_eq!(exit_code(found), 79);
        assert_eq!(exit_code(Outcome { structured: true, ..found }), 0);
        assert_eq!(exit_code(Outcome { failing: false, ..found }), 65);
        assert_eq!(exit_code(Outcome { failing: false, ignore_unknown: true, ..found }), 0);
    }

    #[test]
    fn yaml_quotes_where_needed() {
        for (text, expected) in [
            ("SoapBubble", "SoapBubble"),
            ("a: b", "'a: b'"),
            ("it's", "it's"),
            ("true", "'true'"),
            ("[a]", "'[a]'"),
            ("12", "'12'"),
            ("", "''"),
        ] {
            assert_eq!(yaml_text(text), expected);
        }
    }
}
