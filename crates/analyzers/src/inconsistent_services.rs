//! Finds Services that several clusters define differently, although the mesh takes them for one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Analyzer, Message, Messages, list, quoted};
use mesh::{Kind, Mesh, Object, Shape};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "services.MultiClusterServiceAnalyzer",
    reads: &[Kind::Service],
    reports: &[&IST0170],
    by_default: true,
    run,
};

static IST0170: Code = Code {
    id: "IST0170",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/multicluster/",
    page: include_str!("pages/IST0170.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut by_name: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
    for service in mesh.each(Kind::Service) {
        by_name.entry((service.namespace(), service.name())).or_default().push(service);
    }
    for services in by_name.into_values() {
        let [reference, others @ ..] = &services[..] else { continue };
        let (clusters, reasons) = differences(reference, others);
        if !reasons.is_empty() {
            messages.report(service_is_inconsistent(reference, &clusters, &reasons));
        }
    }
}

/// How Services differ from the first, and in which clusters.
fn differences<'m>(reference: &'m Object, others: &[&'m Object]) -> (BTreeSet<&'m str>, BTreeSet<&'static str>) {
    let (mut clusters, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    for other in others {
        let mut differs = |reason| {
            clusters.extend([reference.cluster(), other.cluster()]);
            reasons.insert(reason);
        };
        if is_headless(reference) != is_headless(other) {
            differs("service has mixed mode like headless and clusterIP");
        }
        if reference.spec().get("type").text() != other.spec().get("type").text() {
            differs("service type is inconsistent");
        }
        if ports(reference) != ports(other) {
            differs("service ports are inconsistent");
        }
    }
    if reasons.contains("service has mixed mode like headless and clusterIP") {
        clusters.extend(others.iter().map(|other| other.cluster()));
    }
    (clusters, reasons)
}

fn is_headless(service: &Object) -> bool {
    service.spec().field("clusterIP").text() == "None"
}

/// What two ports have to have in common. A target port of `80` is not one of `"80"`.
type Port<'m> = (&'m str, [&'m str; 2], [i64; 2], (Option<Shape>, &'m str));

fn ports(service: &Object) -> Vec<Port<'_>> {
    let ports = service.spec().get("ports").items().map(|port| {
        let target = port.get("targetPort");
        (
            port.get("name").text(),
            ["protocol", "appProtocol"].map(|field| port.get(field).text()),
            ["port", "nodePort"].map(|field| port.get(field).integer()),
            (target.shape(), target.written()),
        )
    });
    let mut ports: Vec<Port<'_>> = ports.collect();
    ports.sort_by_key(|port| port.0);
    ports
}

fn service_is_inconsistent<'m>(
    service: &'m Object,
    clusters: &BTreeSet<&str>,
    reasons: &BTreeSet<&str>,
) -> Message<'m> {
    let (name, namespace) = (service.name(), quoted(service.namespace()));
    let clusters = list(clusters.iter().map(|cluster| quoted(cluster)));
    let reasons: Vec<&str> = reasons.iter().copied().collect();
    let text = format!(
        "The service {name} in namespace {namespace} is inconsistent across clusters {clusters}, which can lead to \
         undefined behaviors. The inconsistent behaviors are: {}.",
        reasons.join("; ")
    );
    Message::new(&IST0170, service, text)
}
