//! Logs of containers, cut as the kubelet cuts them.
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod>

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use http::header;
use jiff::Timestamp;
use serde_json::Value;

use super::super::store::{Gvr, Kind, LogFile, LogPart, NOT_RECORDED, Store, leading_time, text};
use super::path::Query;
use super::status::Status;

/// What is asked of a log.
struct Cut {
    tail: Option<u64>,
    since: Option<Timestamp>,
    bytes: Option<u64>,
    timestamps: bool,
}

pub(super) async fn log(store: Arc<Store>, namespace: String, pod: String, query: Query) -> Result<Response, Status> {
    let follow = query.is_set("follow");
    let read = tokio::task::spawn_blocking(move || read(&store, &namespace, &pod, &query)).await;
    let lines = read.map_err(|error| Status::internal(error.to_string()))??;
    let kind = [(header::CONTENT_TYPE, "text/plain")];
    if !follow {
        return Ok((kind, lines).into_response());
    }
    let lines = futures::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(lines))]);
    Ok((kind, Body::from_stream(lines.chain(futures::stream::pending()))).into_response())
}

fn read(store: &Store, namespace: &str, pod: &str, query: &Query) -> Result<Vec<u8>, Status> {
    let pods = Gvr::new("", "v1", "pods");
    let object = store.pod(namespace, pod)?;
    if object.is_none() && store.resources.contains_key(&pods) {
        return Err(Status::not_found(&pods, pod));
    }
    let container = container(store, namespace, pod, object.as_ref(), query)?;
    let cut = Cut {
        tail: query.number("tailLines")?,
        since: since(store, query)?,
        bytes: query.number("limitBytes")?,
        timestamps: query.is_set("timestamps"),
    };
    let previous = query.is_set("previous");
    let key = (namespace.to_owned(), pod.to_owned(), container.clone(), previous);
    let Some(file) = store.logs.get(&key) else {
        // The API server has nowhere to ask for the log of a pod that no node has, and answers nothing.
        if object.as_ref().is_some_and(is_unscheduled) {
            return Ok(Vec::new());
        }
        return Err(absent(pod, object.as_ref(), &container, previous));
    };
    let content =
        store.tree.read(&file.path).map_err(|error| Status::internal(format!("cannot read the log: {error}")))?;
    let content = part(file, &content);
    Ok(match store.kind {
        Kind::Own => stamped(content, &cut),
        Kind::BugReport | Kind::Yaml => unstamped(content, &cut),
    })
}

/// A pod as a manifest has it, without a status, is no such pod.
pub(super) fn is_unscheduled(pod: &Value) -> bool {
    text(pod, &["spec", "nodeName"]).is_empty() && text(pod, &["status", "phase"]) == "Pending"
}

/// The container that is asked for, else the pod's default, else its first.
fn container(
    store: &Store,
    namespace: &str,
    pod: &str,
    object: Option<&Value>,
    query: &Query,
) -> Result<String, Status> {
    let Some(object) = object else {
        // Without the pod, only the recorded logs tell its containers.
        let of_pod = |key: &&(String, String, String, bool)| key.0 == namespace && key.1 == pod;
        let recorded = store.logs.keys().find(of_pod).map(|key| key.2.clone());
        let asked = query.get("container").map(str::to_owned).or(recorded);
        return asked.ok_or_else(|| Status::not_recorded(NOT_RECORDED));
    };
    let mut names = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let containers = object.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        names.extend(containers.into_iter().flatten().map(|container| text(container, &["name"])));
    }
    let default = object
        .pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container")
        .and_then(Value::as_str)
        .filter(|name| names.contains(name));
    let asked = query.get("container").or(default).or(names.first().copied()).unwrap_or_default();
    if !names.contains(&asked) {
        return Err(Status::bad_request(format!("container {asked} is not valid for pod {pod}")));
    }
    Ok(asked.to_owned())
}

/// Times are relative to the recording, not to now.
fn since(store: &Store, query: &Query) -> Result<Option<Timestamp>, Status> {
    if let Some(time) = query.get("sinceTime") {
        return time
            .parse()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("invalid value for sinceTime: {time:?}")));
    }
    let Some(seconds) = query.number("sinceSeconds")? else { return Ok(None) };
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Ok(store.recorded_at.and_then(|end| end.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok()))
}

/// Why there is no log: what a server says where the pod's status tells, else that it was not recorded.
fn absent(pod: &str, object: Option<&Value>, container: &str, previous: bool) -> Status {
    let Some(object) = object else { return Status::not_recorded(NOT_RECORDED) };
    let mut statuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .filter_map(|list| object.get("status")?.get(list)?.as_array())
        .flatten();
    let status = statuses.find(|status| text(status, &["name"]) == container);
    let restarts = status.and_then(|status| status.get("restartCount")).and_then(Value::as_u64).unwrap_or_default();
    if previous && restarts == 0 {
        let message = format!("previous terminated container {container:?} in pod {pod:?} not found");
        return Status::bad_request(message);
    }
    let waiting = status.and_then(|status| status.pointer("/state/waiting"));
    if let Some(waiting) = waiting.filter(|_| restarts == 0) {
        let reason = text(waiting, &["reason"]);
        let message = format!("container {container:?} in pod {pod:?} is waiting to start: {reason}");
        return Status::bad_request(message);
    }
    Status::not_recorded(NOT_RECORDED)
}

const MARK: &[u8] = b"========= Previous log =========";
const NOTE: &[u8] = b"========= Previous log present (appended at the end) =========";

/// Whether istioctl appended the log of the previous container.
pub(in super::super) fn has_previous(start: &[u8]) -> bool {
    start.starts_with(NOTE)
}

/// The part of the file that is this container's.
fn part<'a>(file: &LogFile, content: &'a [u8]) -> &'a [u8] {
    if file.part == LogPart::Whole {
        return content;
    }
    let mark = content.windows(MARK.len()).position(|window| window == MARK);
    let (before, after) = mark.map_or((content, &content[content.len()..]), |at| content.split_at(at));
    let (text, heading) = match file.part {
        LogPart::Previous => (after, MARK),
        LogPart::Whole | LogPart::BeforePrevious => (before, NOTE),
    };
    text.strip_prefix(heading).unwrap_or(text).trim_ascii_start()
}

/// Lines begin with the kubelet's time.
fn stamped(content: &[u8], cut: &Cut) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut last = None;
    for line in tail(content, cut.tail) {
        let time = leading_time(line);
        last = time.or(last);
        if cut.since.is_some_and(|since| last.is_none_or(|last| last < since)) {
            continue;
        }
        let blank = line.iter().position(|byte| *byte == b' ').filter(|_| time.is_some());
        kept.extend_from_slice(if cut.timestamps { line } else { &line[blank.map_or(0, |blank| blank + 1)..] });
    }
    limited(kept, cut)
}

/// Lines without the kubelet's time: the one that the program wrote stands in, and where a line has none, that of the
/// line before it.
fn unstamped(content: &[u8], cut: &Cut) -> Vec<u8> {
    let lines = tail(content, cut.tail).collect::<Vec<_>>();
    let mut last = lines.iter().find_map(|line| own_time(line));
    let mut kept = Vec::new();
    for line in lines {
        last = own_time(line).or(last);
        if cut.since.is_some_and(|since| last.is_none_or(|last| last < since)) {
            continue;
        }
        if let Some(time) = last.filter(|_| cut.timestamps) {
            kept.extend_from_slice(format!("{time} ").as_bytes());
        }
        kept.extend_from_slice(line);
    }
    limited(kept, cut)
}

/// The time that istiod, the agent or Envoy (`[2026-…` or a JSON access log) writes itself.
pub(in super::super) fn own_time(line: &[u8]) -> Option<Timestamp> {
    const START: usize = 512;
    let start = String::from_utf8_lossy(&line[..line.len().min(START)]);
    if let Some(field) = start.strip_prefix('{') {
        let (_, value) = field.split_once("\"start_time\":\"").or_else(|| field.split_once("\"time\":\""))?;
        return value.split('"').next()?.parse().ok();
    }
    let start = start.trim_start_matches('[');
    let word = start.split([' ', '\t', ']', '\n']).next()?;
    if let Ok(time) = word.parse() {
        return Some(time);
    }
    // Go's plain logger: `2026/11/25 10:48:33 …`, in UTC in a container.
    let time = start.get(..19)?.replacen('/', "-", 2).replacen(' ', "T", 1);
    format!("{time}Z").parse().ok()
}

/// The last lines, each with its end.
fn tail(content: &[u8], count: Option<u64>) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    if let Some(count) = count {
        let mut left = count;
        start = content.len();
        while start > 0 && left > 0 {
            let before = content[..start - 1].iter().rposition(|byte| *byte == b'\n');
            start = before.map_or(0, |at| at + 1);
            left -= 1;
        }
    }
    content[start..].split_inclusive(|byte| *byte == b'\n')
}

fn limited(mut content: Vec<u8>, cut: &Cut) -> Vec<u8> {
    if let Some(bytes) = cut.bytes {
        content.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tail: Option<u64>, timestamps: bool) -> Cut {
        Cut { tail, since: None, bytes: None, timestamps }
    }

    #[test]
    fn the_last_lines_are_those_at_the_end() {
        let check = |content: &str, count, expected: &str| {
            let lines = tail(content.as_bytes(), count).flatten().copied().collect::<Vec<_>>();
            assert_eq!(String::from_utf8_lossy(&lines), expected, "{content:?} {count:?}");
        };
        check("a\nb\nc\n", Some(2), "b\nc\n");
        check("a\nb\nc", Some(2), "b\nc");
        check("a\nb\n", Some(9), "a\nb\n");
        check("a\nb\n", Some(0), "");
        check("a\n\n", Some(1), "\n");
        check("", Some(3), "");
        check("a\nb", None, "a\nb");
    }

    #[test]
    fn programs_write_their_times_in_many_ways() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(own_time(line.as_bytes()).map(|time| time.to_string()).as_deref(), expected, "{line}");
        };
        check("2026-11-25T10:48:33.681Z\tinfo\tx", Some("2026-11-25T10:48:33.681Z"));
        check("[2026-11-25T10:48:33.681Z] \"GET /", Some("2026-11-25T10:48:33.681Z"));
        check("2026/11/25 10:48:33 ERROR x", Some("2026-11-25T10:48:33Z"));
        check("{\"level\":\"info\",\"time\":\"2026-11-25T10:48:33Z\"}", Some("2026-11-25T10:48:33Z"));
        check("{\"a\":1,\"start_time\":\"2026-11-25T10:48:33Z\"}", Some("2026-11-25T10:48:33Z"));
        check("goroutine 1 [running]:", None);
        check("", None);
        check("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", None);
    }

    #[test]
    fn lines_without_a_time_have_that_of_the_line_before() {
        let log = b"panic: x\n2026-11-25T10:00:00Z\tinfo\ta\n  more\n2026-11-25T10:00:05Z\tinfo\tb\n";
        let lines = String::from_utf8(unstamped(log, &cut(None, true))).expect("it is ASCII");
        let times = lines.lines().map(|line| &line[11..19]).collect::<Vec<_>>();
        assert_eq!(times, ["10:00:00", "10:00:00", "10:00:00", "10:00:05"]);
    }

    #[test]
    fn the_previous_log_is_the_second_part() {
        let content = [NOTE, b"\n\nnow 1\nnow 2\n\n", MARK, b"\n\nbefore\n"].concat();
        assert!(has_previous(&content));
        let of = |kind| part(&LogFile { path: String::new(), part: kind }, &content);
        assert_eq!(of(LogPart::BeforePrevious).trim_ascii(), b"now 1\nnow 2");
        assert_eq!(of(LogPart::Previous), b"before\n");
        let cut_off = LogFile { path: String::new(), part: LogPart::Previous };
        assert_eq!(part(&cut_off, NOTE), b"");
    }
}
