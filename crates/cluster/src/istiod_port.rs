//! The debug pages of a replica of istiod. A replica that hangs, or whose node is lost, must not cost the answer about the
//! others: it is first asked for a page of a few bytes under a short deadline, and a silent one is not asked again for
//! some seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use super::{
    Cluster, Error, Istiod,
    pod_http::{Place, PodHttpError, PodHttpLimits, PodPort},
};

/// For the first page of a replica that is ready. It has a few bytes and needs none of istiod's locks.
const READY: Duration = Duration::from_secs(4);
/// The same for one that waits or is not ready.
const NOT_READY: Duration = Duration::from_secs(2);
/// How long a replica that did not answer is left alone.
const REMEMBERED: Duration = Duration::from_secs(10);
const MAX_VERSION_BYTES: usize = 1024;

/// Replicas that did not answer, and when.
#[derive(Debug, Default)]
pub(super) struct Silent(Mutex<HashMap<(String, String), Instant>>);

impl Silent {
    fn key(place: &Place) -> (String, String) {
        (place.namespace.clone(), place.pod.clone())
    }

    /// How long ago this replica did not answer, where that is remembered.
    fn since(&self, place: &Place) -> Option<Duration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| at.elapsed() < REMEMBERED);
        known.get(&Self::key(place)).map(Instant::elapsed)
    }

    fn remember(&self, place: &Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(Self::key(place), Instant::now());
    }
}

/// The debug port of one replica, to be asked for one page after the other.
pub struct IstiodPort<'c> {
    port: PodPort,
    silent: &'c Silent,
    first_within: Duration,
    has_answered: bool,
}

impl Cluster {
    /// The debug port of a replica of istiod; nothing is sent yet.
    pub fn istiod_port(&self, istiod: &Istiod) -> IstiodPort<'_> {
        IstiodPort {
            port: self.pod_port(&istiod.pod, istiod.debug_port()),
            silent: &self.shared.silent,
            first_within: if is_ready(&istiod.pod) { READY } else { NOT_READY },
            has_answered: false,
        }
    }
}

impl IstiodPort<'_> {
    /// What the replica says of its version.
    pub async fn version(&mut self) -> Result<Bytes, Error> {
        let deadline = if self.has_answered { PodHttpLimits::default().deadline } else { self.first_within };
        self.ask("/version", PodHttpLimits { deadline, max_bytes: MAX_VERSION_BYTES }).await
    }

    /// `GET path`, where only 200 will do.
    pub async fn page(&mut self, path: &str, max_bytes: usize) -> Result<Bytes, Error> {
        if !self.has_answered {
            let first = self.version().await;
            if !self.has_answered {
                first?;
            }
        }
        self.ask(path, PodHttpLimits { max_bytes, ..PodHttpLimits::default() }).await
    }

    async fn ask(&mut self, path: &str, limits: PodHttpLimits) -> Result<Bytes, Error> {
        if let Some(ago) = self.silent.since(self.port.place()) {
            return Err(PodHttpError::Silent { what: self.port.place().to_string(), ago }.into());
        }
        let answer = self.port.page_within(path, limits).await;
        match &answer {
            Err(Error::Pod(PodHttpError::TimedOut { .. })) => self.silent.remember(self.port.place()),
            // A replica that has no such page, or a recording that lacks it, has answered.
            Ok(_) | Err(Error::NotRecorded { .. } | Error::Pod(PodHttpError::Status { .. })) => {
                self.has_answered = true;
            }
            Err(_) => {}
        }
        answer
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}
