//! Finds keys for tokens that istiod is to fetch from a workload that takes nothing but mutual TLS.

use http::Uri;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, MutualTls, Object, Workload, container_port, is_gateway};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/jwks-in-mesh",
        reads: &[
            Kind::RequestAuthentication,
            Kind::PeerAuthentication,
            Kind::Service,
            Kind::Pod,
            Kind::Deployment,
            Kind::ConfigMap,
        ],
        reports: &[&SEC0015],
        by_default: true,
        run,
    },
};

static SEC0015: Code = Code {
    id: "SEC0015",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/security-issues/#end-user-authentication-fails",
    page: include_str!("pages/SEC0015.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if proxies_fetch_keys(mesh) {
        return;
    }
    for authentication in mesh.each(Kind::RequestAuthentication) {
        for (rule, index) in authentication.spec().field("jwtRules").items().zip(0..) {
            let uri = rule.field("jwksUri").text();
            if rule.get("jwks").text().is_empty()
                && let Some(server) = strict_server(mesh, authentication, uri)
            {
                let path = Path::spec().key("jwtRules").index(index).key("jwksUri");
                messages.report(istiod_is_refused(authentication, uri, &server, path));
            }
        }
    }
}

/// Whether istiod leaves the fetching to Envoy, which has a certificate of the mesh: its environment's
/// `PILOT_JWT_ENABLE_REMOTE_JWKS` (<https://istio.io/latest/docs/reference/commands/pilot-discovery/#envvars>).
fn proxies_fetch_keys(mesh: &Mesh) -> bool {
    let settings = mesh.control_planes().into_iter().filter_map(|it| it.variable("PILOT_JWT_ENABLE_REMOTE_JWKS"));
    settings.into_iter().any(|setting| !matches!(setting, "" | "false" | "istiod"))
}

/// What a URI's host means, if it is a pod that insists on mutual TLS, with the Service before it and the policy.
fn strict_server<'m>(mesh: &'m Mesh, authentication: &Object, uri: &str) -> Option<Server<'m>> {
    let uri: Uri = uri.parse().ok()?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let service = service_named(mesh, authentication.namespace(), uri.host()?)?;
    let mut ports = service.spec().get("ports").items();
    let port = ports.find(|candidate| candidate.get("port").integer() == i64::from(port))?;
    let pods = mesh.pods_of_service(service).into_iter();
    let mut with_sidecar = pods.filter(|pod| Workload::of_pod(pod).has_proxy() && !is_gateway(pod));
    with_sidecar.find_map(|pod| {
        let decision = mesh.mutual_tls(Workload::of_pod(pod), container_port(port, pod));
        (decision.mode == MutualTls::Strict).then_some(Server { service, policy: decision.policy })
    })
}

struct Server<'m> {
    service: &'m Object,
    policy: Option<&'m Object>,
}

/// istiod resolves the name by DNS, in which `name.namespace` and `name.namespace.svc` do as well.
fn service_named<'m>(mesh: &'m Mesh, namespace: &str, host: &str) -> Option<&'m Object> {
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let host = host.strip_suffix(".svc").unwrap_or(host);
    let (name, namespace) = host.split_once('.').unwrap_or((host, namespace));
    mesh.find(Kind::Service, namespace, name)
}

fn istiod_is_refused<'m>(authentication: &'m Object, uri: &str, server: &Server<'_>, path: Path) -> Message<'m> {
    let by = server.policy.map(|policy| format!(" ({})", policy.origin())).unwrap_or_default();
    let text = format!(
        "istiod fetches the keys from {uri}, but has no sidecar, and the pods of Service {} take mutual TLS only{by}: it gets \
         none, and every token is refused with 401.",
        server.service.full_name()
    );
    let remedy = format!(
        "Set PERMISSIVE for that port of {} under portLevelMtls of a PeerAuthentication, or put the keys into `jwks` of this rule.",
        server.service.full_name()
    );
    Message::new(&SEC0015, authentication, text).at(path).remedy(remedy)
}
