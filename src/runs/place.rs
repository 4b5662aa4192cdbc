//! Where a step reads, and for whom: the service's own cluster, or a capture that somebody uploaded.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    app::App,
    auth::{Authority, Caller, Rights, Trail},
    cluster::{Cluster, sharing_reads},
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
            _capture: Some(opened),
        }
    }

    /// The same place for the steps of one run: what one of them has read, the others get from memory.
    pub fn sharing_reads(&self) -> Self {
        let authority = self.authority.through(sharing_reads(self.authority.client()));
        Self {
            caller: Arc::clone(&self.caller),
            cluster_id: self.cluster_id.clone(),
            cluster: self.cluster.clone(),
            authority,
            _capture: self._capture.clone(),
        }
    }

    /// The cluster, which notes in `trail` what is read of it.
    pub fn cluster(&self, trail: Trail) -> Cluster {
        self.cluster.through(self.authority.client_for(Arc::clone(&self.caller), trail))
    }
}
