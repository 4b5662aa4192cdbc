//! The part of a log that was written within a range of time, by the rule of `istioctl bug-report`: a line that tells
//! its time decides for itself and for the lines after it that do not.

use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use serde::Deserialize;

use super::line::Level;

/// A range of time, both ends included; an end that is not given does not restrict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// A line that tells when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated<'a> {
    pub at: Timestamp,
    pub level: Level,
    pub text: &'a str,
}

impl TimeRange {
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    pub fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at <= end)
    }

    /// The lines of a log as the program wrote it. Without a range the text stays as it is.
    pub fn of_log(&self, log: &str) -> String {
        if self.is_unbounded() {
            return log.to_owned();
        }
        let mut kept = String::new();
        let mut inside = false;
        for line in log.lines() {
            if let Some(dated) = dated(line) {
                inside = self.contains(dated.at);
            }
            if inside {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        kept
    }

    /// The lines of a log with the kubelet's time in front of each.
    pub fn of_stamped_log(&self, log: &str) -> String {
        if self.is_unbounded() {
            return log.to_owned();
        }
        let mut inside = false;
        let inside = |line: &&str| {
            let stamp = line.split(' ').next().unwrap_or_default();
            if let Ok(at) = stamp.parse() {
                inside = self.contains(at);
            }
            inside
        };
        log.split_inclusive('\n').filter(inside).collect()
    }
}

/// How urgent a log is: 1000 for each fatal line, 100 for each error, 10 for each warning, but for those that match one
/// of the ignored patterns, where `*` stands for any text.
pub fn importance(log: &str, ignored: &[Regex]) -> u64 {
    let weight = |line: &str| {
        let dated = dated(line)?;
        let weight = match dated.level {
            Level::Fatal => 1000,
            Level::Error => 100,
            Level::Warn => 10,
            Level::Info | Level::Debug | Level::Trace => return None,
        };
        (!ignored.iter().any(|pattern| pattern.is_match(dated.text))).then_some(weight)
    };
    log.lines().filter_map(weight).sum()
}

/// A line in one of the three forms that istioctl knows: JSON, tabs, and ztunnel's.
fn dated(line: &str) -> Option<Dated<'_>> {
    if line.starts_with('{') {
        return json(line);
    }
    tabbed(line).or_else(|| ztunnel(line))
}

#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    level: &'a str,
    #[serde(borrow)]
    time: &'a str,
    #[serde(borrow)]
    msg: std::borrow::Cow<'a, str>,
}

fn json(line: &str) -> Option<Dated<'_>> {
    let parsed: Json<'_> = serde_json::from_str(line).ok()?;
    if parsed.msg.is_empty() {
        return None;
    }
    Some(Dated { at: parsed.time.parse().ok()?, level: level(parsed.level)?, text: line })
}

fn tabbed(line: &str) -> Option<Dated<'_>> {
    let mut parts = line.splitn(3, '\t');
    let (time, word, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Dated { at: time.parse().ok()?, level: level(&word.to_ascii_lowercase())?, text })
}

/// `2025-03-04T05:06:07.000008Z  info  ztunnel  a message`, with the thread between where it is written.
fn ztunnel(line: &str) -> Option<Dated<'_>> {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+Z)\s+(?:\S+\s+)?(fatal|error|warn|info|debug|trace)\s+\S",
        )
        .expect("the pattern is right")
    });
    let found = FORM.captures(line)?;
    Some(Dated { at: found[1].parse().ok()?, level: level(&found[2])?, text: line })
}

/// Istio's own words for levels, and no others.
fn level(word: &str) -> Option<Level> {
    Some(match word {
        "fatal" => Level::Fatal,
        "error" => Level::Error,
        "warn" => Level::Warn,
        "info" => Level::Info,
        "debug" => Level::Debug,
        "trace" => Level::Trace,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("it is a time")
    }

    #[test]
    fn lines_without_a_time_follow_the_line_before() {
        let log = "panic before any time\n\
                   2026-01-01T00:00:01Z\tinfo\tone\n  of one\n\
                   2026-01-01T00:00:02Z\tINFO\ttwo\n  of two\n\
                   2026-01-01T00:00:03.000001Z  warn  xds::client  three\n\
                   {\"level\":\"Info\",\"time\":\"2026-01-01T00:00:09Z\",\"msg\":\"no such level\"}\n\
                   {\"level\":\"info\",\"time\":\"2026-01-01T00:00:09Z\",\"msg\":\"nine \\\"quoted\\\"\"}\n";
        let range = TimeRange { start: Some(at("2026-01-01T00:00:02Z")), end: Some(at("2026-01-01T00:00:08Z")) };
        let kept = range.of_log(log);
        let expected = ["two", "of two", "three", "no such level"];
        let lines: Vec<_> = kept.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{kept}");
        for (line, part) in lines.iter().zip(expected) {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(TimeRange::default().of_log(log), log);
    }

    #[test]
    fn kubelets_times_decide_where_they_are_written() {
        let log = "2026-01-01T00:00:01Z a\n2026-01-01T00:00:02Z [2020-01-01T00:00:00Z] b\n2026-01-01T00:00:03Z c";
        let range = TimeRange { start: Some(at("2026-01-01T00:00:02Z")), end: None };
        assert_eq!(range.of_stamped_log(log), "2026-01-01T00:00:02Z [2020-01-01T00:00:00Z] b\n2026-01-01T00:00:03Z c");
    }

    #[test]
    fn importance_counts_what_is_not_ignored() {
        let log = "2026-01-01T00:00:01Z\terror\tcannot connect\n2026-01-01T00:00:01Z\twarn\tslow\n\
                   2026-01-01T00:00:01Z\tfatal\tgone\nerror without a time\n";
        assert_eq!(importance(log, &[]), 1110);
        assert_eq!(importance(log, &[Regex::new("cannot.*").expect("it is one")]), 1010);
    }
}
