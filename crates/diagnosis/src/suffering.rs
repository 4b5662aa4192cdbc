//! Who suffers from a cause: failed requests by both ends of the access logs, and pods that are not ready.

use std::collections::{BTreeMap, BTreeSet};

use logs::Side;
use mesh::{is_finished, is_ready};

use crate::{
    answer::Suffering,
    fact::Fact,
    place::{Place, Scene, is_workload},
};

/// Hosts and workloads that are named.
const NAMED: usize = 20;

/// Requests of one end to one host.
#[derive(Default)]
struct End {
    failed: u64,
    /// By who wrote the log and how it names the host: failures of one kind share the sum.
    of: BTreeMap<(String, String), u64>,
}

/// Of a cause with its effects.
pub(crate) fn of<'f>(scene: &Scene<'_>, together: impl Iterator<Item = (&'f Fact, &'f Place)>) -> Suffering {
    let mut ends: BTreeMap<(String, bool), End> = BTreeMap::new();
    let (mut hosts, mut workloads, mut unready) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut suffering = Suffering::default();
    for (fact, place) in together {
        if let Some(failure) = &fact.failure {
            let host = place.hosts.iter().next().cloned().unwrap_or_else(|| failure.destination.clone());
            let end = ends.entry((host.clone(), failure.side == Side::Outbound)).or_default();
            end.failed += failure.count;
            let writer = (fact.finding.subject.name.clone(), failure.destination.clone());
            let of = end.of.entry(writer).or_default();
            *of = (*of).max(failure.of);
            hosts.insert(host);
            workloads.extend(place.workloads.iter().map(|it| workload(it)));
            suffering.since = suffering.since.take().into_iter().chain(failure.first_at.clone()).min();
            suffering.last = suffering.last.take().into_iter().chain(failure.last_at.clone()).max();
        } else if fact.subjects.iter().any(|it| it.kind == "Pod" || is_workload(&it.kind)) && !place.pods.is_empty() {
            for at in &place.pods {
                let pod = scene.pods[*at as usize];
                if !is_ready(pod) && !is_finished(pod) {
                    unready.insert(*at);
                    workloads.extend(place.workloads.iter().map(|it| workload(it)));
                }
            }
        }
    }
    let names: BTreeSet<&String> = ends.keys().map(|(host, _)| host).collect();
    for host in names {
        // Each failed request stands in the logs of both ends, if both write any.
        let of = |is_client: bool| {
            let end = ends.get(&(host.clone(), is_client));
            end.map_or((0, 0), |end| (end.failed, end.of.values().sum::<u64>()))
        };
        let (failed, all) = of(true).max(of(false));
        suffering.failed_requests += failed;
        suffering.of_requests += all.max(failed);
    }
    suffering.pods_not_ready = unready.len() as u64;
    suffering.hosts = hosts.into_iter().take(NAMED).collect();
    suffering.workloads = workloads.into_iter().take(NAMED).collect();
    suffering
}

/// `namespace/name` of `namespace/kind/name`.
fn workload(known: &str) -> String {
    let mut parts = known.splitn(3, '/');
    let (namespace, name) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("{namespace}/{name}")
}
