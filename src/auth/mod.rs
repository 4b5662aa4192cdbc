//! Who calls, and what he may do. Knows Kubernetes' reviews, but no HTTP of ours.
//!
//! The service is never a way around RBAC: every request that a step sends to the API server passes `client_for`,
//! which asks the cluster whether *the caller* may do that (SubjectAccessReview), whatever the step is.

mod access;
mod attempts;
mod identify;
mod keys;
mod review;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::authorization::v1::SubjectAccessReviewSpec;
use kube::Client;

pub use access::{Access, REVIEW_FAILED, Trail};
pub use identify::{Denied, Identify, Tokens};
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

    /// Whether what another one owns is his: by uid where both have one, as a name may be given again.
    pub fn is(&self, user: &str, uid: Option<&str>) -> bool {
        let same = self.uid.as_deref().zip(uid).is_none_or(|(own, other)| own == other);
        self.user == user && same
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

    /// Whether the caller may do this.
    pub async fn may(&self, caller: &Arc<Caller>, access: &Access) -> Result<bool, Arc<kube::Error>> {
        if caller.rights == Rights::All {
            return Ok(true);
        }
        let key = (Arc::clone(caller), access.clone());
        // Those who ask the same at once wait for one answer.
        self.reviews.try_get_with(key, review::subject_access(&self.own, caller, access)).await
    }

    /// A client that lets pass only what the caller may do, and notes in `trail` what was used.
    pub fn client_for(&self, caller: Arc<Caller>, trail: Trail) -> Client {
        access::guarded(self.clone(), caller, trail)
    }
}
