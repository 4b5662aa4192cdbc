//! The page `/clusters` and its troubles.

use meshtriage::envoy::cluster_trouble::{ClusterTroubleKind, interpret};
use meshtriage::envoy::clusters_page::{Clusters, HostStats};

use super::recordings::proxies;

#[test]
fn text_and_json_say_the_same() {
    for proxy in proxies() {
        let mut json = Clusters::parse(&proxy.page("clusters.json")).unwrap();
        let mut text = Clusters::parse(&proxy.page("clusters.txt")).unwrap();
        assert!(json.clusters.len() > 10, "{}: too few clusters", proxy.pod);
        for page in [&mut json, &mut text] {
            page.clusters.sort_by(|a, b| a.name.cmp(&b.name));
            for cluster in &mut page.clusters {
                cluster.hosts.sort_by_key(|host| host.address.text());
                // The two pages were read one after the other, so the counters may differ.
                cluster.hosts.iter_mut().for_each(|host| host.stats = HostStats::default());
            }
        }
        for (json, text) in json.clusters.iter().zip(&text.clusters) {
            assert_eq!(json, text, "{}", proxy.pod);
        }
        assert_eq!(json.clusters.len(), text.clusters.len());
    }
}

#[test]
fn troubles_are_those_of_the_faults() {
    let mut found = Vec::new();
    for proxy in proxies() {
        let workload = proxy.workload();
        for trouble in interpret(&Clusters::parse(&proxy.page("clusters.json")).unwrap()) {
            // Fault 10 and a TCP ServiceEntry: services without endpoints, which every proxy near them sees.
            if trouble.kind == ClusterTroubleKind::NoHosts {
                let known = ["recommendations.shop.", "partner.example.net", "*.example.net"];
                assert!(known.iter().any(|known| trouble.cluster.contains(known)), "{trouble:?}");
                assert_ne!(proxy.capture, "healthy");
                continue;
            }
            let total = if trouble.is_total() { " (total)" } else { "" };
            found.push(format!("{} {workload}: {:?} {}{total}", proxy.capture, trouble.kind, trouble.cluster));
        }
    }
    let expected = [
        "broken inventory: ConnectFailures inbound|9999|| (total)",
        "broken orders: RequestErrors outbound|8080||inventory.legacy.svc.cluster.local (total)",
        "broken cart: RequestErrors outbound|9090||payments.bank.svc.cluster.local (total)",
        "upstream cache: RequestErrors inbound|6379||",
        "upstream store: Ejected outbound|6379||cache.default-apps.svc.cluster.local (total)",
        "upstream store: RequestErrors outbound|6379||cache.default-apps.svc.cluster.local",
    ];
    assert_eq!(found, expected);
}
