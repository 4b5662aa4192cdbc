use jiff::Timestamp;

use super::*;
use diagnosis::hosts;
use mesh::{Kind, MeshBuilder, Settings};
use report::{Code, Finding, Severity, Subject};

fn mesh(text: &str) -> Mesh {
    let settings = Settings { runtime_kinds: true, extent: Extent::Whole, ..Settings::new(Timestamp::UNIX_EPOCH) };
    let mut builder = MeshBuilder::new(settings);
    builder.add_files(&[("mesh.yaml", text)]);
    builder.build()
}

#[test]
fn every_symptom_has_problems_and_words() {
    let mut seen = BTreeSet::new();
    for (symptom, title, problems) in symptom::SYMPTOMS {
        assert!(seen.insert(*symptom) && !title.is_empty() && !problems.is_empty());
    }
}

#[test]
fn hosts_are_completed_as_clients_write_them() {
    let mesh = mesh("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
    let full = |host| hosts::full_name(&mesh, "bank", host);
    assert_eq!(full("cart"), "cart.bank.svc.cluster.local");
    assert_eq!(full("cart.shop:8080"), "cart.shop.svc.cluster.local");
    assert_eq!(full("cart.shop.svc"), "cart.shop.svc.cluster.local");
    assert_eq!(full("cart.shop.svc.cluster.local"), "cart.shop.svc.cluster.local");
    assert_eq!(full("example.com:443"), "example.com");
}

#[test]
fn findings_stand_for_the_problems_of_their_objects() {
    static IST0101: Code = Code { id: "IST0101", severity: Severity::Error, docs: "", page: "" };

    let problems = diagnosis::problems::Problems::new();
    let finding = |kind: &str| Finding::new(&IST0101, Subject::namespaced(kind, "shop", "cart"), "");
    let of = |kind| problems.of(&finding(kind)).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert!(of("VirtualService").contains(&"net/subset-missing"));
    assert!(of("VirtualService").iter().all(|id| id.starts_with("net/")));
}

#[test]
fn objects_concern_hosts() {
    let mesh = mesh(
        r"
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart, namespace: shop}
spec: {selector: {matchLabels: {app: cart}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: ['*.example.com']
  http: [{route: [{destination: {host: cart}}]}]
",
    );
    let of = |kind, name| hosts::concerned(&mesh, mesh.find(kind, "shop", name).unwrap());
    let cart = "cart.shop.svc.cluster.local";
    assert_eq!(of(Kind::AuthorizationPolicy, "cart"), BTreeSet::from([cart.to_owned()]));
    let of_virtual_service = of(Kind::VirtualService, "cart");
    assert!(hosts::is_among(&of_virtual_service, cart) && hosts::is_among(&of_virtual_service, "www.example.com"));
    assert!(!hosts::is_among(&of_virtual_service, "example.org"));
}
