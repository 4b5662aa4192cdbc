//! The places of connections. Nobody can hold them all by connecting only: when they are taken, that connection makes
//! room which has been without a request for longest. Where all have requests, a few more are let in for probes.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Bounds;

/// Connections beyond the others, on which only probes are answered.
const FOR_PROBES: usize = 64;
/// So many requests more than were answered may a client give up.
const GIVEN_UP: u32 = 100;

/// All places of a listener.
#[derive(Clone)]
pub(super) struct Places(Arc<Shared>);

struct Shared {
    open: Mutex<Open>,
    connections: usize,
    per_peer: usize,
    head: Duration,
    idle: Duration,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// In the order in which they came.
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// One connection, as the others see it.
pub(super) struct Connection {
    peer: IpAddr,
    activity: Mutex<Activity>,
    evicted: CancellationToken,
}

struct Activity {
    /// Requests that are not answered in full.
    requests: u32,
    /// No request has come yet.
    silent: bool,
    /// When it last began to be without requests.
    since: Instant,
    answered: u32,
    given_up: u32,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    places: Places,
    id: u64,
    connection: Arc<Connection>,
    pub(super) only_probes: bool,
}

/// A request that is being answered.
pub(super) struct Request {
    connection: Arc<Connection>,
    answered: bool,
}

impl Places {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self(Arc::new(Shared {
            open: Mutex::default(),
            connections: bounds.connections.max(1),
            per_peer: bounds.per_peer.max(1),
            head: bounds.head,
            idle: bounds.idle,
        }))
    }

    /// A place for a peer; `None` where there is none.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let peer = network(peer);
        let mut open = self.open();
        let of_peer = open.connections.values().filter(|connection| connection.peer == peer).count();
        if of_peer >= self.0.per_peer && !open.make_room(|connection| connection.peer == peer) {
            return None;
        }
        let mut only_probes = false;
        if open.connections.len() >= self.0.connections && !open.make_room(|_| true) {
            if open.connections.len() >= self.0.connections + FOR_PROBES {
                return None;
            }
            only_probes = true;
        }
        let id = open.next;
        open.next += 1;
        let activity = Activity { requests: 0, silent: true, since: Instant::now(), answered: 0, given_up: 0 };
        let connection =
            Arc::new(Connection { peer, activity: Mutex::new(activity), evicted: CancellationToken::new() });
        open.connections.insert(id, Arc::clone(&connection));
        Some(Place { places: self.clone(), id, connection, only_probes })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends the connection that has been without a request for longest, of those that `may_go`.
    fn make_room(&mut self, may_go: impl Fn(&Connection) -> bool) -> bool {
        let idle = self.connections.iter().filter(|(_, connection)| may_go(connection));
        let idle = idle.filter_map(|(id, connection)| Some((connection.idle_since()?, *id)));
        let Some((_, id)) = idle.min() else { return false };
        if let Some(connection) = self.connections.remove(&id) {
            connection.evicted.cancel();
        }
        true
    }
}

/// Whoever has one IPv6 address has the network of 64 bits around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

impl Connection {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_since(&self) -> Option<Instant> {
        let activity = self.activity();
        (activity.requests == 0).then_some(activity.since)
    }

    /// Notes a request until what is returned is dropped.
    pub(super) fn request(self: &Arc<Self>) -> Request {
        let mut activity = self.activity();
        activity.requests += 1;
        activity.silent = false;
        drop(activity);
        Request { connection: Arc::clone(self), answered: false }
    }
}

impl Place {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Ends when the place is needed for somebody else.
    pub(super) async fn evicted(&self) {
        self.connection.evicted.cancelled().await;
    }

    /// Ends when the connection has been without requests for too long.
    pub(super) async fn overdue(&self) {
        let Shared { head, idle, .. } = *self.places.0;
        loop {
            let deadline = {
                let activity = self.connection.activity();
                match activity.requests {
                    0 if activity.silent => activity.since + head,
                    0 => activity.since + idle,
                    _ => Instant::now() + idle,
                }
            };
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open().connections.remove(&self.id);
    }
}

impl Request {
    /// From now on the client has its answer, or the beginning of it.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut activity = self.connection.activity();
        activity.requests -= 1;
        activity.since = Instant::now();
        if self.answered {
            activity.answered = activity.answered.saturating_add(1);
        } else {
            activity.given_up = activity.given_up.saturating_add(1);
        }
        // A flood of requests that are reset costs the client nothing.
        if activity.given_up > activity.answered.saturating_add(GIVEN_UP) {
            self.connection.evicted.cancel();
        }
    }
}
