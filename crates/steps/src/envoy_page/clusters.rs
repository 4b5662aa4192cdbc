//! What the page `clusters` says about destinations, as findings.

use k8s_openapi::api::core::v1::Pod;

use super::super::{
    no_endpoint::NoEndpoint,
    target::{self, PROXY},
};
use envoy::{
    cluster_name::ClusterName,
    cluster_trouble::{self, ClusterTrouble, ClusterTroubleKind, TroubledHost},
    clusters_page::Clusters,
};
use report::{Evidence, Finding, Severity};

const DOCS: &str = "https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--clusters";

crate::codes::codes! {
    ENV0001, Warning, DOCS;
    ENV0002, Warning, DOCS;
    ENV0003, Warning, DOCS;
    ENV0004, Warning, DOCS;
    ENV0005, Info, DOCS;
}

/// Share of failures from which a destination that works in part is a risk and not a mere note.
const MANY: f64 = 0.1;

pub(crate) fn findings(page: &Clusters, pod: &Pod, known: &NoEndpoint) -> Vec<Finding> {
    let troubles = cluster_trouble::interpret(page);
    let finding = |trouble: &ClusterTrouble| {
        let finding = finding(trouble, pod);
        match trouble.kind {
            ClusterTroubleKind::NoHosts => known.amended(&trouble.cluster, finding),
            _ => finding,
        }
    };
    troubles.iter().map(finding).collect()
}

fn finding(trouble: &ClusterTrouble, pod: &Pod) -> Finding {
    let name = ClusterName::parse(&trouble.cluster);
    let to = destination(&trouble.cluster, &name);
    let hosts = addresses(&trouble.hosts);
    let (count, total) = (trouble.hosts.len(), trouble.hosts_total);
    let (code, message, remedy) = match trouble.kind {
        ClusterTroubleKind::NoHosts => (
            &ENV0001,
            format!("{to} has no endpoint: requests to it answer 503 UH"),
            no_hosts_remedy(&name),
        ),
        ClusterTroubleKind::Ejected => (
            &ENV0002,
            format!("{to}: outlier detection has ejected {count} of {total} hosts ({hosts})"),
            "Look at the errors of these hosts: read their logs, and the `outlierDetection` of the DestinationRule that \
             applies. An ejected host comes back after `baseEjectionTime`, longer with each ejection."
                .to_owned(),
        ),
        ClusterTroubleKind::Unhealthy => (
            &ENV0003,
            format!("{to}: {count} of {total} hosts are unhealthy ({hosts})"),
            "See why the pods behind these addresses are not ready: kubectl.resource-status for pods.".to_owned(),
        ),
        ClusterTroubleKind::ConnectFailures => (
            &ENV0004,
            format!("{to}: connections to {count} of {total} hosts could not be opened ({hosts})"),
            connect_remedy(&name),
        ),
        ClusterTroubleKind::RequestErrors => (
            &ENV0005,
            format!("{to}: {count} of {total} hosts answered with errors ({hosts})"),
            "Read the access log of both sides for status, flags and details: kubectl.sidecar-logs.".to_owned(),
        ),
    };
    let mut finding = Finding::new(code, target::subject(pod).container(PROXY), message)
        .severity(severity(trouble))
        .discriminator(format!("{} {:?}", trouble.cluster, trouble.kind))
        .remedy(remedy);
    for host in trouble.hosts.iter().take(5) {
        finding = finding.evidence(Evidence::new(format!("/clusters, {}", trouble.cluster), numbers(host)));
    }
    finding
}

fn severity(trouble: &ClusterTrouble) -> Severity {
    let share = |part: fn(&TroubledHost) -> u64, of: fn(&TroubledHost) -> u64| {
        let sum = |field: fn(&TroubledHost) -> u64| trouble.hosts.iter().map(field).sum::<u64>();
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more precision")]
        let share = sum(part) as f64 / sum(of).max(1) as f64;
        share
    };
    match trouble.kind {
        ClusterTroubleKind::RequestErrors if share(|h| h.rq_error, |h| h.rq_total) < 0.5 => Severity::Info,
        // Nobody may be calling it: the scaled-down service of a night is no error.
        ClusterTroubleKind::NoHosts | ClusterTroubleKind::RequestErrors => Severity::Warning,
        _ if trouble.is_total() => Severity::Error,
        ClusterTroubleKind::ConnectFailures if share(|h| h.cx_connect_fail, |h| h.cx_total) < MANY => Severity::Info,
        ClusterTroubleKind::ConnectFailures | ClusterTroubleKind::Ejected | ClusterTroubleKind::Unhealthy => {
            Severity::Warning
        }
    }
}

/// `destination catalog.shop.svc.cluster.local:8080`, or `the application's port 9999`.
fn destination(cluster: &str, name: &ClusterName) -> String {
    match name.direction.as_str() {
        "inbound" => format!("the application's own port {}", name.port),
        "outbound" if name.subset.is_empty() => format!("destination {}:{}", name.fqdn, name.port),
        "outbound" => format!("destination {}:{} subset {:?}", name.fqdn, name.port, name.subset),
        _ => format!("cluster {cluster}"),
    }
}

fn no_hosts_remedy(name: &ClusterName) -> String {
    if name.subset.is_empty() {
        format!(
            "Compare the selector of the Service behind {} with the labels of its pods, and see whether they are ready.",
            name.fqdn
        )
    } else {
        format!(
            "Compare the labels of subset {:?} in the DestinationRule for {} with those of the pods.",
            name.subset, name.fqdn
        )
    }
}

fn connect_remedy(name: &ClusterName) -> String {
    if name.direction == "inbound" {
        format!(
            "Nothing in the pod accepts connections on port {}: see that the application listens there and on which \
             address, and that the Service's `targetPort` is the right one.",
            name.port
        )
    } else {
        format!(
            "See whether the pods behind {} listen on that port (the Service's `targetPort`), and whether a \
             NetworkPolicy or a TLS mismatch stands in between: kubectl.sidecar-logs shows the reason.",
            name.fqdn
        )
    }
}

fn addresses(hosts: &[TroubledHost]) -> String {
    let mut text: Vec<_> = hosts.iter().take(3).map(|host| host.address.as_str()).collect();
    if hosts.len() > 3 {
        text.push("…");
    }
    text.join(", ")
}

fn numbers(host: &TroubledHost) -> String {
    let mut text = format!(
        "{}: {} of {} connections failed, {} of {} requests with errors, {} timed out",
        host.address, host.cx_connect_fail, host.cx_total, host.rq_error, host.rq_total, host.rq_timeout
    );
    if !host.health_flags.is_empty() {
        text = format!("{text}; {}", host.health_flags.join(", "));
    }
    text
}
