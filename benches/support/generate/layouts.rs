//! What stands together: whole meshes, namespaces, and services with what belongs to them.

use serde_json::json;

use super::Generator;
use super::faults::FAULTS;
use super::objects::{
    SYSTEM, authorization_policy, deployment, destination_rule, gateway, ingress_pod, ingress_service, namespace,
    peer_authentication, pod, port, route, service, service_entry, sidecar, subsets, virtual_service,
};

/// Services of one namespace, except where the layout says otherwise.
const PER_NAMESPACE: usize = 20;

const WORDS: [&str; 16] = [
    "cart", "billing", "catalog", "checkout", "coupons", "gifts", "invoices", "mail", "orders", "payments", "prices",
    "ratings", "returns", "reviews", "search", "stock",
];

/// A service that everything about it is named after.
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Its full host.
    pub(super) host: String,
}

impl Place {
    fn new(namespace: &str, name: String) -> Self {
        let host = format!("{name}.{namespace}.svc.cluster.local");
        Self { namespace: namespace.to_owned(), name, host }
    }
}

impl Generator {
    pub(super) fn realistic(&mut self) {
        self.add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}));
        self.add(ingress_service());
        self.add(ingress_pod());
        let (mut index, mut team) = (0, String::new());
        while self.mesh.objects.len() < self.plan.objects {
            if index % PER_NAMESPACE == 0 {
                team = format!("team-{:04}", index / PER_NAMESPACE);
                self.begin_team(&team);
            }
            let word = WORDS[index % WORDS.len()];
            self.one_service(&Place::new(&team, format!("{word}-{index:05}")));
            index += 1;
        }
    }

    fn begin_team(&mut self, team: &str) {
        self.add(namespace(team));
        self.add(peer_authentication(team));
        self.add(sidecar(team, "default", None));
        self.add(gateway(team, "ingress", 80, &format!("*.{team}.example.com")));
    }

    /// A service with its workload, and either a fault or some of the configuration that services have.
    fn one_service(&mut self, place: &Place) {
        let Place { namespace, name, .. } = place;
        self.add(service(namespace, name, name, &json!([port("http", 80, 8080)])));
        self.add(deployment(namespace, name));
        for version in ["v1", "v2"] {
            self.add(pod(namespace, &format!("{name}-{version}-7c9d5"), name, version));
        }
        if self.random.below(100) < self.plan.faulty_percent {
            FAULTS[self.faulty % FAULTS.len()](self, place);
            self.faulty += 1;
        } else {
            self.configuration(place);
        }
    }

    fn configuration(&mut self, place: &Place) {
        let Place { namespace, name, host } = place;
        match self.random.below(10) {
            0..=3 => {
                self.add(destination_rule(namespace, name, &json!({"host": host, "subsets": subsets(&["v1", "v2"])})));
                let weight = self.random.below(101);
                let spec = json!({
                    "hosts": [host],
                    "http": [
                        {
                            "match": [{"headers": {"x-canary": {"exact": "true"}}}],
                            "route": [{"destination": {"host": host, "subset": "v2"}}],
                        },
                        {
                            "timeout": "5s", "retries": {"attempts": 3, "perTryTimeout": "2s"},
                            "route": [
                                {"destination": {"host": host, "subset": "v1"}, "weight": weight},
                                {"destination": {"host": host, "subset": "v2"}, "weight": 100 - weight},
                            ],
                        },
                    ],
                });
                self.add(virtual_service(namespace, name, &spec));
            }
            4..=5 => {
                let policy = json!({
                    "connectionPool": {"tcp": {"maxConnections": 100}, "http": {"http1MaxPendingRequests": 50}},
                    "outlierDetection": {"consecutive5xxErrors": 7, "interval": "30s", "baseEjectionTime": "1m"},
                });
                self.add(destination_rule(namespace, name, &json!({"host": host, "trafficPolicy": policy})));
            }
            6 => {
                let spec = json!({
                    "hosts": [format!("{name}.{namespace}.example.com")], "gateways": ["ingress"],
                    "http": [route(host, None)],
                });
                self.add(virtual_service(namespace, name, &spec));
            }
            7 => self.add(authorization_policy(namespace, name, name)),
            8 => self.add(service_entry(namespace, name, &format!("{name}.vendor.example.org"), "TLS")),
            _ => self.add(sidecar(namespace, name, Some(name))),
        }
    }

    pub(super) fn fifths(&mut self) {
        for index in 0..self.plan.objects / 5 {
            let shop = format!("shop-{:03}", index / 100);
            if index % 100 == 0 {
                self.add(namespace(&shop));
            }
            let place = Place::new(&shop, format!("app-{index:05}"));
            let Place { namespace, name, host } = &place;
            self.add(service(namespace, name, name, &json!([port("http", 80, 8080)])));
            self.add(deployment(namespace, name));
            self.add(pod(namespace, &format!("{name}-0"), name, "v1"));
            let spec = json!({"hosts": [host], "http": [route(host, Some("v1"))]});
            self.add(virtual_service(namespace, name, &spec));
            self.add(destination_rule(namespace, name, &json!({"host": host, "subsets": subsets(&["v1"])})));
        }
    }

    pub(super) fn external(&mut self) {
        self.add(namespace("egress"));
        let entries = self.plan.objects * 7 / 11;
        let host = |index: usize| format!("api-{index:05}.vendor.example.org");
        for index in 0..entries {
            self.add(service_entry("egress", &format!("api-{index:05}"), &host(index), "TLS"));
        }
        for index in 0..self.plan.objects - entries {
            let name = host(index);
            let spec = json!({
                "hosts": [name],
                "tls": [{
                    "match": [{"port": 443, "sniHosts": [name]}],
                    "route": [{"destination": {"host": name, "port": {"number": 443}}}],
                }],
            });
            self.add(virtual_service("egress", &format!("api-{index:05}"), &spec));
        }
    }

    pub(super) fn pods(&mut self) {
        let services = self.plan.objects * 4 / 9;
        let name = |index: usize| format!("app-{index:05}");
        self.add(namespace("shop"));
        for index in 0..services {
            let name = name(index);
            self.add(service("shop", &name, &name, &json!([port("http", 80, 8080)])));
        }
        for index in 0..self.plan.objects - services {
            let app = name(index % services);
            self.add(pod("shop", &format!("{app}-{}", index / services), &app, "v1"));
        }
    }
}
