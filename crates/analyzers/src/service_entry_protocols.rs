//! Finds `ServiceEntries` that give one port of one host different protocols.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "serviceentry.ConflictingServiceEntryProtocolAnalyzer",
    reads: &[Kind::ServiceEntry],
    reports: &[&IST0177],
    by_default: true,
    run,
};

static IST0177: Code = Code {
    id: "IST0177",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/service-entry/",
    page: include_str!("pages/IST0177.md"),
};

const EVERYWHERE: &str = "*";

/// Scope, host and port number.
type Key<'m> = (&'m str, &'m str, i64);

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut claims: BTreeMap<Key<'m>, Vec<(String, &'m Object)>> = BTreeMap::new();
    for entry in mesh.each(Kind::ServiceEntry) {
        let scopes = host::scopes(entry.namespace(), entry.spec().field("exportTo").texts());
        for host in entry.spec().get("hosts").texts() {
            for port in entry.spec().get("ports").items() {
                let protocol = port.get("protocol").text().to_uppercase();
                for scope in &scopes {
                    let claim = (protocol.clone(), entry);
                    claims.entry((scope, host, port.get("number").integer())).or_default().push(claim);
                }
            }
        }
    }
    let mut reported: HashSet<(&str, &str)> = HashSet::new();
    for (key, own) in &claims {
        let (scope, host, port) = *key;
        let everywhere = (scope != EVERYWHERE).then(|| claims.get(&(EVERYWHERE, host, port))).flatten();
        let all = || own.iter().chain(everywhere.into_iter().flatten());
        let protocols: BTreeSet<&str> = all().map(|(protocol, _)| protocol.as_str()).collect();
        let is_new = |entry: &Object| !reported.contains(&(entry.namespace(), entry.name()));
        if protocols.len() < 2 || !all().any(|(_, entry)| is_new(entry)) {
            continue;
        }
        let names: BTreeSet<String> = all().map(|(_, entry)| entry.full_name()).collect();
        let text = text(&names, host, port, &protocols);
        for (_, entry) in all() {
            if !messages.is_full() && reported.insert((entry.namespace(), entry.name())) {
                messages.report(protocols_conflict(entry, &text));
            }
        }
    }
}

fn text(names: &BTreeSet<String>, host: &str, port: i64, protocols: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let protocols: Vec<&str> = protocols.iter().copied().collect();
    format!(
        "Multiple ServiceEntries ({}) define the same host {} and port {port} with conflicting protocols ({}).",
        names.join(", "),
        quoted(host),
        protocols.join(", ")
    )
}

fn protocols_conflict<'m>(entry: &'m Object, text: &str) -> Message<'m> {
    Message::new(&IST0177, entry, text).at(Path::name())
}
