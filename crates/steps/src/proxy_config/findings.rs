//! What the configuration of a proxy shows to be wrong.

use k8s_openapi::api::core::v1::Pod;

use super::super::{
    envoy_page,
    proxy_status::ENV0010,
    rejected,
    target::{self, PROXY},
};
use super::{ProxyConfigKind, gather::Evidence};
use envoy::{
    certificates::{self, Certificate},
    cluster_name::ClusterName,
    clusters_page::Clusters,
    config_dump::ConfigDump,
    secrets,
    troubles::{self, DumpTrouble, XdsResource},
};
use report::{Code, Evidence as Quote, Finding, Severity, Skipped};

const DUMP: &str = "https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump";
const FLAGS: &str =
    "https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags";
const PKI: &str = "https://istio.io/latest/docs/concepts/security/#pki";

crate::codes::codes! {
    ENV0017, Warning, DUMP;
    ENV0018, Error, DUMP;
    ENV0019, Error, FLAGS;
    ENV0020, Info, DUMP;
    ENV0021, Error, PKI;
}

/// What waits for less than this is on its way.
const ARRIVING_S: i64 = 30;

/// The findings of one kind; what could not be judged is skipped.
pub(super) fn all(kind: ProxyConfigKind, evidence: &Evidence, skipped: &mut Vec<Skipped>) -> Vec<Finding> {
    match kind {
        ProxyConfigKind::Log | ProxyConfigKind::Bootstrap => Vec::new(),
        ProxyConfigKind::Endpoint => match Clusters::parse(&evidence.page) {
            Ok(page) => {
                let mut findings = envoy_page::clusters::findings(&page, &evidence.pod, &evidence.no_endpoint);
                findings
                    .iter_mut()
                    .filter(|finding| {
                        finding.code == envoy_page::clusters::ENV0001.id && finding.severity < Severity::Error
                    })
                    .for_each(of_every_proxy);
                findings
            }
            // The rows of the same page are missing for the same reason.
            Err(_) => Vec::new(),
        },
        _ => of_dump(kind, evidence, skipped),
    }
}

fn of_dump(kind: ProxyConfigKind, evidence: &Evidence, skipped: &mut Vec<Skipped>) -> Vec<Finding> {
    let mut not_judged = |error: &envoy::Error| {
        skipped.push(Skipped::new("what is wrong in the dump", cluster::chain(error)));
    };
    let dump = match ConfigDump::parse(&evidence.page) {
        Ok(dump) => dump,
        Err(error) => {
            not_judged(&error);
            return Vec::new();
        }
    };
    let mut findings = root_differs(&dump, evidence).into_iter().collect::<Vec<_>>();
    let dump = match &evidence.clusters {
        Some(Ok(page)) => match ConfigDump::parse(page) {
            Ok(clusters) => dump.with_clusters_of(clusters),
            Err(error) => {
                not_judged(&error);
                dump
            }
        },
        _ => dump,
    };
    match troubles::find(&dump, evidence.now) {
        Ok(found) => {
            let of_kind = found.iter().filter(|trouble| concerns(kind, trouble) && !is_of_the_system(trouble));
            findings.extend(of_kind.map(|trouble| finding(trouble, evidence)));
        }
        Err(error) => not_judged(&error),
    }
    for (read, silences) in [
        (
            evidence.clusters.as_ref().and_then(|read| read.as_ref().err()),
            "routes to clusters that are not there (ENV0019)",
        ),
        (
            evidence.root.as_ref().and_then(|read| read.as_ref().err()),
            "another root certificate than istiod's (ENV0021)",
        ),
    ] {
        if let Some(reason) = read {
            let mut reason = reason.clone();
            reason.silences.push(silences.to_owned());
            skipped.push(reason);
        }
    }
    findings
}

/// Whether a trouble belongs to what was asked for. A recording answers with the whole dump, whatever the mask.
fn concerns(kind: ProxyConfigKind, trouble: &DumpTrouble) -> bool {
    let of = match trouble {
        DumpTrouble::Rejected { resource, .. } | DumpTrouble::Warming { resource, .. } => match resource {
            XdsResource::Cluster => ProxyConfigKind::Cluster,
            XdsResource::Listener => ProxyConfigKind::Listener,
            XdsResource::Route => ProxyConfigKind::Route,
            XdsResource::Endpoints => ProxyConfigKind::Eds,
            XdsResource::Secret => ProxyConfigKind::Secret,
            XdsResource::Extension => ProxyConfigKind::Ecds,
        },
        DumpTrouble::SecretWithoutData { .. }
        | DumpTrouble::CertificateNotValid { .. }
        | DumpTrouble::CertificateExpiresSoon { .. } => ProxyConfigKind::Secret,
        DumpTrouble::NoHealthyEndpoints { .. } | DumpTrouble::NameNotResolved { .. } => ProxyConfigKind::Eds,
        DumpTrouble::UnknownCluster { .. } => ProxyConfigKind::Route,
        DumpTrouble::UnknownTcpCluster { .. } => ProxyConfigKind::Listener,
    };
    kind == ProxyConfigKind::All || kind == of
}

/// The operating system's bundle holds old roots beside those that count; it is nobody's certificate.
fn is_of_the_system(trouble: &DumpTrouble) -> bool {
    match trouble {
        DumpTrouble::CertificateNotValid { secret, .. } | DumpTrouble::CertificateExpiresSoon { secret, .. } => {
            secret.starts_with("file-root:system")
        }
        _ => false,
    }
}

fn finding(trouble: &DumpTrouble, evidence: &Evidence) -> Finding {
    let pod = &evidence.pod;
    let age_s = |since: &str| {
        let since = since.parse::<jiff::Timestamp>().ok();
        since.map(|since| evidence.now.as_second().saturating_sub(since.as_second()))
    };
    let arriving = |since: &str| age_s(since).is_some_and(|seconds| seconds < ARRIVING_S);
    match trouble {
        DumpTrouble::Rejected { resource, name, details, version, last_attempt } => {
            let message = format!("Envoy refused {} {name:?}: {}", word(*resource), details.trim());
            let finding = new(&ENV0010, pod, message)
                .discriminator(format!("{} {name}", word(*resource)))
                .evidence(Quote::new("/config_dump, error_state", format!("version {version}, at {last_attempt}")));
            let keeps = "Envoy works on with what it had before.";
            match &evidence.patches {
                Some(patches) => {
                    let blame = patches.blame(&format!("{name} {details}"), word(*resource), pod);
                    let quotes = blame.quotes.into_iter().map(|(place, quote)| Quote::new(place, quote));
                    quotes.fold(finding, Finding::evidence).remedy(format!("{keeps} {}", blame.remedy))
                }
                None => finding.remedy(format!("{keeps} {}", rejected::unknown_blame())),
            }
        }
        DumpTrouble::Warming { resource: XdsResource::Secret, name, since } => {
            no_secret(name, since, arriving(since), pod)
        }
        DumpTrouble::SecretWithoutData { name, since } => no_secret(name, since, arriving(since), pod),
        DumpTrouble::Warming { resource, name, since } => {
            let what = word(*resource);
            let message =
                format!("{what} {name:?} is not in use yet: it waits since {since} for something that it needs");
            new(&ENV0017, pod, message)
                .severity(if arriving(since) { Severity::Info } else { Severity::Warning })
                .discriminator(format!("{what} {name}"))
                .remedy(match resource {
                    XdsResource::Listener => "A listener waits for its routes or its secrets: see proxy-config secret.",
                    _ => "A cluster waits for its endpoints or its secrets: see proxy-config eds and secret.",
                })
        }
        DumpTrouble::NoHealthyEndpoints { cluster, endpoints: 0 } => {
            let message = format!("{} has no endpoint: requests to it answer 503 UH", destination(cluster));
            let mut finding = new(&envoy_page::clusters::ENV0001, pod, message)
                .discriminator(cluster)
                .remedy("Compare the Service's selector with the labels of its pods, and see whether they are ready.");
            of_every_proxy(&mut finding);
            finding
        }
        DumpTrouble::NoHealthyEndpoints { cluster, endpoints } => {
            let which = match endpoints {
                1 => "its only endpoint may not".to_owned(),
                _ => format!("none of its {endpoints} endpoints may"),
            };
            let message = format!("{}: {which} take requests", destination(cluster));
            new(&envoy_page::clusters::ENV0003, pod, message)
                .discriminator(cluster)
                .remedy("See why the pods behind it are not ready: kubectl.resource-status for pods.")
        }
        DumpTrouble::NameNotResolved { cluster } => {
            let message = format!("{}: its DNS name did not resolve", destination(cluster));
            new(&ENV0020, pod, message)
                .discriminator(cluster)
                .remedy("Look up the name from within the pod; where nobody calls it, nothing has to be done.")
        }
        DumpTrouble::UnknownCluster { cluster, route_configuration, virtual_host, path } => {
            let message = format!(
                "route {path:?} of host {virtual_host} leads to {}, which this proxy does not have: requests answer 503 NC",
                destination(cluster)
            );
            new(&ENV0019, pod, message)
                .discriminator(format!("{route_configuration} {virtual_host} {path} {cluster}"))
                .evidence(Quote::new(format!("/config_dump, route {route_configuration}"), cluster))
                .remedy(
                    "Correct the destination in the VirtualService or HTTPRoute (host, port, subset); or a Sidecar, \
                     `exportTo` or a missing subset of the DestinationRule hides it from this proxy.",
                )
        }
        DumpTrouble::UnknownTcpCluster { cluster, listener } => {
            let message = format!(
                "listener {listener} passes connections on to {}, which this proxy does not have: they are closed",
                destination(cluster)
            );
            new(&ENV0019, pod, message)
                .discriminator(format!("{listener} {cluster}"))
                .remedy("Correct the destination in the VirtualService, TCPRoute or TLSRoute (host, port, subset).")
        }
        DumpTrouble::CertificateNotValid { secret, certificate } => {
            let expired = certificate.not_after <= evidence.now;
            let what = if expired { "expired" } else { "is not valid before" };
            let time = if expired { certificate.not_after } else { certificate.not_before };
            let joint = if expired { " at" } else { "" };
            certificate_finding(secret, certificate, &format!("{what}{joint} {time}"), Severity::Error, pod)
        }
        DumpTrouble::CertificateExpiresSoon { secret, certificate } => {
            let what = format!("expires at {} and was not renewed", certificate.not_after);
            certificate_finding(secret, certificate, &what, Severity::Warning, pod)
        }
    }
}

/// Every proxy is told of a service without endpoints; it says little about this one, and nobody may call it from there.
fn of_every_proxy(finding: &mut Finding) {
    finding.severity = Severity::Info;
}

fn new(code: &'static Code, pod: &Pod, message: String) -> Finding {
    Finding::new(code, target::subject(pod).container(PROXY), message)
}

fn no_secret(name: &str, since: &str, arriving: bool, pod: &Pod) -> Finding {
    let message = format!("secret {name:?} has not come: what needs it does not work");
    let remedy = match name.strip_prefix("kubernetes://") {
        Some(secret) => format!(
            "istiod has no such Secret to give: see whether {} exists in the gateway's namespace, is of type \
             kubernetes.io/tls, and whether the gateway may read it.",
            secret.strip_suffix("-cacert").unwrap_or(secret)
        ),
        None => {
            "The proxy gets it from its agent: read the proxy's log for CSR errors (kubectl.sidecar-logs).".to_owned()
        }
    };
    new(&ENV0018, pod, message)
        .severity(if arriving { Severity::Info } else { Severity::Error })
        .discriminator(name)
        .evidence(Quote::new("/config_dump, dynamic_warming_secrets", format!("{name}, since {since}")))
        .remedy(remedy)
}

fn certificate_finding(secret: &str, certificate: &Certificate, what: &str, severity: Severity, pod: &Pod) -> Finding {
    let name = certificate.subject_alternative_names.first().unwrap_or(&certificate.subject);
    let (namespace, own) = (target::namespace(pod), target::name(pod));
    let file = secret.strip_prefix("file-root:").or_else(|| secret.strip_prefix("file-cert:"));
    let remedy = match (secret.strip_prefix("kubernetes://"), file) {
        (Some(name), _) => format!(
            "Renew the certificate in Secret {}: kubectl get secret --namespace {namespace} {0}",
            name.strip_suffix("-cacert").unwrap_or(name)
        ),
        // Files are named by the DestinationRules and Gateways that use them; istiod renews none of them.
        (None, Some(file)) => format!(
            "Renew the file {} in the container {PROXY}; the objects that name it use it: kubectl get \
             destinationrules,gateways --all-namespaces --output yaml",
            file.replace('~', ", ")
        ),
        (None, None) => format!(
            "The workload's certificate is renewed through istiod: look for CSR errors in kubectl logs {own} --namespace \
             {namespace} --container {PROXY}, and in istiod's log."
        ),
    };
    let message = format!("certificate {name} of secret {secret:?} {what}");
    new(&envoy_page::certificates::ENV0006, pod, message)
        .severity(severity)
        .discriminator(format!("{secret} {name}"))
        .evidence(Quote::new(
            "/config_dump, secrets",
            format!(
                "serial {}, valid from {} until {}",
                certificate.serial_number, certificate.not_before, certificate.not_after
            ),
        ))
        .remedy(remedy)
}

/// Whether the proxy trusts other roots than those that istiod gives to its namespace.
fn root_differs(dump: &ConfigDump<'_>, evidence: &Evidence) -> Option<Finding> {
    let Some(Ok(given)) = &evidence.root else { return None };
    // A proxy that has none yet is named for that: its secret has not come.
    let own = secrets::root_ca(dump).ok()?;
    if certificates::roots_match(&own, given).ok()? {
        return None;
    }
    let names = |pem: &str| {
        let roots = Certificate::all_in(pem.as_bytes());
        let names = roots.iter().map(|root| format!("{} ({:.16}…)", root.subject, root.fingerprint));
        names.collect::<Vec<_>>().join(", ")
    };
    let message = "the root certificate that this proxy trusts is none of those that istiod gives to its namespace: mTLS \
                   with proxies that were started since fails";
    let finding = new(&ENV0021, &evidence.pod, message.to_owned())
        .evidence(Quote::new("/config_dump, secret ROOTCA", names(&own)))
        .evidence(Quote::new("ConfigMap istio-ca-root-cert", names(given)))
        .remedy(
            "The CA was changed without a time in which both roots are trusted. Restart the workloads that still have the \
             old root, or give both roots (cacerts with a combined root-cert.pem) until all have the new one.",
        );
    Some(finding)
}

fn word(resource: XdsResource) -> &'static str {
    match resource {
        XdsResource::Cluster => "cluster",
        XdsResource::Listener => "listener",
        XdsResource::Route => "route configuration",
        XdsResource::Endpoints => "endpoints",
        XdsResource::Secret => "secret",
        XdsResource::Extension => "extension",
    }
}

/// `destination catalog.shop.svc.cluster.local:8080 subset "v3"`.
fn destination(cluster: &str) -> String {
    let name = ClusterName::parse(cluster);
    match (ClusterName::is_service(cluster), name.subset.as_str()) {
        (true, "") => format!("destination {}:{}", name.fqdn, name.port),
        (true, subset) => format!("destination {}:{} subset {subset:?}", name.fqdn, name.port),
        (false, _) => format!("cluster {cluster:?}"),
    }
}
