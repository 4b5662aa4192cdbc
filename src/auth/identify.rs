//! Who presents these credentials?

use std::sync::Arc;

use kube::Client;
use sha2::{Digest, Sha256};

use super::{Caller, Keys, REMEMBERED, Rights, TRUSTED_FOR, review};

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    #[error("credentials are missing: send `Authorization: Bearer <token>`")]
    Missing,
    #[error("the credentials are not known here")]
    Unknown,
    #[error("the cluster could not be asked who calls")]
    CannotAsk(#[source] kube::Error),
}

/// Callers by the hash of their token.
type Known = Box<moka::future::Cache<[u8; 32], Arc<Caller>>>;

/// How callers are told apart.
pub enum Identify {
    /// Everybody is let in; only for a loopback address.
    Nobody,
    Keys {
        keys: Keys,
        rights: Rights,
    },
    /// Tokens of Kubernetes, and keys besides where there are some.
    Kubernetes {
        own: Client,
        audiences: Vec<String>,
        keys: Keys,
        known: Known,
    },
}

impl Identify {
    pub fn kubernetes(own: Client, audiences: Vec<String>, keys: Keys) -> Self {
        let cache = moka::future::Cache::builder().max_capacity(REMEMBERED).time_to_live(TRUSTED_FOR).build();
        let known = Box::new(cache);
        Self::Kubernetes { own, audiences, keys, known }
    }

    /// The caller behind a bearer token or key.
    pub async fn caller(&self, credential: Option<&str>) -> Result<Arc<Caller>, Denied> {
        match self {
            Self::Nobody => Ok(Arc::new(Caller::anonymous())),
            Self::Keys { keys, rights } => {
                let key = credential.ok_or(Denied::Missing)?;
                keys.find(key, *rights).map(Arc::new).ok_or(Denied::Unknown)
            }
            Self::Kubernetes { own, audiences, keys, known } => {
                let token = credential.ok_or(Denied::Missing)?;
                if let Some(caller) = keys.find(token, Rights::Reviewed) {
                    return Ok(Arc::new(caller));
                }
                // The token itself is not kept in memory.
                let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
                if let Some(caller) = known.get(&hash).await {
                    return Ok(caller);
                }
                let caller = review::token(own, token, audiences).await.map_err(Denied::CannotAsk)?;
                let caller = Arc::new(caller.ok_or(Denied::Unknown)?);
                known.insert(hash, Arc::clone(&caller)).await;
                Ok(caller)
            }
        }
    }
}
