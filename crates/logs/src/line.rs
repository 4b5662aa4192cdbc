//! One log line taken apart: time, level, scope and message, in the formats that a mesh's containers write.
//!
//! Istio's own lines and Envoy's lines that the agent forwards are separated by tabs
//! (<https://istio.io/latest/docs/ops/diagnostic-tools/component-logging/>); Envoy alone, klog, JSON, logfmt and
//! `CoreDNS` have their own forms. A line without a head of its own that follows one with a head is its continuation.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{mask::mask_query, wrapped};

/// Longer lines are cut here before anything looks at them.
pub const MAX_LINE: usize = 8 * 1024;

/// Severity of a log line, in the words of Istio; Envoy's `critical` counts as fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" | "notice" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "err" => Self::Error,
            "fatal" | "critical" | "panic" => Self::Fatal,
            _ => return None,
        })
    }
}

/// A line of a log, as far as it could be told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When it was written (RFC 3339): kubectl's timestamp, else the line's own.
    pub at: Option<String>,
    pub level: Option<Level>,
    /// Istio's scope, Envoy's component, klog's file.
    pub scope: Option<String>,
    pub message: String,
    /// The line without kubectl's timestamp, at most 8 KiB.
    pub raw: String,
    /// The line has no head and belongs to the one before it, as the lines of a stack do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continuation: bool,
    /// The line was longer and has been cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Reads lines of one container in order; it remembers whether a line with a head came before.
#[derive(Debug, Clone, Default)]
pub struct LineParser {
    headed: bool,
    /// What a container runtime wrote of a line so far: it cuts long ones.
    part: String,
}

impl LineParser {
    pub fn parse(&mut self, raw: &str) -> LogLine {
        let raw = raw.trim_end_matches(['\n', '\r']);
        let (stamp, whole) = split_timestamp(raw);
        let shipped = wrapped::shipped(whole);
        let (stamp, whole) = match &shipped {
            Some(shipped) => (stamp.or(shipped.at.as_deref()), shipped.line.as_str()),
            None => (stamp, whole),
        };
        let joined;
        let whole = match wrapped::runtime(whole) {
            Some((_, false, part)) => {
                if self.part.len() < MAX_LINE {
                    self.part.push_str(part);
                }
                return LogLine { at: stamp.map(str::to_owned), continuation: true, ..LogLine::default() };
            }
            Some((_, true, last)) if !self.part.is_empty() => {
                joined = std::mem::take(&mut self.part) + last;
                joined.as_str()
            }
            Some((_, true, line)) => line,
            None => whole,
        };
        let text = bounded(whole, MAX_LINE);
        let cut = text.len() < whole.len();
        let mut line = match head(text) {
            Some(line) => {
                self.headed = true;
                line
            }
            None => LogLine { message: text.to_owned(), continuation: self.headed, ..LogLine::default() },
        };
        if let Some(stamp) = stamp {
            line.at = Some(stamp.to_owned());
        }
        text.clone_into(&mut line.raw);
        line.cut = cut;
        line
    }
}

impl LogLine {
    /// What known lines are looked for in: of JSON the message, with the scope before it as in the text format, of other
    /// lines all. A message would else end in what closes the object.
    pub(super) fn searched(&self) -> Cow<'_, str> {
        if self.message.is_empty() || !self.raw.starts_with('{') {
            return Cow::Borrowed(&self.raw);
        }
        match &self.scope {
            Some(scope) => Cow::Owned(format!("{scope}\t{}", self.message)),
            None => Cow::Borrowed(&self.message),
        }
    }
}

/// The start of a text, at most `max` bytes, never within a character.
pub(super) fn bounded(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Takes the timestamp off that `kubectl logs --timestamps` puts before each line, followed by one space.
pub fn split_timestamp(raw: &str) -> (Option<&str>, &str) {
    // Only the separator differs from Istio's own time, which a tab follows. An empty line has the stamp alone.
    let end = bounded(raw, 40).find(' ').unwrap_or(raw.len());
    let stamp = &raw[..end];
    if is_rfc3339(stamp) && !stamp.contains('\t') {
        (Some(stamp), raw.get(end + 1..).unwrap_or_default())
    } else {
        (None, raw)
    }
}

pub(super) fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    (20..=35).contains(&bytes.len())
        && bytes[..19].iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        })
        && bytes[19..].iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'Z' | b'+' | b'-' | b':'))
}

fn head(text: &str) -> Option<LogLine> {
    match text.as_bytes().first()? {
        b'{' => json(text),
        b'[' => envoy(text).or_else(|| bracketed_level(text)),
        b'I' | b'W' | b'E' | b'F' => klog(text),
        b'0'..=b'9' => tabbed(text).or_else(|| slog(text)),
        b't' | b'l' => logfmt(text),
        _ => None,
    }
}

/// `time⇥level⇥[scope⇥]message[⇥key=value…]`, as istiod and the agent write.
fn tabbed(text: &str) -> Option<LogLine> {
    let (time, rest) = text.split_once('\t')?;
    let (level, rest) = rest.split_once('\t')?;
    let level = Level::parse(level)?;
    if !is_rfc3339(time) {
        return None;
    }
    let (scope, message) = match rest.split_once('\t') {
        Some((scope, message)) if is_scope(scope) && !is_field(message) => (Some(scope.to_owned()), message),
        _ => (None, rest),
    };
    Some(LogLine {
        at: Some(time.to_owned()),
        level: Some(level),
        scope,
        message: message.to_owned(),
        ..LogLine::default()
    })
}

/// One word, or `envoy`, its component and the file of the source.
fn is_scope(text: &str) -> bool {
    text.starts_with("envoy ") || (!text.is_empty() && !text.contains([' ', '=']))
}

/// `key=value`, which follows a message and is none.
fn is_field(text: &str) -> bool {
    text.split_once('=').is_some_and(|(key, _)| !key.is_empty() && !key.contains([' ', '\t']))
}

/// `[time][thread][level][component] [file:line] message`, as Envoy writes where no agent reads it.
fn envoy(text: &str) -> Option<LogLine> {
    // Releases before 1.6 put the agent's count of restarts before it.
    let text = match text.strip_prefix("[Envoy (Epoch ").and_then(|rest| rest.split_once(")] ")) {
        Some((_epoch, text)) => text,
        None => text,
    };
    let (time, rest) = text.strip_prefix('[')?.split_once("][")?;
    let (_thread, rest) = rest.split_once("][")?;
    let (level, rest) = rest.split_once("][")?;
    let level = Level::parse(level)?;
    let (component, message) = rest.split_once(']')?;
    let message = message.trim_start();
    let message = match message.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_file, message)) => message,
        None => message,
    };
    Some(LogLine {
        at: Some(time.to_owned()),
        level: Some(level),
        scope: Some(component.to_owned()),
        message: message.to_owned(),
        ..LogLine::default()
    })
}

/// `[ERROR] message`, as `CoreDNS` writes.
fn bracketed_level(text: &str) -> Option<LogLine> {
    let (level, message) = text.strip_prefix('[')?.split_once(']')?;
    let level = Level::parse(level)?;
    Some(LogLine { level: Some(level), message: message.trim_start().to_owned(), ..LogLine::default() })
}

/// `W0131 10:00:00.000000       1 reflector.go:424] message`, as client-go writes.
fn klog(text: &str) -> Option<LogLine> {
    let level = match text.as_bytes().first()? {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        _ => Level::Fatal,
    };
    let day = text.get(1..5)?;
    if !day.bytes().all(|byte| byte.is_ascii_digit()) || text.as_bytes().get(5) != Some(&b' ') {
        return None;
    }
    let (head, message) = text.split_once("] ")?;
    let file = head.rsplit(' ').next()?.rsplit_once(':').map(|(file, _)| file.to_owned());
    Some(LogLine { level: Some(level), scope: file, message: message.to_owned(), ..LogLine::default() })
}

/// `2026/01/31 10:00:00 INFO message`, as Go's own logger writes.
fn slog(text: &str) -> Option<LogLine> {
    let mut words = text.splitn(4, ' ');
    let (day, _time) = (words.next()?, words.next()?);
    let level = Level::parse(words.next()?)?;
    if day.split('/').count() != 3 {
        return None;
    }
    Some(LogLine { level: Some(level), message: words.next().unwrap_or_default().to_owned(), ..LogLine::default() })
}

/// `time="…" level=warning msg="…"`.
fn logfmt(text: &str) -> Option<LogLine> {
    let level = text.split_once("level=")?.1.split(' ').next()?;
    let level = Level::parse(level.trim_matches('"'))?;
    let message = text.split_once("msg=").map_or(text, |(_, message)| message);
    Some(LogLine { level: Some(level), message: message.trim_matches('"').to_owned(), ..LogLine::default() })
}

/// A JSON object with a level or a message under one of the usual names (`--log_as_json` of Istio, zap, slog).
fn json(text: &str) -> Option<LogLine> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let field = |names: &[&str]| {
        names.iter().find_map(|name| object.get(*name)).and_then(|value| value.as_str()).map(str::to_owned)
    };
    let level = field(&["level", "severity"]).and_then(|level| Level::parse(&level));
    let message = field(&["msg", "message"]);
    if level.is_none() && message.is_none() {
        return None;
    }
    Some(LogLine {
        at: field(&["time", "ts", "timestamp"]).filter(|time| is_rfc3339(time)),
        level,
        scope: field(&["scope", "logger"]),
        message: message.unwrap_or_default(),
        ..LogLine::default()
    })
}

/// Fields in which an application says whom it called and what went wrong, where its message is the same each time.
const DETAILS: [&str; 16] = [
    "error",
    "err",
    "cause",
    "exception",
    "reason",
    "target",
    "url",
    "uri",
    "host",
    "upstream",
    "address",
    "addr",
    "peer",
    "destination",
    "service",
    "status",
];
/// Of one field's text.
const DETAIL_BYTES: usize = 120;

/// What a JSON line says besides its message: ` target=… error=…`, empty where it is no such line.
pub(super) fn details(raw: &str) -> String {
    let mut text = String::new();
    let Ok(object) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(raw.trim_start()) else {
        return text;
    };
    for name in DETAILS {
        let value = match object.get(name) {
            Some(serde_json::Value::String(value)) => mask_query(value).into_owned(),
            Some(value @ serde_json::Value::Number(_)) => value.to_string(),
            _ => continue,
        };
        text.push(' ');
        text.push_str(name);
        text.push('=');
        text.push_str(bounded(&value, DETAIL_BYTES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, level: Option<Level>, scope: Option<&str>, message: &str) {
        let line = LineParser::default().parse(raw);
        assert_eq!((line.level, line.scope.as_deref(), line.message.as_str()), (level, scope, message), "{raw}");
    }

    #[test]
    fn each_format_is_told_apart() {
        let warn = Some(Level::Warn);
        check("2026-03-01T10:00:00.000000Z\twarn\tads\tslow", warn, Some("ads"), "slow");
        check("2026-03-01T10:00:00.000000Z\twarn\tslow startup\tname=ca", warn, None, "slow startup\tname=ca");
        check(
            "2026-03-01T10:00:00.000000Z\twarning\tenvoy config ./a/b.h:22\tstream closed\tthread=3",
            warn,
            Some("envoy config ./a/b.h:22"),
            "stream closed\tthread=3",
        );
        check("[2026-03-01 10:00:00.000][12][warning][config] [a/b.cc:3] rejected", warn, Some("config"), "rejected");
        check(
            "[Envoy (Epoch 0)] [2019-03-01 10:00:00.000][12][warning][config] [a/b.cc:3] no",
            warn,
            Some("config"),
            "no",
        );
        check("W0301 10:00:00.000000       1 reflector.go:424] failed", warn, Some("reflector.go"), "failed");
        check(
            r#"{"level":"warn","time":"2026-03-01T10:00:00Z","scope":"ads","msg":"slow"}"#,
            warn,
            Some("ads"),
            "slow",
        );
        check("2026/03/01 10:00:00 WARN slow name=x", warn, None, "slow name=x");
        check(r#"time="2026-03-01T10:00:00Z" level=warning msg="slow""#, warn, None, "slow");
        check("[WARNING] plugin/kubernetes: slow", warn, None, "plugin/kubernetes: slow");
        check("iptables v1.8.7: no", None, None, "iptables v1.8.7: no");
    }

    #[test]
    fn timestamp_of_kubectl_goes_before_the_time_of_the_line() {
        let line = LineParser::default().parse("2026-03-01T10:00:00.5Z 2026-03-01T10:00:00.1Z\tinfo\tready");
        assert_eq!(line.at.as_deref(), Some("2026-03-01T10:00:00.5Z"));
        assert_eq!(line.raw, "2026-03-01T10:00:00.1Z\tinfo\tready");
    }

    #[test]
    fn stack_belongs_to_the_line_before_it() {
        let mut parser = LineParser::default();
        assert!(!parser.parse("plain start").continuation);
        parser.parse("2026-03-01T10:00:00.1Z\terror\tfailed");
        assert!(parser.parse("goroutine 1 [running]:").continuation);
        assert!(!parser.parse("2026-03-01T10:00:01.1Z\tinfo\tgoes on").continuation);
    }

    #[test]
    fn long_and_strange_lines_are_cut_at_a_character() {
        let line = LineParser::default().parse(&"ä".repeat(MAX_LINE));
        assert!(line.cut && line.raw.len() <= MAX_LINE);
        for raw in
            ["", "\t", "[", "[]", "W", "W03ä1 x] y", "{", "2026", "2026-03-01T10:00:00Z", "ä\tb\tc", &"[".repeat(9000)]
        {
            LineParser::default().parse(raw);
        }
    }
}
