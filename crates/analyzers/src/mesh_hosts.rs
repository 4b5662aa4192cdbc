//! Finds `VirtualServices` that hold for the same host inside the mesh, of which proxies take only one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::is_for_mesh;
use mesh::{HostIndex, Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "virtualservice.ConflictingMeshGatewayHostsAnalyzer",
    reads: &[Kind::VirtualService],
    reports: &[&IST0109],
    by_default: true,
    run,
};

static IST0109: Code = Code {
    id: "IST0109",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0109/",
    page: include_str!("pages/IST0109.md"),
};

/// The scope that every namespace is in.
const EVERYWHERE: &str = "*";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let services: Vec<&Object> = mesh.each(Kind::VirtualService).filter(|it| is_for_mesh(it)).collect();
    let claims = claims(&services);
    // Hosts that are exported everywhere, each with its place among the claims.
    let everywhere: Vec<(&str, &[usize])> = claims
        .iter()
        .filter(|((scope, _), _)| *scope == EVERYWHERE)
        .map(|((_, host), claimants)| (host.as_str(), claimants.as_slice()))
        .collect();
    let index = HostIndex::new(everywhere.iter().zip(0..).map(|((host, _), place)| (*host, place)));
    let mut reported: BTreeSet<usize> = BTreeSet::new();
    for ((scope, host), own) in in_order(&claims) {
        if messages.is_full() {
            return;
        }
        let mut claimants = own.clone();
        if scope != EVERYWHERE {
            let overlapping: BTreeSet<usize> = index.overlapping(host).collect();
            claimants.extend(overlapping.into_iter().flat_map(|place: usize| everywhere[place].1.iter().copied()));
        }
        // For `istioctl` a VirtualService that names a host in two ways is in conflict with itself.
        let is_one = claimants.windows(2).all(|pair| pair[0] == pair[1]);
        let is_conflict = claimants.len() > 1 && (mesh.is_compatible() || !is_one);
        if !is_conflict || claimants.iter().all(|claimant| reported.contains(claimant)) {
            continue;
        }
        let mut names: Vec<String> = claimants.iter().map(|claimant| services[*claimant].full_name()).collect();
        names.sort();
        let names = names.join(",");
        for claimant in claimants {
            if reported.insert(claimant) {
                messages.report(host_is_claimed_twice(services[claimant], &names, scope, host));
            }
        }
    }
}

/// Who claims a host, by scope and full name.
type Claims<'m> = BTreeMap<(&'m str, String), Vec<usize>>;

fn claims<'m>(services: &[&'m Object]) -> Claims<'m> {
    let mut claims = Claims::new();
    for (service, position) in services.iter().zip(0..) {
        let scopes = host::scopes(service.namespace(), service.spec().field("exportTo").texts());
        for name in service.spec().get("hosts").texts() {
            let name = host::fqdn(service.namespace(), name);
            for scope in &scopes {
                claims.entry((scope, name.clone())).or_default().push(position);
            }
        }
    }
    claims
}

/// In the order of `scope/host`, which decides which of its hosts a `VirtualService` is reported for.
fn in_order<'c>(claims: &'c Claims<'_>) -> impl Iterator<Item = ((&'c str, &'c str), &'c Vec<usize>)> {
    claims.iter().map(|((scope, host), claimants)| ((*scope, host.as_str()), claimants))
}

fn host_is_claimed_twice<'m>(service: &'m Object, names: &str, scope: &str, host: &str) -> Message<'m> {
    let text = format!(
        "The VirtualServices {names} associated with mesh gateway define the same host {scope}/{host} which can lead \
         to undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource."
    );
    Message::new(&IST0109, service, text).at(Path::name())
}
