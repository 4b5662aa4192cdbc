//! Which proxies a step asks, when it cannot ask them all: some of each workload, since its replicas have the same
//! configuration; and asking them side by side, in a time that is set for all of them together.

mod ask;
mod choose;

pub(super) use ask::{Answer, ask};
pub(super) use choose::{ProxyPod, choose, container_status, proxies};
