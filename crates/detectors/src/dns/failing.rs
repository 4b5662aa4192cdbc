//! Finds DNS that does not work because its pods fail.

use jiff::{SignedDuration, Timestamp};

use super::coredns::{CoreDns, NAMESPACE, states};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "dns/coredns-crash",
        reads: &[Kind::Pod, Kind::Deployment, Kind::ConfigMap],
        reports: &[&DNS0002],
        by_default: true,
        run,
    },
};

static DNS0002: Code = Code {
    id: "DNS0002",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/coredns-troubleshoot",
    page: include_str!("pages/DNS0002.md"),
};

/// How long ago a pod may have run out of memory for it to be today's trouble.
const RECENT: SignedDuration = SignedDuration::from_hours(24);

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(dns) = CoreDns::of(mesh) else { return };
    let failing: Vec<String> = dns.pods.iter().filter_map(|pod| why_failing(pod, mesh.taken_at())).collect();
    let ready = dns.ready().len();
    if ready == 0 || !failing.is_empty() {
        messages.report(dns_fails(mesh, &dns, ready, &failing));
    }
}

/// What its containers' states say of a pod.
fn why_failing(pod: &Object, now: Timestamp) -> Option<String> {
    states(pod).find_map(|state| {
        let waiting = state.path(&["state", "waiting", "reason"]).text();
        let end = state.path(&["lastState", "terminated"]);
        let out_of_memory = [end, state.path(&["state", "terminated"])].into_iter().any(|end| {
            let finished = end.field("finishedAt").text().parse::<Timestamp>();
            end.get("reason").text() == "OOMKilled"
                && finished.is_ok_and(|finished| now.duration_since(finished) < RECENT)
        });
        let crashes =
            matches!(waiting, "CrashLoopBackOff" | "CreateContainerError" | "ImagePullBackOff" | "ErrImagePull");
        match (crashes, out_of_memory) {
            (_, true) => Some(format!("{} ran out of memory (OOMKilled)", pod.name())),
            (true, false) => Some(format!("{} is in {waiting}", pod.name())),
            (false, false) => None,
        }
    })
}

fn dns_fails<'m>(mesh: &Mesh, dns: &CoreDns<'m>, ready: usize, failing: &[String]) -> Message<'m> {
    let why = if failing.is_empty() { "none says why".to_owned() } else { names(failing) };
    let consequence = if ready == 0 { "no name resolves" } else { "look-ups time out now and then" };
    let text = format!(
        "{ready} of {} pods of CoreDNS are ready ({why}): {consequence}, in the mesh and outside.",
        dns.pods.len()
    );
    let custom = mesh.find(Kind::ConfigMap, NAMESPACE, "coredns-custom");
    let remedy = match custom.filter(|custom| !custom.root().get("data").is_empty()) {
        Some(_) => {
            "Read the end of the last run: kubectl logs -n kube-system -l k8s-app=kube-dns --previous. If ConfigMap \
             coredns-custom was edited, undo that, then: kubectl rollout restart deployment coredns -n kube-system"
        }
        None => "Read the end of the last run: kubectl logs -n kube-system -l k8s-app=kube-dns --previous",
    };
    Message::new(&DNS0002, dns.object, text).remedy(remedy)
}
