//! Who presents these credentials?

use std::{net::IpAddr, sync::Arc, time::Duration};

use kube::Client;
use sha2::{Digest, Sha256};

use super::{Caller, Keys, REMEMBERED, Rights, TRUSTED_FOR, attempts::Attempts, review};

/// How long a token that nobody knows is remembered as such.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// Why a caller is not let in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Denied {
    #[error("credentials are missing: send `Authorization: Bearer <token>`")]
    Missing,
    #[error("the credentials are not known here")]
    Unknown,
    #[error("too many unknown credentials came from this address; try again in a moment")]
    TooMany,
    #[error("the cluster could not be asked who calls")]
    CannotAsk(#[source] Arc<kube::Error>),
}

/// Callers by the hash of their token; `None` for a token that nobody knows.
type Known = moka::future::Cache<[u8; 32], Option<Arc<Caller>>>;

/// Tokens of Kubernetes, and what the cluster said of them.
pub struct Tokens {
    own: Client,
    audiences: Vec<String>,
    known: Known,
    attempts: Attempts,
}

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
        tokens: Box<Tokens>,
        keys: Keys,
    },
}

impl Identify {
    pub fn kubernetes(own: Client, audiences: Vec<String>, keys: Keys) -> Self {
        let known = moka::future::Cache::builder().max_capacity(REMEMBERED).expire_after(Expiry).build();
        Self::Kubernetes { tokens: Box::new(Tokens { own, audiences, known, attempts: Attempts::default() }), keys }
    }

    /// Whether everybody is let in.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// The keys that are let in, whose file may change.
    pub fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Nobody => None,
            Self::Keys { keys, .. } | Self::Kubernetes { keys, .. } => Some(keys),
        }
    }

    /// The caller behind a bearer token or key, who calls from `peer`.
    pub async fn caller(&self, credential: Option<&str>, peer: Option<IpAddr>) -> Result<Arc<Caller>, Denied> {
        match self {
            Self::Nobody => Ok(Arc::new(Caller::anonymous())),
            Self::Keys { keys, rights } => {
                let key = credential.ok_or(Denied::Missing)?;
                keys.find(key, *rights).map(Arc::new).ok_or(Denied::Unknown)
            }
            Self::Kubernetes { tokens, keys } => {
                let token = credential.ok_or(Denied::Missing)?;
                match keys.find(token, Rights::Reviewed) {
                    Some(caller) => Ok(Arc::new(caller)),
                    None => tokens.caller(token, peer).await,
                }
            }
        }
    }
}

impl Tokens {
    async fn caller(&self, token: &str, peer: Option<IpAddr>) -> Result<Arc<Caller>, Denied> {
        // The token itself is not kept in memory.
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = self.known.get(&hash).await {
            return known.ok_or(Denied::Unknown);
        }
        if !self.attempts.may_try(peer) {
            return Err(Denied::TooMany);
        }
        // Those who send the same token at once wait for one answer.
        let ask = async { review::token(&self.own, token, &self.audiences).await.map(|caller| caller.map(Arc::new)) };
        let known = self.known.try_get_with(hash, ask).await.map_err(Denied::CannotAsk)?;
        if known.is_some() {
            self.attempts.succeeded(peer);
        }
        known.ok_or(Denied::Unknown)
    }
}

/// What is not known may be known in a moment: a token is valid as soon as it was made.
struct Expiry;

impl moka::Expiry<[u8; 32], Option<Arc<Caller>>> for Expiry {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        known: &Option<Arc<Caller>>,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(if known.is_some() { TRUSTED_FOR } else { UNKNOWN_FOR })
    }
}
