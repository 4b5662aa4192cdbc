//! Finds namespaces with several Telemetries that hold for the whole namespace.

use std::collections::BTreeMap;

use super::selector_conflicts::names;
use super::{Analyzer, Message, Messages, quoted};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "telemetry.DefaultSelectorAnalyzer",
    reads: &[Kind::Telemetry],
    reports: &[&IST0160],
    by_default: true,
    run,
};

static IST0160: Code = Code {
    id: "IST0160",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#Telemetry",
    page: include_str!("pages/IST0160.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for telemetry in mesh.each(Kind::Telemetry) {
        if !telemetry.spec().get("selector").is_map() {
            by_namespace.entry(telemetry.namespace()).or_default().push(telemetry);
        }
    }
    for telemetries in by_namespace.into_values() {
        if telemetries.len() > 1 {
            let names = names(&telemetries);
            for telemetry in telemetries {
                messages.report(hold_for_the_same_namespace(telemetry, &names));
            }
        }
    }
}

fn hold_for_the_same_namespace<'m>(telemetry: &'m Object, telemetries: &str) -> Message<'m> {
    let namespace = quoted(telemetry.namespace());
    let text = format!(
        "The Telemetries {telemetries} in namespace {namespace} have no workload selector, which can lead to \
         undefined behavior."
    );
    Message::new(&IST0160, telemetry, text)
}
