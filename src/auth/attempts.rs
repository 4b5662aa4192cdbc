//! How many unknown tokens may come from an address: each is a question to the API server, which has others to answer.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// At once.
const BURST: u32 = 50;
/// One more after each.
const EVERY: Duration = Duration::from_millis(100);
/// Addresses remembered; beyond, those go that have not tried for long.
const ADDRESSES: usize = 10_000;

/// What is left to each address.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Left>>);

#[derive(Debug, Clone, Copy)]
struct Left {
    attempts: u32,
    at: Instant,
}

impl Left {
    fn now(self, now: Instant) -> Self {
        let more = u32::try_from((now - self.at).as_millis() / EVERY.as_millis()).unwrap_or(u32::MAX);
        let attempts = self.attempts.saturating_add(more).min(BURST);
        Self { attempts, at: if attempts == BURST { now } else { self.at + EVERY * more } }
    }
}

impl Attempts {
    /// Takes an attempt, if there is one left. Without an address, as in tests, there always is.
    pub(super) fn may_try(&self, peer: Option<IpAddr>) -> bool {
        let Some(peer) = peer else { return true };
        let now = Instant::now();
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= ADDRESSES && !left.contains_key(&peer) {
            left.retain(|_, left| left.now(now).attempts < BURST);
            if left.len() >= ADDRESSES {
                return false;
            }
        }
        let own = left.entry(peer).or_insert(Left { attempts: BURST, at: now });
        *own = own.now(now);
        let may = own.attempts > 0;
        own.attempts = own.attempts.saturating_sub(1);
        may
    }

    /// Gives back the attempt of somebody who is known: behind a proxy, all come from one address.
    pub(super) fn succeeded(&self, peer: Option<IpAddr>) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = peer.and_then(|peer| left.get_mut(&peer)) {
            own.attempts = (own.attempts + 1).min(BURST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_come_back_with_time() {
        let attempts = Attempts::default();
        let (one, other) = (Some(IpAddr::from([10, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 2])));
        let tried = (0..200).filter(|_| attempts.may_try(one)).count();
        assert_eq!(tried, 50);
        assert!(attempts.may_try(other), "others are not concerned");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..200).filter(|_| attempts.may_try(one)).count(), 10);
        tokio::time::advance(Duration::from_secs(1)).await;
        let known = (0..200).filter(|_| attempts.may_try(one)).inspect(|_| attempts.succeeded(one)).count();
        assert_eq!(known, 200, "who is known has as many as he wants");
    }
}
