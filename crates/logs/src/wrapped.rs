//! Lines as others keep them: the container runtime's files (`stdout F` before each line, long ones in parts), and the JSON
//! of log shippers with the line in one field.

use super::line::is_rfc3339;

/// A line taken out of a shipper's JSON.
pub(super) struct Shipped {
    pub(super) line: String,
    pub(super) at: Option<String>,
}

/// What stands in [CRI's format][cri] behind the time: the stream, whether the line ends here, and the line.
///
/// [cri]: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
pub(super) fn runtime(text: &str) -> Option<(&str, bool, &str)> {
    let (stream, rest) = text.split_once(' ')?;
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    let (tag, line) = rest.split_once(' ').unwrap_or((rest, ""));
    match tag.split(':').next()? {
        "F" => Some((stream, true, line)),
        "P" => Some((stream, false, line)),
        _ => None,
    }
}

/// The line in a shipper's JSON: Docker and Fluent Bit write it as `log`, others as `message` beside what they add.
pub(super) fn shipped(text: &str) -> Option<Shipped> {
    if !text.starts_with('{') {
        return None;
    }
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let has = |name: &str| object.contains_key(name);
    let added = ["kubernetes", "stream", "@timestamp", "ContainerName", "container_name", "_source"]
        .iter()
        .any(|name| has(name));
    let own = has("level") || has("severity") || has("response_flags");
    let names = ["log", "message", "LogMessage", "LogEntry"];
    let line = names.iter().find_map(|name| object.get(*name)?.as_str())?;
    if own || !(has("log") || added) {
        return None;
    }
    let time = ["time", "@timestamp", "TimeGenerated"].iter().find_map(|name| object.get(*name)?.as_str());
    Some(Shipped {
        line: line.trim_end_matches(['\n', '\r']).to_owned(),
        at: time.filter(|time| is_rfc3339(time)).map(str::to_owned),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::line::{Level, LineParser};

    #[test]
    fn the_runtimes_prefix_is_taken_off_and_parts_are_joined() {
        let mut parser = LineParser::default();
        let line = parser.parse("2026-03-01T10:00:00.1Z stdout F 2026-03-01T10:00:00.0Z\twarn\tads\tslow");
        assert_eq!((line.level, line.message.as_str()), (Some(Level::Warn), "slow"));
        assert_eq!(line.at.as_deref(), Some("2026-03-01T10:00:00.1Z"));
        assert!(parser.parse("2026-03-01T10:00:00.2Z stderr P 2026-03-01T10:00:00.2Z\terror\tca\tvery ").continuation);
        let line = parser.parse("2026-03-01T10:00:00.2Z stderr F long");
        assert_eq!((line.level, line.message.as_str()), (Some(Level::Error), "very long"));
    }

    #[test]
    fn a_shippers_json_holds_the_line() {
        let json =
            r#"{"log":"2026-03-01T10:00:00.0Z\terror\tca\tno\n","stream":"stderr","time":"2026-03-01T10:00:01Z"}"#;
        let line = LineParser::default().parse(json);
        assert_eq!((line.level, line.scope.as_deref(), line.message.as_str()), (Some(Level::Error), Some("ca"), "no"));
        assert_eq!(line.at.as_deref(), Some("2026-03-01T10:00:01Z"));
        let json =
            r#"{"@timestamp":"2026-03-01T10:00:01Z","message":"[ERROR] plugin/errors: 2 a. A: no","kubernetes":{}}"#;
        assert_eq!(LineParser::default().parse(json).level, Some(Level::Error));
    }

    #[test]
    fn other_json_is_left_as_it_is() {
        for json in [r#"{"level":"warn","message":"a","stream":"x"}"#, r#"{"message":"a"}"#, "{", r#"{"log":7}"#] {
            assert!(super::shipped(json).is_none(), "{json}");
        }
        assert!(super::runtime("stdout is full").is_none());
        assert_eq!(super::runtime("stdout F").unwrap(), ("stdout", true, ""));
    }
}
