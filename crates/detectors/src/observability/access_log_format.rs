//! Finds mesh configurations that change what lines of access logs look like.

use std::collections::BTreeSet;

use super::configs::{all, map_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/access-log-format",
        reads: &[Kind::ConfigMap],
        reports: &[&OBS0003],
        by_default: true,
        run,
    },
};

static OBS0003: Code = Code {
    id: "OBS0003",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format",
    page: include_str!("pages/OBS0003.md"),
};

/// Settings, and the value that is Istio's default.
const SETTINGS: [(&str, &str); 2] = [("accessLogFormat", ""), ("accessLogEncoding", "TEXT")];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for config in all(mesh) {
        for (name, default) in SETTINGS {
            let setting = config.setting(&[name]);
            let value = setting.value.text();
            let Some(from) = setting.from.filter(|_| !value.is_empty() && value != default) else { continue };
            if seen.insert((from, name)) {
                messages.report(lines_differ(mesh, from, name, value));
            }
        }
    }
}

fn lines_differ<'m>(mesh: &'m Mesh, from: &str, name: &str, value: &str) -> Message<'m> {
    let text = format!("{name} is {value:?}: access logs do not have Istio's default format.");
    let message = match map_of(mesh, from) {
        Some(map) => Message::new(&OBS0003, map, text),
        None => Message::without_object(&OBS0003, text),
    };
    message.remedy(format!("Nothing to repair. Tell programs that read the logs, or unset {name}."))
}
