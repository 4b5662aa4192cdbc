//! What the recorded dumps say is wrong.

use meshtriage::envoy::config_dump::ConfigDump;
use meshtriage::envoy::troubles::{DumpTrouble, find};

use super::recordings::{proxies, recorded_at};

#[test]
fn troubles_of_the_recordings() {
    let mut found = Vec::new();
    for proxy in proxies() {
        let page = proxy.page("config_dump_include_eds.json");
        let dump = ConfigDump::parse(&page).unwrap();
        for trouble in find(&dump, recorded_at(proxy.capture)).unwrap() {
            found.push(format!("{} {}: {}", proxy.capture, proxy.workload(), short(&trouble)));
        }
    }
    // Fault 10 and a ServiceEntry without addresses: services without endpoints, which every proxy near them sees.
    let known = ["recommendations.shop.", "partner.example.net"];
    found.retain(|line| !(line.contains("none of 0 healthy in") && known.iter().any(|known| line.contains(known))));
    // The recorded meshes had no way to the internet.
    found.retain(|line| !line.ends_with("no address for outbound|443||api.example.com"));
    // Fault 1 and 2 are seen by every sidecar in the namespace.
    let (routes, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|line| line.contains("to unknown"));
    let mut sidecars: Vec<&str> = Vec::new();
    for line in routes.iter().filter(|line| line.starts_with("broken")) {
        let (sidecar, route) = line.split_once(": ").unwrap();
        let faults = [
            "8080 catalog.shop.svc.cluster.local:8080 /items* to unknown outbound|8080|v3|catalog.shop.svc.cluster.local",
            "8080 checkout.shop.svc.cluster.local:8080 /* to unknown outbound|8080||chekout.shop.svc.cluster.local",
            "http.80 api.example.com:80 PathPrefix:/search to unknown outbound|8080||search.shop.svc.cluster.local",
        ];
        assert!(faults.contains(&route), "{line}");
        sidecars.push(sidecar.strip_prefix("broken ").unwrap());
    }
    sidecars.dedup();
    assert_eq!(sidecars, ["api-istio", "cart", "catalog-v1", "catalog-v2", "checkout", "frontend", "reports"]);
    let upstream: Vec<_> = routes.iter().filter(|line| !line.starts_with("broken")).collect();
    assert_eq!(upstream.len(), 5);
    for line in upstream {
        assert!(line.starts_with("upstream") && line.ends_with("to unknown outbound|80||reviews.default"), "{line}");
    }
    let expected = [
        "broken aks-istio-ingressgateway-external-asm-1-30: warming Secret kubernetes://pay-tls",
        "broken aks-istio-ingressgateway-external-asm-1-30: kubernetes://shop-tls ended 2026-04-01T00:00:00Z",
        "broken catalog-v2: rejected Listener virtualInbound: Error: terminal filter named envoy.filters.http.router of \
         type envoy.filters.http.router must be the last filter in a http filter chain.",
        "upstream store: none of 1 healthy in outbound|6379||cache.default-apps.svc.cluster.local",
        "upstream istio-ingressgateway: none of 0 healthy in outbound|443||*.example.net",
    ];
    assert_eq!(others, expected);
}

fn short(trouble: &DumpTrouble) -> String {
    match trouble {
        DumpTrouble::Rejected { resource, name, details, .. } => format!("rejected {resource:?} {name}: {details}"),
        DumpTrouble::Warming { resource, name, .. } => format!("warming {resource:?} {name}"),
        DumpTrouble::SecretWithoutData { name, .. } => format!("no data for {name}"),
        DumpTrouble::NoHealthyEndpoints { cluster, endpoints } => format!("none of {endpoints} healthy in {cluster}"),
        DumpTrouble::NameNotResolved { cluster } => format!("no address for {cluster}"),
        DumpTrouble::UnknownCluster { cluster, route_configuration, virtual_host, path } => {
            format!("{route_configuration} {virtual_host} {path} to unknown {cluster}")
        }
        DumpTrouble::UnknownTcpCluster { cluster, listener } => format!("{listener} to unknown {cluster}"),
        DumpTrouble::CertificateNotValid { secret, certificate } => format!("{secret} ended {}", certificate.not_after),
        DumpTrouble::CertificateExpiresSoon { secret, certificate } => {
            format!("{secret} ends {}", certificate.not_after)
        }
    }
}

#[test]
fn summaries_count_what_was_refused() {
    for proxy in proxies() {
        let page = proxy.page("config_dump_include_eds.json");
        let summary = ConfigDump::parse(&page).unwrap().summary();
        let refused: usize = summary.sections.iter().map(|section| section.refused).sum();
        let expected = usize::from(proxy.capture == "broken" && proxy.workload() == "catalog-v2");
        assert_eq!(refused, expected, "{}", proxy.pod);
        let names: Vec<_> = summary.sections.iter().map(|section| section.name).collect();
        assert_eq!(names, ["clusters", "listeners", "routes", "endpoints", "secrets"]);
        assert!(summary.sections.iter().all(|section| section.active > 0), "{summary:?}");
    }
}
