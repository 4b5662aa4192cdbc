//! Finds pods whose proxy has no token to prove itself to istiod with.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Proxy, View, owner, restart};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "sec/token-volume", reads: &[Kind::Pod], reports: &[&SEC0017], by_default: true, run },
};

static SEC0017: Code = Code {
    id: "SEC0017",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/best-practices/security/#configure-third-party-service-account-tokens",
    page: include_str!("pages/SEC0017.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for pod in mesh.proxied_workloads() {
        // Only what an injector put there is known to need the volume.
        let is_injected = pod.annotation("sidecar.istio.io/status").is_some();
        // Every injected pod has volumes: without any, the recording has left them out.
        let is_whole = !pod.spec().get("volumes").is_empty();
        if is_injected && is_whole && !uses_another_token(pod) && !pod.spec().get("volumes").items().any(has_token) {
            messages.report(token_is_missing(pod));
        }
    }
}

/// The volume is `istio-token`; a template of the user's own may call it otherwise.
fn has_token(volume: View<'_>) -> bool {
    let mut sources = volume.path(&["projected", "sources"]).items();
    sources.any(|source| source.field("serviceAccountToken").get("path").text() == "istio-token")
}

/// Whether the proxy is told to use the token of the Kubernetes API, as old installations do.
fn uses_another_token(pod: &Object) -> bool {
    Proxy::of(pod).is_some_and(|proxy| proxy.variable("JWT_POLICY") == Some("first-party-jwt"))
}

fn token_is_missing(pod: &Object) -> Message<'_> {
    let owner = owner(pod);
    let text = format!(
        "The proxy of {} {} has no volume with a token for istiod (istio-token): it gets no certificate and never becomes ready.",
        owner.kind, owner.name
    );
    let remedy = format!(
        "See which tool rewrites pods after injection (policy engines, other webhooks) and let it keep projected volumes, then: {}",
        restart(pod)
    );
    Message::new(&SEC0017, pod, text).at(Path::spec().key("volumes")).remedy(remedy)
}
