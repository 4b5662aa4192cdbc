//! Everything that istioctl printed of the recorded proxies.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use meshtriage::envoy::proto_json::Format;
use meshtriage::envoy::proxy_config::{Filter, Kind, Layout, dump, rows};
use serde_json::Value;

use super::recordings::{CAPTURES, Proxy, proxies, recorded_at};
use crate::support::recording_path;

/// How one output compares.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    /// Only the order of lines that istioctl leaves to chance differs, or the layout of JSON and YAML.
    SameContent,
    /// Where the first difference is.
    Different(String),
}

impl Outcome {
    fn index(&self) -> usize {
        match self {
            Self::Same => 0,
            Self::SameContent => 1,
            Self::Different(_) => 2,
        }
    }
}

/// A recorded command.
struct Recording {
    file: String,
    succeeded: bool,
    args: Vec<String>,
}

#[test]
fn outputs_of_istioctl() {
    let proxies = proxies();
    let mut counts: BTreeMap<(&str, String), [usize; 3]> = BTreeMap::new();
    let mut different = Vec::new();
    let mut without_proxy = 0;
    for capture in CAPTURES {
        for recording in recordings(capture) {
            let Some(proxy) = proxies.iter().find(|proxy| proxy.capture == capture && recording.is_of(proxy)) else {
                // The pod had no running proxy, so there is no page to look at.
                assert!(!recording.succeeded, "{}: no page", recording.file);
                without_proxy += 1;
                continue;
            };
            let (label, outcome) = compare(&recording, proxy);
            counts.entry((capture, label)).or_default()[outcome.index()] += 1;
            if let Outcome::Different(at) = outcome {
                different.push(format!("{capture}/{}: {at}", recording.file));
            }
        }
    }
    for ((capture, label), [same, content, different]) in &counts {
        let total = same + content + different;
        crate::support::say(&format!("{capture} {label}: {}/{total} ({same} byte for byte)", same + content));
    }
    let passed: usize = counts.values().map(|[same, content, _]| same + content).sum();
    let bytes: usize = counts.values().map(|[same, ..]| same).sum();
    let total: usize = counts.values().flatten().sum();
    crate::support::say(&format!(
        "{passed}/{total} outputs, {bytes} byte for byte; {without_proxy} of pods without a proxy"
    ));
    assert!(total > 700, "only {total} outputs");
    assert!(different.is_empty(), "{} outputs differ:\n{}", different.len(), different.join("\n"));
}

fn recordings(capture: &str) -> Vec<Recording> {
    let commands = read_to_string(recording_path(&format!("{capture}/commands.tsv"))).unwrap();
    let mut recordings = Vec::new();
    for line in commands.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, status, command] = columns[..] else { continue };
        if let Some((_, args)) = command.split_once(" proxy-config ").filter(|_| file.contains("/proxy-config/")) {
            recordings.push(Recording {
                file: file.to_owned(),
                succeeded: status == "0",
                args: args.split_whitespace().map(str::to_owned).collect(),
            });
        }
    }
    recordings
}

impl Recording {
    fn is_of(&self, proxy: &Proxy) -> bool {
        self.args[1] == format!("{}.{}", proxy.pod, proxy.namespace)
    }

    fn value(&self, flag: &str) -> String {
        let at = self.args.iter().position(|arg| arg == flag);
        at.map(|at| self.args[at + 1].clone()).unwrap_or_default()
    }

    fn has(&self, flag: &str) -> bool {
        self.args.iter().any(|arg| arg == flag)
    }
}

fn compare(recording: &Recording, proxy: &Proxy) -> (String, Outcome) {
    let kind: Kind = recording.args[0].parse().unwrap();
    let page = match kind {
        Kind::Endpoint => "clusters.json",
        Kind::Log => "logging.txt",
        Kind::All | Kind::Eds | Kind::Ecds => "config_dump_include_eds.json",
        _ => "config_dump.json",
    };
    let page = proxy.page(page);
    let expected = read_to_string(recording_path(&format!("{}/{}", proxy.capture, recording.file))).unwrap();
    let filter = Filter {
        direction: recording.value("--direction"),
        port: recording.value("--port").parse().ok(),
        name: recording.value("--name"),
        ..Filter::default()
    };
    let output = recording.value("-o");
    let format = match output.as_str() {
        "json" => Some(Format::Json),
        "yaml" => Some(Format::Yaml),
        _ => None,
    };
    let printed = if let Some(format) = format {
        dump(kind, &page, &filter, format)
    } else {
        let layout = Layout { verbose: !recording.has("--verbose=false"), ..Layout::default() };
        rows(kind, &page, &filter, recorded_at(proxy.capture)).map(|rows| rows.text(layout))
    };
    let label = format!("{} {}", recording.args[0], if output.is_empty() { "short" } else { &output });
    let outcome = match printed {
        Ok(text) if !recording.succeeded => Outcome::Different(format!("no error but {text:.100}")),
        Err(error) if recording.succeeded => Outcome::Different(format!("error {error}")),
        Err(error) => {
            let stderr = recording_path(&format!("{}/{}.stderr", proxy.capture, recording.file));
            outcome_of(&format!("Error: {error}\n"), &read_to_string(stderr).unwrap())
        }
        Ok(text) => {
            let text = if kind == Kind::Log { format!("{}:\n{text}\n", recording.args[1]) } else { text };
            compare_text(kind, format, &text, &expected)
        }
    };
    (label, outcome)
}

fn compare_text(kind: Kind, format: Option<Format>, is: &str, expected: &str) -> Outcome {
    let content = |text: &str| match format {
        Some(Format::Json) => comparable(kind, serde_json::from_str(text).unwrap()),
        Some(Format::Yaml) => comparable(kind, serde_saphyr::from_str(text).unwrap()),
        None => sorted_lines(text),
    };
    if is == expected {
        return Outcome::Same;
    }
    match outcome_of(&content(is), &content(expected)) {
        Outcome::Same => Outcome::SameContent,
        different => different,
    }
}

fn outcome_of(is: &str, expected: &str) -> Outcome {
    let mut lines = is.lines().zip(expected.lines()).enumerate();
    match lines.find(|(_, (is, expected))| is != expected) {
        _ if is == expected => Outcome::Same,
        Some((at, (is, expected))) => Outcome::Different(format!("line {at}: {is:?} instead of {expected:?}")),
        None => Outcome::Different("one is longer".to_owned()),
    }
}

fn sorted_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The parts that are no matter of chance. istioctl's order of routes is no order (it compares only names that are
/// numbers); the counters of hosts went on between the two readings, and Envoy lists clusters in another order each time.
fn comparable(kind: Kind, mut value: Value) -> String {
    if kind == Kind::Endpoint {
        let clusters = value.as_array_mut().unwrap();
        clusters.sort_by_key(|cluster| cluster["name"].as_str().unwrap().to_owned());
        for host in clusters.iter_mut().flat_map(|cluster| cluster["hostStatuses"].as_array_mut().unwrap()) {
            for metric in host["stats"].as_array_mut().unwrap() {
                metric.as_object_mut().unwrap().shift_remove("value");
            }
        }
    }
    value.sort_all_objects();
    if kind == Kind::Route {
        value.as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    serde_json::to_string_pretty(&value).unwrap()
}
