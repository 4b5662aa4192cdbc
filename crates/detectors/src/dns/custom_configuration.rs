//! Finds additions to the configuration of `CoreDNS` on AKS that are not read, or that keep it from starting.

use super::coredns::NAMESPACE;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "dns/custom-config",
        reads: &[Kind::ConfigMap],
        reports: &[&DNS0003],
        by_default: true,
        run,
    },
};

static DNS0003: Code = Code {
    id: "DNS0003",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/coredns-custom",
    page: include_str!("pages/DNS0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(custom) = mesh.find(Kind::ConfigMap, NAMESPACE, "coredns-custom") else { return };
    for (key, value) in custom.root().get("data").entries() {
        if !key.ends_with(".server") && !key.ends_with(".override") {
            messages.report(key_is_not_read(custom, key));
            continue;
        }
        let text = without_comments(value.text());
        if text.matches('{').count() != text.matches('}').count() {
            messages.report(text_is_invalid(custom, key, "its braces do not match"));
        } else if key.ends_with(".server") && lacks_zone(&text) {
            messages.report(text_is_invalid(
                custom,
                key,
                "its server block is for no zone of its own, as the built-in one",
            ));
        }
    }
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Whether the first block has no zone before its brace, or the root, which the built-in block serves already
/// (<https://coredns.io/2017/07/23/corefile-explained/>).
fn lacks_zone(text: &str) -> bool {
    let Some((zones, _)) = text.split_once('{') else { return false };
    let zones = zones.split([' ', '\t', '\n', ',']).filter(|zone| !zone.is_empty());
    // A port does not make another zone, as long as it is the usual one.
    zones.map(|zone| zone.strip_suffix(":53").unwrap_or(zone)).all(|zone| matches!(zone, "" | "."))
}

fn key_is_not_read<'m>(custom: &'m Object, key: &str) -> Message<'m> {
    let text = format!("The key {key} is not read: only names that end in .server or .override are.");
    let remedy = format!(
        "Rename it, {key}.server for a server block of its own and {key}.override for plug-ins of the built-in one, then: kubectl \
         rollout restart deployment coredns -n {NAMESPACE}"
    );
    Message::new(&DNS0003, custom, text).at(Path::data(key.to_owned())).remedy(remedy)
}

fn text_is_invalid<'m>(custom: &'m Object, key: &str, why: &str) -> Message<'m> {
    let text = format!("CoreDNS cannot load the key {key}: {why}. Its pods fail when they start next.");
    let remedy = format!(
        "Write a zone and matching braces, as in: example.com:53 {{ forward . 10.0.0.10 }}. Then: kubectl rollout restart \
         deployment coredns -n {NAMESPACE}"
    );
    Message::new(&DNS0003, custom, text).at(Path::data(key.to_owned())).remedy(remedy)
}
