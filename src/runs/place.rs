//! Where a step reads, and for whom: the service's own cluster, or a capture that somebody uploaded.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::{
    app::App,
    auth::{Authority, Caller, Rights, Trail},
    cluster::{Cluster, budget::Claim},
    history::cluster_of_capture,
    uploads::Opened,
};

/// A cluster as one caller may see it.
pub struct Place {
    pub(super) caller: Arc<Caller>,
    /// By which the history knows the cluster.
    pub(super) cluster_id: String,
    cluster: Cluster,
    authority: Authority,
    /// Of the step that was carried out last, until its answer is sent.
    claim: Mutex<Option<Claim>>,
    /// Not closed while it is read.
    _capture: Option<Opened>,
}

impl Place {
    /// The cluster that the service is for.
    pub fn own(app: &App, caller: &Arc<Caller>) -> Self {
        Self {
            caller: Arc::clone(caller),
            cluster_id: app.cluster.id().to_owned(),
            cluster: app.cluster.clone(),
            authority: app.authority.clone(),
            claim: Mutex::default(),
            _capture: None,
        }
    }

    /// An uploaded capture that the caller may use. It has no permissions inside that could be asked for.
    pub fn capture(app: &App, caller: &Arc<Caller>, id: Uuid, opened: Opened) -> Self {
        let cluster = opened.cluster().clone();
        Self {
            caller: Arc::new(Caller { rights: Rights::All, ..Caller::clone(caller) }),
            cluster_id: cluster_of_capture(app.cluster.id(), id),
            authority: Authority::new(cluster.own_client().clone()),
            cluster,
            claim: Mutex::default(),
            _capture: Some(opened),
        }
    }

    pub(super) fn keep(&self, claim: Claim) {
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim);
    }

    /// The room of the step that was carried out here, for whoever sends its answer.
    pub fn take_claim(&self) -> Option<Claim> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The cluster, which notes in `trail` what is read of it.
    pub fn cluster(&self, trail: Trail) -> Cluster {
        self.cluster.through(self.authority.client_for(Arc::clone(&self.caller), trail))
    }
}
