//! Who calls, and what he may do. Knows Kubernetes' reviews, but no HTTP of ours.
//!
//! The service is never a way around RBAC: every request that a step sends to the API server passes `client_for`,
//! which asks the cluster whether *the caller* may do that (SubjectAccessReview), whatever the step is.

mod access;
mod identify;
mod keys;
mod review;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::authorization::v1::SubjectAccessReviewSpec;
use kube::Client;

pub use access::{Access, Trail};
pub use identify::{Denied, Identify};
pub use keys::{Keys, KeysError};

/// How long an answer of the cluster about a caller is trusted.
const TRUSTED_FOR: Duration = Duration::from_secs(15);
/// Answers kept at most.
const REMEMBERED: u64 = 10_000;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    pub user: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
    pub extra: Vec<(String, Vec<String>)>,
    pub rights: Rights,
}

/// Where a caller's permissions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rights {
    /// A recording has no RBAC, and without authentication there is nobody to review: everything may be read.
    All,
    /// The cluster is asked for each permission.
    Reviewed,
}

impl Caller {
    /// Whoever calls when authentication is off.
    pub fn anonymous() -> Self {
        Self { user: "anonymous".to_owned(), uid: None, groups: Vec::new(), extra: Vec::new(), rights: Rights::All }
    }

    fn spec(&self) -> SubjectAccessReviewSpec {
        SubjectAccessReviewSpec {
            user: Some(self.user.clone()),
            uid: self.uid.clone(),
            groups: Some(self.groups.clone()),
            extra: Some(self.extra.iter().cloned().collect()),
            ..SubjectAccessReviewSpec::default()
        }
    }
}

/// Asks the cluster about callers, and remembers the answers for a moment.
#[derive(Clone)]
pub struct Authority {
    own: Client,
    reviews: moka::future::Cache<(Arc<Caller>, Access), bool>,
}

impl Authority {
    /// `own` is the service's own client.
    pub fn new(own: Client) -> Self {
        let reviews = moka::future::Cache::builder().max_capacity(REMEMBERED).time_to_live(TRUSTED_FOR).build();
        Self { own, reviews }
    }

    /// The same, which sends what is allowed through another client.
    #[must_use]
    pub fn through(&self, own: Client) -> Self {
        Self { own, reviews: self.reviews.clone() }
    }

    /// The service's own client.
    pub fn client(&self) -> &Client {
        &self.own
    }

    /// Whether the caller may do this.
    pub async fn may(&self, caller: &Arc<Caller>, access: &Access) -> Result<bool, kube::Error> {
        if caller.rights == Rights::All {
            return Ok(true);
        }
        let key = (Arc::clone(caller), access.clone());
        if let Some(known) = self.reviews.get(&key).await {
            return Ok(known);
        }
        let allowed = review::subject_access(&self.own, caller, access).await?;
        self.reviews.insert(key, allowed).await;
        Ok(allowed)
    }

    /// A client that lets pass only what the caller may do, and notes in `trail` what was used.
    pub fn client_for(&self, caller: Arc<Caller>, trail: Trail) -> Client {
        access::guarded(self.clone(), caller, trail)
    }
}
